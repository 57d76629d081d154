"""The hash chain of the access log: every line gets a number and a hash over itself and the line before.

One sealer at a time numbers new lines in batches, so that writers never wait for each other. Changing, removing or
reordering a line breaks the chain from there on. Keep the newest number and hash elsewhere (from a metric or a command)
and you also notice a chain that was truncated or rebuilt. Expired lines are replaced by an anchor.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.clock import rfc3339
from service.db import insert_missing, reading, writing
from service.models import access_chain, access_log

AT_ONCE = 500
PRUNED_AT_ONCE = 5000
BEGIN = "0" * 64
acs, ach = access_log.c, access_chain.c
LINES = sa.select(acs.id, acs.at, acs.actor, acs.action, acs.detail, acs.address, acs.outcome, acs.number, acs.hash)
"""The columns of an `AccessLine`, in order."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class AccessLine:
    """A line as it is hashed and streamed. `number` is None until it is sealed."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]
    address: str | None
    outcome: str | None
    number: int | None
    hash: str | None

    def told(self) -> dict[str, Any]:
        """Return it as JSON says it, times in UTC."""
        return {
            "number": self.number,
            "at": rfc3339(self.at),
            "actor": self.actor,
            "action": self.action,
            "outcome": self.outcome,
            "address": self.address,
            "detail": self.detail,
            "hash": self.hash,
        }


def seal(connection: Connection) -> int:
    """Number and hash unsealed lines, oldest first; return how many there were. One sealer at a time."""
    newest = _locked(connection)
    waiting = connection.execute(LINES.where(acs.number.is_(None)).order_by(acs.id).limit(AT_ONCE))
    lines = [AccessLine(*row) for row in waiting]
    for line in lines:
        newest = Link(newest.number + 1, _hash(newest.hash, newest.number + 1, line))
        # `at` as well: it names the partition, if the log is partitioned
        sealed = sa.update(access_log).where(acs.id == line.id, acs.at == line.at)
        connection.execute(sealed.values(number=newest.number, hash=newest.hash))
    if lines:
        connection.execute(sa.update(access_chain).values(number=newest.number, hash=newest.hash))
    return len(lines)


def seal_what_waits(engine: Engine) -> None:
    """Seal everything there is; writes nothing if nothing waits."""
    with reading(engine) as connection:
        waits = unsealed(connection)
    while waits > 0:
        with writing(engine) as connection:
            waits -= seal(connection) or waits


def newest(connection: Connection) -> Link:
    """Return the newest link, to be kept elsewhere."""
    row = connection.execute(sa.select(ach.number, ach.hash)).one_or_none()
    return Link(0, BEGIN) if row is None else Link(row.number, row.hash)


def hash_of(connection: Connection, number: int) -> str | None:
    """Return the hash of a sealed line; None if it is not here, or no longer."""
    found = connection.scalar(sa.select(acs.hash).where(acs.number == number))
    return found or connection.scalar(sa.select(ach.pruned_hash).where(ach.pruned_number == number))


def unsealed(connection: Connection) -> int:
    """Return how many lines wait to be sealed."""
    return connection.scalar(sa.select(sa.func.count()).select_from(access_log).where(acs.number.is_(None))) or 0


def verify(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each place where the chain is broken; nothing if every line is unchanged."""
    ends = connection.execute(sa.select(access_chain)).one_or_none()
    number, digest = (0, BEGIN) if ends is None else (ends.pruned_number, ends.pruned_hash)
    for line in sealed_after(connection, number):
        assert line.number is not None
        if line.number != number + 1:
            yield _missing(number + 1, line.number - 1)
        elif line.hash != _hash(digest, line.number, line):
            yield f"Line {line.number} is not as it was written, or not where it was: its hash does not follow."
        number, digest = line.number, line.hash or ""
    last = newest(connection)
    if number < last.number:
        yield _missing(number + 1, last.number)
    elif digest != last.hash:
        yield f"The chain does not end as it was sealed: line {last.number} has another hash than was kept of it."


def sealed_after(connection: Connection, number: int) -> Iterator[AccessLine]:
    """Yield sealed lines in the order of the chain, after one of them."""
    while page := some_after(connection, number):
        yield from page
        number = page[-1].number or number


def some_after(connection: Connection, number: int) -> Sequence[AccessLine]:
    """Return the next few hundred sealed lines after one of them, or none."""
    page = connection.execute(LINES.where(acs.number > number).order_by(acs.number).limit(AT_ONCE))
    return [AccessLine(*row) for row in page]


def older_than(connection: Connection, before: datetime) -> int:
    """Return how many lines are older than their retention."""
    return connection.scalar(sa.select(sa.func.count()).select_from(access_log).where(acs.at < before)) or 0


def prune(connection: Connection, before: datetime) -> int:
    """Delete some thousand sealed lines older than their retention, from the beginning of the chain.

    Returns how many. A line that somebody removed does not stop it.
    """
    kept = connection.scalar(sa.select(sa.func.min(acs.number)).where(acs.at >= before))
    old = newest(connection).number if kept is None else kept - 1
    begin = connection.scalar(sa.select(sa.func.min(acs.number))) or 0
    among = acs.number <= min(old, begin + PRUNED_AT_ONCE - 1)
    end = connection.scalar(sa.select(sa.func.max(acs.number)).where(among))
    if end is None:
        return 0
    _anchor(connection, end)
    return connection.execute(sa.delete(access_log).where(acs.number <= end)).rowcount


def leave_behind(connection: Connection, until: datetime, before: datetime) -> bool:
    """Move the anchor behind all lines older than `until`, which are about to be dropped whole.

    False, and no change, if one of them is not sealed, or comes in the chain after one that is not older than `before`.
    A few slightly younger lines before them go too.
    """
    theirs = acs.at < until
    if connection.scalar(sa.select(acs.id).where(theirs, acs.number.is_(None)).limit(1)) is not None:
        return False
    end = connection.scalar(sa.select(sa.func.max(acs.number)).where(theirs))
    if end is None:
        return True
    kept = connection.scalar(sa.select(sa.func.min(acs.number)).where(acs.at >= before))
    if kept is not None and kept <= end:
        return False
    _anchor(connection, end)
    connection.execute(sa.delete(access_log).where(acs.number <= end, ~theirs))
    return True


def _anchor(connection: Connection, end: int) -> None:
    """Keep the number and hash of the last line that goes: the chain begins behind it."""
    last = sa.select(acs.hash).where(acs.number == end).scalar_subquery()
    connection.execute(sa.update(access_chain).values(pruned_number=end, pruned_hash=last))


def _locked(connection: Connection) -> Link:
    """The newest link, held until commit. On SQLite the whole transaction is."""
    empty = {"id": 1, "number": 0, "hash": BEGIN, "pruned_number": 0, "pruned_hash": BEGIN}
    insert_missing(connection, access_chain, [empty])
    row = connection.execute(sa.select(ach.number, ach.hash).with_for_update()).one()
    return Link(row.number, row.hash)


def _hash(before: str, number: int, line: AccessLine) -> str:
    told = line.told() | {"number": number, "hash": before}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _missing(first: int, last: int) -> str:
    return f"Line {first} is missing." if first == last else f"Lines {first} to {last} are missing."
