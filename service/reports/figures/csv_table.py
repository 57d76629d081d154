"""A figure as CSV: a header and rows. Decides nothing.

One line per group and period, always with the same columns, because formulas in a spreadsheet go by place. If there is
no group or period yet, one overall line says why (`suppressed`): a header alone tells nobody anything.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from service.clock import rfc3339
from service.reports.figures.shapes import Breakdowns, Coverage, Funnel, Rate, Reasoned, Score, Several, Summary, Trends
from service.reports.formula_injection import guarded

Row = Sequence[Any]
SCORE = ("value", "low", "high", "n", "mean", "suppressed")
HEADS = {
    "summary": ("figure", *SCORE, "since", "until"),
    "trend": (
        "type", "key", "rest", "of", "label", "since", "until", "partial", *SCORE, "delivered", "response_rate", "name",
    ),
    "breakdown": ("type", "by", "key", "rest", "of", *SCORE, "ended", "delivered", "response_rate", "name"),
    "coverage": (
        "by", "key", "ended", "pending", "offered", "unknown", "skipped", "failed", "share", "limit_low", "limit_high",
        "place", "name", "rest",
    ),
    "funnel": ("stage", "reason", "n"),
}  # fmt: skip
STAGES = ("ended", "pending", "unknown", "delivered", "answered", "scored", "commented")


def as_csv(name: str, found: Several) -> bytes:
    """Return the figure of that name from `found` as CSV: UTF-8, CRLF, a header, empty means none."""
    return written([HEADS[name], *ROWS[name](getattr(found, name))])


def written(rows: Iterable[Row]) -> bytes:
    """Return rows as CSV, the first of them the header."""
    return "".join(f"{','.join(map(_cell, row))}\r\n" for row in rows).encode()


def _summary(found: Summary) -> Iterator[Row]:
    for each in (found.csat, found.nps):
        if each is not None:
            yield (each.type, *_score(each), each.since, each.until)
    for rate in (found.response_rate_of_delivered, found.response_rate_of_ended, found.comment_rate):
        yield (rate.name, *_rate(rate), found.since, found.until)
    for name in ("ended", "delivered"):
        yield (name, None, None, None, getattr(found, name), None, None, found.since, found.until)


def _trend(found: Trends) -> Iterator[Row]:
    for line in found.items:
        who = (line.type, line.key, line.rest, line.of)
        for each in line.points:
            when = (each.label, each.since, each.until, each.partial)
            rate = each.response_rate.value
            yield (*who, *when, *_score(each.score), each.delivered, rate, line.name)
    if not any(line.points for line in found.items):
        for line in found.items:
            period = (None, line.total.since, line.total.until, None)
            yield (line.type, None, None, None, *period, *_score(line.total), None, None, None)


def _breakdown(found: Breakdowns) -> Iterator[Row]:
    for table in found.items:
        for each in table.rows:
            who = (table.type, table.by, each.key, each.rest, each.of)
            rate = each.response_rate.value
            yield (*who, *_score(each.score), each.ended, each.delivered, rate, each.name)
    if not any(table.rows for table in found.items):
        for table in found.items:
            yield (table.type, table.by, None, None, None, *_score(table.total), None, None, None, None)


def _coverage(found: Coverage) -> Iterator[Row]:
    for each in found.rows or (found.total,):
        became = (each.ended, each.pending, each.offered, each.unknown, _sum(each.skipped), _sum(each.failed))
        limits = (each.share, each.limit_low, each.limit_high, each.place)
        yield (found.by, each.key, *became, *limits, each.name, each.rest)


def _funnel(found: Funnel) -> Iterator[Row]:
    for name in STAGES:
        yield (name, found.suppressed, getattr(found, name))
    for name in ("skipped", "failed"):
        for each in getattr(found, name):
            yield (name, each.reason, each.n)


ROWS: dict[str, Callable[[Any], Iterable[Row]]] = {
    "summary": _summary,
    "trend": _trend,
    "breakdown": _breakdown,
    "coverage": _coverage,
    "funnel": _funnel,
}


def _score(each: Score) -> Row:
    return (each.value, each.low, each.high, each.n, each.mean, each.suppressed)


def _rate(each: Rate) -> Row:
    return (each.value, each.low, each.high, each.n, None, each.suppressed)


def _sum(reasons: Iterable[Reasoned]) -> int:
    return sum(each.n for each in reasons)


def _cell(value: Any) -> str:
    """Numbers and moments as they are; text quoted, and guarded where a spreadsheet would compute it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, str):
        return '"' + guarded(value).replace('"', '""') + '"'
    return str(value)
