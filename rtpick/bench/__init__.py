"""Figures of this machine: throughput, latency and memory of the whole path, beside other pickers."""
