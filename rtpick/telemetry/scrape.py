"""Read a daemon's /metrics, as Prometheus would."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

MAXIMUM_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric."""

    name: str
    labels: dict[str, str]
    value: float


def scrape(port: int, host: str = "127.0.0.1", timeout_s: float = 2.0) -> list[Sample]:
    """Fetch the metrics of a daemon; an empty list where none answers."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=timeout_s) as answer:
            text = answer.read(MAXIMUM_BYTES).decode()
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return []
    return list(_samples(text))


def _samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield Sample(sample.name, dict(sample.labels), float(sample.value))


def histogram_quantile(samples: list[Sample], name: str, quantile: float, **labels: str) -> float:
    """Estimate a quantile from a histogram's buckets, linear within a bucket, as Prometheus does.

    Parameters
    ----------
    samples : list of Sample
    name : str
        The histogram's name, without ``_bucket``.
    quantile : float
        0..1.
    **labels : str
        The series.

    Returns
    -------
    float
        In the histogram's unit; NaN where nothing was observed, the last finite bound where the
        quantile lies beyond it.

    Examples
    --------
    >>> bucket = lambda bound, count: Sample("x_s_bucket", {"le": bound}, count)
    >>> histogram_quantile([bucket("1.0", 5), bucket("2.0", 10), bucket("+Inf", 10)], "x_s", 0.75)
    1.5
    """
    buckets = sorted(
        (float(sample.labels["le"]), sample.value)
        for sample in samples
        if sample.name == f"{name}_bucket" and labels.items() <= sample.labels.items()
    )
    total = buckets[-1][1] if buckets else 0.0
    if total == 0:
        return float("nan")
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= quantile * total:
            share = (quantile * total - below) / (count - below) if count > below else 0.0
            return lower if bound == float("inf") else lower + share * (bound - lower)
        lower, below = bound, count
    return lower
