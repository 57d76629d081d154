"""The dashboard's door: in, a key once, then a cookie; out, the Reader behind it, or the sign-in page.

The cookie is random and its digest is a row, so a session ends on the server: by signing out, by idle time, with its
key. Every form carries a token bound to that cookie. Failed sign-ins are counted per address in the database, so that
many processes share one count. Never says which part of a key was wrong, and never logs one.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import flask
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine
from werkzeug.wrappers import Response

from service.auth import Reader, keys, sessions
from service.auth.guard import demand_role
from service.db import insert, reading, writing
from service.errors import NotAllowed, TooMany
from service.models import key_use
from service.outages import AWAY
from service.settings import Settings

HOME = "/dashboard/"
SECURE_COOKIE, PLAIN_COOKIE = "__Host-dmf", "dmf"  # the prefix makes browsers refuse it without Secure and Path=/
WINDOW = timedelta(minutes=10)
FAILURES_PER_WINDOW = 10
COUNTER = "~"  # no key id begins with it: these rows of key_use count addresses
u = key_use.c
log = structlog.get_logger(__name__)


class Door:
    """Lets readers in, keeps them in, lets them out."""

    def __init__(self, settings: Settings, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._secret = settings.service.secret_key.encode()
        self._idle = settings.web.session_idle
        self._secure = settings.web.secure_cookies
        self._own_host = urlsplit(settings.service.public_url).netloc
        self.cookie_name = SECURE_COOKIE if self._secure else PLAIN_COOKIE

    def signed_in(self, *roles: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Let in whoever is signed in (with one of `roles`, if given); the Reader stands in `flask.g.reader`."""

        def around(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                reader = self.reader()
                if reader is None:
                    return self._to_sign_in()
                flask.g.reader = reader
                if roles:
                    demand_role(reader, roles)
                if flask.request.method == "POST":
                    self._demand_form_token()
                return view(*args, **kwargs)

            guarded.authentication = "dashboard session"  # type: ignore[attr-defined]  # read by the test of all routes
            return guarded

        return around

    def reader(self) -> Reader | None:
        """Return who is signed in, and note that they are still here."""
        cookie = self._cookie()
        if not cookie:
            return None
        now = self._clock()
        with reading(self._engine) as connection:
            found = sessions.find(connection, cookie, self._idle, now)
            stale = found is not None and sessions.is_stale(connection, cookie, now)
        if stale:
            self._note_click(cookie, now)
        return found

    def sign_in(self, key: str, address: str, onward: str) -> Response:
        """Exchange a key for a session. Raises NotAuthenticated in constant words, TooMany after many failures."""
        self._demand_own_page()
        now = self._clock()
        with writing(self._engine) as connection:
            self._demand_patience(connection, address, now)
            # counted before the key is looked at, and taken back if it was right: two failures at once count as two
            self._count_failure(connection, address, now)
        with writing(self._engine) as connection:
            reader = keys.find(connection, key.strip() if key.isprintable() else "")
            self._forgive(connection, address, now)
            keys.seen(connection, reader.key_id, now)
            cookie = sessions.begin(connection, reader, now)
        response = flask.redirect(safe_path(onward), 303)
        response.set_cookie(
            self.cookie_name, cookie, path="/", httponly=True, secure=self._secure, samesite="Lax", max_age=None
        )
        return response

    def sign_out(self) -> Response:
        """End the session on the server and forget the cookie."""
        with writing(self._engine) as connection:
            sessions.end(connection, self._cookie())
        response = flask.redirect(flask.url_for("dashboard.sign_in", why="out"), 303)
        response.delete_cookie(self.cookie_name, path="/", httponly=True, secure=self._secure, samesite="Lax")
        return response

    def form_token(self) -> str:
        """Return the token that every form of this session carries."""
        return hmac.new(self._secret, f"dashboard form\x1f{self._cookie()}".encode(), hashlib.sha256).hexdigest()

    def _cookie(self) -> str:
        return flask.request.cookies.get(self.cookie_name, "")

    def _demand_form_token(self) -> None:
        self._demand_own_page()
        given = flask.request.form.get("form_token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.form_token().encode()):
            raise NotAllowed("form_expired", "This form belongs to another session. Go back, reload and send it again.")

    def _demand_own_page(self) -> None:
        """Refuse a form that another site sent: the sign-in has no session yet to which a token could be bound."""
        sent_from = flask.request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = flask.request.headers.get("Origin")
        ours = {None, *(f"{scheme}://{host}" for scheme in ("http", "https") for host in self._hosts())}
        if sent_from not in {"same-origin", "none"} or origin not in ours:
            raise NotAllowed(
                "foreign_form", "This form was sent from another site. Open the dashboard and use its own."
            )

    def _hosts(self) -> tuple[str, str]:
        return flask.request.host, self._own_host  # a proxy may have replaced Host

    def _note_click(self, cookie: str, now: datetime) -> None:
        try:
            with writing(self._engine) as connection:
                sessions.touch(connection, cookie, now)
        except AWAY:
            # a full or read-only database can still be read; the session ends by idling, no more
            log.warning("session_not_kept")

    def _to_sign_in(self) -> Response:
        onward = flask.request.full_path.rstrip("?") if flask.request.method == "GET" else HOME
        why = "ended" if self._cookie() else None
        return flask.redirect(flask.url_for("dashboard.sign_in", next=onward, why=why), 303)

    def _demand_patience(self, connection: Connection, address: str, now: datetime) -> None:
        window = _window(now)
        failed = connection.scalar(sa.select(u.used).where(u.key_id == _counter(address), u.minute == window)) or 0
        if failed >= FAILURES_PER_WINDOW:
            minutes = -((now - window - WINDOW) // timedelta(minutes=1))
            raise TooMany(
                "sign_in_limited",
                f"Too many failed sign-ins from your address. Try again in {minutes} min.",
                headers={"Retry-After": str(minutes * 60)},
            )

    def _count_failure(self, connection: Connection, address: str, now: datetime) -> None:
        one = insert(connection, key_use).values(key_id=_counter(address), minute=_window(now), used=1)
        connection.execute(one.on_conflict_do_update(index_elements=["key_id", "minute"], set_={"used": u.used + 1}))
        connection.execute(sa.delete(key_use).where(u.key_id.startswith(COUNTER), u.minute < _window(now)))

    def _forgive(self, connection: Connection, address: str, now: datetime) -> None:
        mine = sa.and_(u.key_id == _counter(address), u.minute == _window(now))
        connection.execute(sa.update(key_use).where(mine, u.used > 0).values(used=u.used - 1))


def safe_path(onward: str) -> str:
    """Return a path of the dashboard to go on to; anything else leads home, never to another host."""
    ours = onward.startswith(HOME) and onward.isprintable() and not onward.startswith(HOME + "sign-")
    return HOME if not ours or "\\" in onward or "/../" in onward else onward


def _counter(address: str) -> str:
    return COUNTER + hashlib.sha256(address.encode()).hexdigest()[:20]


def _window(now: datetime) -> datetime:
    return now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % WINDOW
