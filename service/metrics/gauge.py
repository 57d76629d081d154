"""What a gauge read from the ledger is: a name, a text, labels, and the statement that counts it.

And a figure, wherever it was counted, as a metric family of Prometheus'.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily

from service.db import to_micros

PREFIX = "dm_feedback_"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure: its name, text and labels, and the statement that counts it at a given moment."""

    name: str
    text: str
    labels: tuple[str, ...]
    query: Callable[[datetime], sa.Select[*tuple[Any, ...]]]


def seconds_since(newest: sa.ColumnElement[Any], now: datetime) -> sa.ColumnElement[float]:
    """An age in seconds: times are stored as microseconds, so it is a plain difference on both databases."""
    return sa.func.coalesce((to_micros(now) - sa.type_coerce(newest, sa.BigInteger)) / 1_000_000.0, 0.0)


def family(name: str, text: str, labels: Sequence[str], rows: Iterable[Sequence[Any]]) -> GaugeMetricFamily:
    """Return a metric family; each row has the values of its labels first and its number last."""
    made = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for *values, number in rows:
        made.add_metric([str(value) for value in values], float(number))
    return made
