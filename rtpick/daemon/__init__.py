"""The daemon: five workers and the links between them.

ingest -> pick -> associate -> archive; pick -> archive; health beside them.
"""
