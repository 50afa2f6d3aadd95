"""The daemon: five workers and the links between them, and one more where there are cables.

ingest -> pick -> associate -> archive; pick -> archive; ingest -> fiber -> archive; fiber -> associate;
health beside them.
"""
