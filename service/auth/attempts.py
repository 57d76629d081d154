"""Checks keys and counts wrong ones by address, so that guessing is slowed down; tells what right ones were refused.

Never logs a secret.

The count (IPv6: by /64) is in the database and shared by all processes. Above the limit, keys from that address are
checked against the valid ones in memory: a flood costs no database work, and a correct key still gets in, or ten wrong
ones would lock out everybody behind a proxy nobody told us about.
"""

import hashlib
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.auth import keys
from service.auth.access import log_access
from service.auth.keys import Reader
from service.clock import Clock
from service.db import insert_of, reading, writing
from service.db.outages import AWAY
from service.errors import NotAllowed, NotAuthenticated, TooMany
from service.models import key_use
from service.network.addresses import neighbourhood

WINDOW = timedelta(minutes=10)
WRONG_PER_WINDOW = 10
TOLD_PER_WINDOW = 200  # from all addresses together: one customer of a provider may have 65,536 networks of IPv6
KNOWN_FOR = timedelta(seconds=10)
MOST_REMEMBERED = 10_000
COUNTER = "~"  # no key id begins with it: these rows of key_use count addresses, and refusals
EVERYWHERE = "everywhere"
NOBODY = "nobody"
ku = key_use.c
log = structlog.get_logger(__name__)


class Attempts:
    """Looks up keys, and slows down addresses that send wrong ones."""

    def __init__(self, engine: Engine, clock: Clock, surface: str) -> None:
        self._engine, self._clock, self._surface = engine, clock, surface
        self._lock = threading.Lock()
        self._limited: dict[str, datetime] = {}  # neighbourhood: when its window ends
        self._valid: tuple[frozenset[str], datetime | None] = frozenset(), None  # digests, and until when to use them

    def reader_of(self, key: str, address: str | None) -> Reader:
        """Return whose key this is. Raises NotAuthenticated, or TooMany for a wrong key above the limit."""
        place, now = neighbourhood(address), self._clock()
        if self._is_limited(place, now) and not self._is_valid(key, now):
            raise _too_many(now)
        try:
            with reading(self._engine) as connection:
                return keys.find(connection, key, now)
        except NotAuthenticated as refused:
            self._count(place, key, refused.code, now)
            raise

    @contextmanager
    def telling(self, reader: Reader, address: str | None) -> Iterator[None]:
        """Tell both logs what a valid key is refused for: it may be in the wrong hands. Passes NotAllowed on."""
        try:
            yield
        except NotAllowed as refused:
            self._tell(reader, neighbourhood(address), refused.code)
            raise

    def _tell(self, reader: Reader, place: str, code: str) -> None:
        """The access log only the first time in a window: who has a key could fill it."""
        log.warning("call_refused", surface=self._surface, address=place, code=code, key_id=reader.key_id)
        now = self._clock()
        window = _window(now)
        detail = {"surface": self._surface, "code": code, "untold_until": (window + WINDOW).isoformat()}
        try:
            with writing(self._engine) as connection:
                if one_more(connection, _counter(f"{reader.key_id} {code}"), window) == 1:
                    log_access(connection, reader.actor, "call.refused", detail, now, outcome="refused")
                    _forget_before(connection, window)
        except AWAY:  # it is refused all the same
            log.warning("refused_call_not_told")

    def _is_limited(self, place: str, now: datetime) -> bool:
        with self._lock:
            return self._limited.get(place, now) > now

    def _is_valid(self, key: str, now: datetime) -> bool:
        """Check a key against a recent list of valid ones, without asking the database each time."""
        valid, until = self._valid
        if until is None or until <= now:
            with reading(self._engine) as connection:  # not under the lock, which every request with a key needs
                valid = keys.valid_digests(connection, now)
            self._valid = valid, now + KNOWN_FOR
        return keys.digest_of(key) in valid

    def _count(self, place: str, key: str, code: str, now: datetime) -> None:
        log.warning("key_refused", surface=self._surface, address=place, code=code, key_id=keys.public_id(key))
        try:
            wrong = self._counted(place, key, code, now)
        except AWAY:  # it is refused all the same
            log.warning("wrong_key_not_counted")
            return
        if wrong >= WRONG_PER_WINDOW:
            self._limit(place, now)
        if wrong > WRONG_PER_WINDOW:
            raise _too_many(now)

    def _counted(self, place: str, key: str, code: str, now: datetime) -> int:
        """Count one more and return the count. A flood is told in the access log by its first ones."""
        window, detail = _window(now), {"surface": self._surface, "code": code, "key_id": keys.public_id(key)}
        with writing(self._engine) as connection:
            wrong = one_more(connection, _counter(place), window)
            _forget_before(connection, window)
            if wrong > WRONG_PER_WINDOW:
                return wrong
            told = one_more(connection, COUNTER + EVERYWHERE, window)
            if told <= TOLD_PER_WINDOW:
                if wrong == WRONG_PER_WINDOW or told == TOLD_PER_WINDOW:
                    detail["untold_until"] = (window + WINDOW).isoformat()
                log_access(connection, NOBODY, "key.refused", detail, now, outcome="refused")
        return wrong

    def _limit(self, place: str, now: datetime) -> None:
        with self._lock:
            if len(self._limited) >= MOST_REMEMBERED:
                self._limited = {each: until for each, until in self._limited.items() if until > now}
            if len(self._limited) < MOST_REMEMBERED:
                self._limited[place] = _window(now) + WINDOW


def _counter(what: str) -> str:
    return COUNTER + hashlib.sha256(what.encode()).hexdigest()[:20]


def _forget_before(connection: Connection, window: datetime) -> None:
    connection.execute(sa.delete(key_use).where(ku.key_id.startswith(COUNTER), ku.minute < window))


def one_more(connection: Connection, key_id: str, minute: datetime) -> int:
    """Count a use and return how many that makes; in one statement, so that two at once count as two."""
    used = {"key_id": key_id, "minute": minute, "used": 1}
    return int(connection.scalar(_one_more(connection.dialect.name), used) or 1)


@cache
def _one_more(dialect: str) -> Any:
    more = {"index_elements": ["key_id", "minute"], "set_": {"used": ku.used + 1}}
    return insert_of(dialect, key_use).on_conflict_do_update(**more).returning(ku.used)


def _too_many(now: datetime) -> TooMany:
    minutes = math.ceil((_window(now) + WINDOW - now) / timedelta(minutes=1))
    return TooMany(
        "wrong_keys",
        f"Too many wrong keys came from your address. Check the key, or try again in {minutes} min.",
        headers={"Retry-After": str(minutes * 60)},
    )


def _window(now: datetime) -> datetime:
    return now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % WINDOW
