"""Sealing: requests that changed get a number in commit order, and the roll-ups are updated.

Any number of sealers may run: each request is sealed by one of them, and only the holder of the counter writes
roll-ups. A request that is being changed waits for the next turn. Does not decide what a reader may see.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.models import feedback_request
from service.reports.counting import book as books
from service.reports.counting import tally
from service.reports.counting.book import TallyBook, book_of
from service.reports.counting.facts import AMONG, counted_facts, facts_of
from service.requests import seals
from service.settings import Settings

fr = feedback_request.c
AT_ONCE = 200  # a transaction that writes stays short, whatever waits behind it
WALKED_AT_ONCE = 1000


def seal(engine: Engine, settings: Settings, now: datetime, limit: int = AT_ONCE) -> int:
    """Number and count up to `limit` changed requests, or else walk on; return how many. 0: nothing left for now."""
    zone = settings.service.time_zone
    with reading(engine) as connection:
        book, changed = book_of(connection), seals.anything_to_seal(connection)
    if not book.is_for(zone):
        _begin(engine, zone, now)
    if changed:
        with writing(engine) as connection:
            if done := _seal(connection, now, limit):
                return done
    return walk(engine) if book.is_walked or not book.is_for(zone) else 0


def walk(engine: Engine, limit: int = WALKED_AT_ONCE) -> int:
    """Count the next requests this generation does not include yet; return how many were looked at."""
    with writing(engine) as connection:
        seals.hold_counter(connection)
        book = book_of(connection)
        if not book.is_walked:  # another has arrived
            return 0
        here = sa.select(fr.id, fr.counted).where(fr.id > book.walked).order_by(fr.id).limit(limit)
        steps = {row.id: row.counted for row in connection.execute(here)}
        return _step(connection, book, steps) if steps else _arrive(connection, book)


def _begin(engine: Engine, zone: ZoneInfo, now: datetime) -> None:
    with writing(engine) as connection:
        seals.hold_counter(connection)
        if not book_of(connection).is_for(zone):
            books.begin(connection, zone, now)


def _seal(connection: Connection, now: datetime, limit: int) -> int:
    ids = seals.lock_unsealed(connection, limit)
    if ids:
        numbers = seals.take_numbers(connection, len(ids), now)
        counted = _count(connection, book_of(connection), ids)
        told = zip(ids, numbers, strict=True)
        sealed = [{"this": each, "number": number, "counts": counted[each]} for each, number in told]
        seals.write_sealed(connection, sealed)
    return len(ids)


def _step(connection: Connection, book: TallyBook, steps: Mapping[str, Sequence[Any] | None]) -> int:
    """Count the uncounted ones, never going past one that is locked, which would then never be counted."""
    missing = [each for each, counted in steps.items() if counted_facts(counted, book.generation) is None]
    locked = set(seals.lock(connection, missing)) if missing else set()
    held = next((each for each in missing if each not in locked), None)
    passed = [each for each in steps if held is None or each < held]
    ours = [each for each in missing if held is None or each < held]
    if ours:
        counted = _count(connection, book, ours)
        seals.write_counted(connection, [{"this": each, "counts": counts} for each, counts in counted.items()])
    if passed:
        books.note_walked(connection, passed[-1])
    return len(passed)


def _arrive(connection: Connection, book: TallyBook) -> int:
    """Every request is counted: drop earlier generations, then put these roll-ups in force."""
    dropped = books.drop_old(connection, book.generation)
    if not dropped:
        books.note_walked(connection, None)
    return dropped


def _count(connection: Connection, book: TallyBook, ids: Sequence[str]) -> dict[str, list[Any] | None]:
    """Update the roll-ups from what they hold of these requests to what these say now; return the short forms."""
    zone = ZoneInfo(book.zone)
    deltas: tally.Deltas = {}
    short: dict[str, list[Any] | None] = {}
    for request_id, counted, present in facts_of(connection, None, AMONG, ids=ids):
        before = counted_facts(counted, book.generation)
        short[request_id] = None if present is None else present.short(book.generation)
        if before != present:
            tally.add(deltas, before, -1, zone)
            tally.add(deltas, present, 1, zone)
    tally.write(connection, deltas, book.generation)
    return short
