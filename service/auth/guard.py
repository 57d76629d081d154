"""What a route demands of a request: sets its Reader in `flask.g.reader`, or refuses.

Every view declares how it authenticates, even if it does not: `guard.requires(...)` for keys, `declares(...)` for the
rest. A test fails for any route that says nothing. Keys come in the Authorization header, never in a URL. Spreadsheets
only know HTTP Basic: there the key is the password. Browsers send such a password by themselves, from any page, so
Basic may read and never change anything.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.auth import keys
from service.auth.attempts import Attempts, one_more
from service.auth.keys import CHALLENGE, Reader
from service.clock import Clock
from service.db import writing
from service.errors import NotAllowed, NotAuthenticated, TooMany
from service.models import key_use

MINUTE = timedelta(minutes=1)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
ku = key_use.c
EARLIER = sa.delete(key_use).where(ku.key_id == sa.bindparam("this"), ku.minute < sa.bindparam("before"))
Seen = Callable[[Connection, datetime], None]


def declares(how: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare in words how a view authenticates if it takes no keys of ours ("nobody: …", "source signature", …)."""

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.authentication = how  # type: ignore[attr-defined]  # read by the test that walks all routes
        return view

    return mark


class Guard:
    """Checks keys against the database and counts their calls, the same for every process."""

    def __init__(self, engine: Engine, clock: Clock, requests_per_minute: int) -> None:
        self._engine, self._clock, self._per_minute = engine, clock, requests_per_minute
        self._attempts = Attempts(engine, clock, "api")

    def requires(self, *roles: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Let readers with one of `roles` in, as `flask.g.reader`."""

        def around(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                reader = self.reader_of(flask.request)
                with self._attempts.telling(reader, flask.request.remote_addr):
                    demand_role(reader, roles)
                    demand_reach(reader, flask.request)
                    flask.g.reader = reader
                    return view(*args, **kwargs)

            guarded.authentication = f"key: {', '.join(roles)}"  # type: ignore[attr-defined]  # as above
            return guarded

        return around

    def reader_of(self, request: flask.Request) -> Reader:
        """Return whose key came with the request. Raises NotAuthenticated or TooMany."""
        reader = self._attempts.reader_of(_key_of(request), request.remote_addr)
        self.count(reader, lambda connection, now: keys.seen(connection, reader.key_id, now))
        return reader

    def count(self, reader: Reader, seen: Seen) -> None:
        """Count one call in this minute; with the first, note that the key is in use. Raises TooMany for a full one."""
        now = self._clock()
        minute = now.replace(second=0, microsecond=0)
        with writing(self._engine) as connection:
            used = one_more(connection, reader.key_id, minute)
            if used == 1:
                connection.execute(EARLIER, {"this": reader.key_id, "before": minute})
                seen(connection, now)
        left = int((minute + MINUTE - now).total_seconds()) + 1
        flask.g.rate_headers = {
            "RateLimit-Limit": str(self._per_minute),
            "RateLimit-Remaining": str(max(0, self._per_minute - used)),
            "RateLimit-Reset": str(left),
        }
        if used > self._per_minute:
            raise TooMany(
                "rate_limited",
                f"This key is limited to {self._per_minute} calls a minute; try again in {left} s.",
                headers={"Retry-After": str(left), **flask.g.rate_headers},
            )


def _key_of(request: flask.Request) -> str:
    """The key a request brings. Raises NotAuthenticated where there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    basic = request.authorization if scheme.lower() == "basic" else None
    if basic is not None and basic.password and request.method not in READING:
        raise NotAuthenticated(
            "basic_only_reads",
            "HTTP Basic is for reading only; to change anything, send the key in 'Authorization: Bearer dmf_…'.",
            headers=CHALLENGE,
        )
    found = basic.password if basic is not None else key if scheme.lower() == "bearer" else None
    if not found or not found.strip():
        raise NotAuthenticated(
            "key_missing",
            "Send a key in the header 'Authorization: Bearer dmf_…', or as the password of HTTP Basic.",
            headers=CHALLENGE,
        )
    return found.strip()


def demand_role(reader: Reader, roles: tuple[str, ...]) -> None:
    """Refuse a reader without one of the roles. Raises NotAllowed."""
    if reader.role not in roles:
        raise NotAllowed(
            "role_not_allowed",
            f"A key with the role '{reader.role}' may not do this; the role must be {' or '.join(roles)}.",
        )


def demand_reach(reader: Reader, request: flask.Request) -> None:
    """Refuse a key used outside its networks or paths. Raises NotAllowed."""
    if not reader.may_come_from(request.remote_addr):
        raise NotAllowed("network_not_allowed", "This key is not valid from your address.")
    if not reader.may_call(request.path):
        raise NotAllowed("route_not_allowed", f"This key covers {', '.join(reader.routes)} only.")
