"""Releases as rows: written once when closed, read as they were closed, or not at all if a row was damaged.

A release and the step that closes it are one commit, so a kill leaves both or neither, and of two workers one finds
that the step was already taken. A closed release never changes.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert_missing
from service.db.transaction_cache import once_per_transaction
from service.models import release, release_leaf, release_walk
from service.reports.disclosure.pools import Label

rel = release.c
leaf = release_leaf.c
rw = release_walk.c
ANY_KIND = ""
"""In place of a kind of card: what is told of conversations, whatever they were asked with."""


def _mine(columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(columns[name] == sa.bindparam(f"of_{name}") for name in ("account", "type", "partition"))


def _those(*within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The leaves of a partition's releases, in order. Built once: a page asks some twenty times."""
    told = sa.select(rel.id, rel.first_day, rel.end_day, rel.checksum, leaf.label, leaf.pooled, leaf.counts)
    ours = told.join_from(release, release_leaf, leaf.release_id == rel.id).where(*_mine(rel), *within)
    return ours.order_by(rel.end_day, leaf.id)


WITHIN = _those(rel.first_day >= sa.bindparam("first"), rel.end_day <= sa.bindparam("end"))
END_OF_LAST = sa.select(sa.func.max(rel.end_day)).where(*_mine(rel))
STEP = (
    sa.update(release_walk)
    .where(*_mine(rw), rw.until_day == sa.bindparam("before"))
    .values(until_day=sa.bindparam("after"))
)
DAYS_AFTER = sa.select(rel.id, rel.first_day, rel.end_day).where(
    rel.account == sa.bindparam("of_account"), rel.partition == "day", rel.end_day > sa.bindparam("after")
)
WALKS = sa.select(rw.account, rw.type, rw.partition, rw.until_day)
ENDING_WITHIN = _those(rel.end_day > sa.bindparam("first"), rel.end_day <= sa.bindparam("end"))


@dataclass(frozen=True, slots=True)
class ReleaseSeries:
    """The releases of an account and a kind of card, whose answers a partition divides."""

    account: str
    type: str

    def of(self, partition: str) -> dict[str, str]:
        """The values of `_mine`: the releases of a partition, or its walk."""
        return {"of_account": self.account, "of_type": self.type, "of_partition": partition}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A group and its numbers. `pooled`: all that begin with the label and have no leaf of their own."""

    label: Label
    pooled: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Release:
    """The days [first, end) as they were closed. `id`: given once it is written."""

    first: date
    end: date
    leaves: tuple[Leaf, ...]
    id: int = 0


def releases(
    connection: Connection, series: ReleaseSeries, partition: str, first: date | None = None, end: date | None = None
) -> tuple[Release, ...]:
    """Return the whole releases of a period, oldest first, without damaged ones."""

    def read() -> tuple[Release, ...]:
        return _read(connection, series, partition, WITHIN, (first or date.min, end or date.max))

    return once_per_transaction(connection, (releases, series, partition, first, end), read)


def days_of(connection: Connection, series: ReleaseSeries, first: date, end: date) -> tuple[Release, ...]:
    """Return the days' releases that end within [first, end): a longer span consists of these."""
    return _read(connection, series, "day", ENDING_WITHIN, (first, end))


def end_of_last(connection: Connection, series: ReleaseSeries, partition: str) -> date | None:
    """Return the day after the last release; None: there is none yet."""
    return connection.scalar(END_OF_LAST, series.of(partition))


def spans_of_days(connection: Connection, account: str, after: date) -> Mapping[int, tuple[date, date]]:
    """Return [first, end) of the days' releases of both kinds of card that end after a day, by their ids."""
    found = connection.execute(DAYS_AFTER, {"of_account": account, "after": after})
    return {row.id: (row.first_day, row.end_day) for row in found}


def labels(connection: Connection, accounts: Sequence[str], kind: str, partition: str) -> frozenset[Label]:
    """Return the groups that any release of these accounts names, without their numbers."""
    label = sa.cast(release_leaf.c.label, sa.Text)
    theirs = (rel.account.in_(accounts), rel.type == kind, rel.partition == partition)
    query = sa.select(label).distinct().join_from(release_leaf, release, release_leaf.c.release_id == rel.id)
    found = connection.scalars(query.where(*theirs, release_leaf.c.pooled.is_(False)))
    return frozenset(tuple(json.loads(each)) for each in found)


def _read(
    connection: Connection,
    series: ReleaseSeries,
    partition: str,
    those: sa.Select[Any],
    days: tuple[date, date],
) -> tuple[Release, ...]:
    asked = {**series.of(partition), "first": days[0], "end": days[1]}
    leaves: dict[tuple[Any, ...], list[Leaf]] = defaultdict(list)
    for *closed, checksum, label, pooled, counts in connection.execute(those, asked):
        leaves[checksum, *closed].append(Leaf(tuple(label), pooled, counts))
    found = {checksum: Release(first, end, tuple(of), number) for (checksum, number, first, end), of in leaves.items()}
    return tuple(each for checksum, each in found.items() if checksum == _checksum(series, partition, each))


def put(connection: Connection, series: ReleaseSeries, partition: str, made: Release, now: datetime) -> int:
    """Write a release and return its id."""
    row = {
        "account": series.account,
        "type": series.type,
        "partition": partition,
        "first_day": made.first,
        "end_day": made.end,
        "closed_at": now,
        "checksum": _checksum(series, partition, made),
    }
    key = connection.execute(sa.insert(release), row).inserted_primary_key
    assert key is not None
    rows = [{"release_id": key[0], "label": list(e.label), "pooled": e.pooled, "counts": e.counts} for e in made.leaves]
    connection.execute(sa.insert(release_leaf), rows)
    return int(key[0])


def enrol(connection: Connection, series: ReleaseSeries, since: Mapping[str, date]) -> None:
    """Start each partition on the day given. One that has started stays where it is."""
    rows = [
        {"account": series.account, "type": series.type, "partition": p, "until_day": day} for p, day in since.items()
    ]
    insert_missing(connection, release_walk, rows)


def step(connection: Connection, series: ReleaseSeries, partition: str, before: date, after: date) -> bool:
    """Walk on in this transaction; False if another worker did. What it closes belongs in the same commit."""
    asked = {**series.of(partition), "before": before, "after": after}
    return connection.execute(STEP, asked).rowcount == 1


def walks(connection: Connection) -> Mapping[ReleaseSeries, Mapping[str, date]]:
    """Return up to which day each partition is closed, for everybody."""
    return once_per_transaction(connection, walks, lambda: _walks(connection))


def _walks(connection: Connection) -> Mapping[ReleaseSeries, Mapping[str, date]]:
    found: dict[ReleaseSeries, dict[str, date]] = defaultdict(dict)
    for account, kind, partition, until in connection.execute(WALKS):
        found[ReleaseSeries(account, kind)][partition] = until
    return found


def _checksum(series: ReleaseSeries, partition: str, made: Release) -> str:
    """A checksum of everything told, so that no changed number or lost leaf goes unnoticed."""
    said: Sequence[object] = [series.account, series.type, partition, made.first.isoformat(), made.end.isoformat()]
    told = [[list(leaf.label), leaf.pooled, dict(leaf.counts)] for leaf in made.leaves]
    text = json.dumps([*said, *told], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
