"""A figure as a Prometheus metric family: name, labels and values."""

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily

PREFIX = "dm_feedback_"


def gauge(name: str, text: str, labels: Sequence[str], rows: Iterable[Sequence[Any]]) -> GaugeMetricFamily:
    """Return a gauge; each row has the values of its labels first and its number last."""
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family
