"""Releases as rows: in, what is to be said; out, releases as they were closed, or nothing where a row was damaged.

A release and the step of the walk that closes it are one commit, so a kill leaves both or neither, and of two workers
one finds that the step was taken. What was closed is never changed here, and a damaged one is not said any more.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.models import release, release_leaf, release_walk
from service.reports.disclosure.pools import Label

rel = release.c
rw = release_walk.c


@dataclass(frozen=True, slots=True)
class Who:
    """Whose releases: an account and a kind of card, together the ground that one partition divides."""

    account: str
    type: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A group and its numbers. `pooled`: those that begin with the label and have no leaf of their own."""

    label: Label
    pooled: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Release:
    """The days [first, end) as they were closed."""

    id: int
    first: date
    end: date
    leaves: tuple[Leaf, ...]


def releases(
    connection: Connection, who: Who, partition: str, first: date | None = None, end: date | None = None
) -> tuple[Release, ...]:
    """Return the whole releases of a period, the oldest first, without damaged ones."""
    query = sa.select(release).where(
        rel.account == who.account,
        rel.type == who.type,
        rel.partition == partition,
        rel.first_day >= (first or date.min),
        rel.end_day <= (end or date.max),
    )
    return _read(connection, who, partition, query)


def ending_in(connection: Connection, who: Who, partition: str, first: date, end: date) -> tuple[Release, ...]:
    """Return the releases whose last day lies in [first, end): those make up the longer span that has these days."""
    mine = (rel.account == who.account, rel.type == who.type, rel.partition == partition)
    return _read(connection, who, partition, sa.select(release).where(*mine, rel.end_day > first, rel.end_day <= end))


def _read(connection: Connection, who: Who, partition: str, query: sa.Select[Any]) -> tuple[Release, ...]:
    rows = connection.execute(query.order_by(rel.end_day)).all()
    leaves = _leaves(connection, query.with_only_columns(rel.id))
    found = [(row, Release(row.id, row.first_day, row.end_day, tuple(leaves[row.id]))) for row in rows]
    return tuple(each for row, each in found if row.checksum == _checksum(who, partition, each))


def put(connection: Connection, who: Who, partition: str, made: Release, now: datetime) -> int:
    """Write a release (its id is given by the database) and return its id."""
    row = {
        "account": who.account,
        "type": who.type,
        "partition": partition,
        "first_day": made.first,
        "end_day": made.end,
        "closed_at": now,
        "checksum": _checksum(who, partition, made),
    }
    key = connection.execute(sa.insert(release).values(row)).inserted_primary_key
    assert key is not None
    rows = [{"release_id": key[0], "label": list(e.label), "pooled": e.pooled, "counts": e.counts} for e in made.leaves]
    connection.execute(sa.insert(release_leaf), rows)
    return int(key[0])


def enrol(connection: Connection, who: Who, since: Mapping[str, date]) -> None:
    """Begin to walk: each partition on the day it is given. What has begun stays where it is."""
    rows = [{"account": who.account, "type": who.type, "partition": p, "until_day": day} for p, day in since.items()]
    connection.execute(insert(connection, release_walk).values(rows).on_conflict_do_nothing())


def step(connection: Connection, who: Who, partition: str, before: date, after: date) -> bool:
    """Walk on in this transaction; False where another worker has. What it closes belongs into the same commit."""
    mine = (rw.account == who.account, rw.type == who.type, rw.partition == partition, rw.until_day == before)
    return connection.execute(sa.update(release_walk).where(*mine).values(until_day=after)).rowcount == 1


def walks(connection: Connection) -> Mapping[Who, Mapping[str, date]]:
    """Return until which day each partition of everybody is closed."""
    found: dict[Who, dict[str, date]] = defaultdict(dict)
    for account, kind, partition, until in connection.execute(sa.select(release_walk)):
        found[Who(account, kind)][partition] = until
    return found


def _leaves(connection: Connection, ids: sa.Select[int]) -> Mapping[int, list[Leaf]]:
    found: dict[int, list[Leaf]] = defaultdict(list)
    query = sa.select(release_leaf).where(release_leaf.c.release_id.in_(ids)).order_by(release_leaf.c.id)
    for row in connection.execute(query):
        found[row.release_id].append(Leaf(tuple(row.label), row.pooled, row.counts))
    return found


def _checksum(who: Who, partition: str, made: Release) -> str:
    """Of everything that is said, so that no changed number and no lost leaf goes unnoticed."""
    said: Sequence[object] = [who.account, who.type, partition, made.first.isoformat(), made.end.isoformat()]
    text = json.dumps([*said, *_said(made.leaves)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _said(leaves: Iterable[Leaf]) -> Iterable[object]:
    return [[list(leaf.label), leaf.pooled, dict(leaf.counts)] for leaf in leaves]
