"""The dashboard's door: a key once, then a cookie; the Reader behind it, or the sign-in page.

The cookie is random and its digest is a row, so a session ends on the server: by signing out, by inactivity, or with
its key. Every form carries a token bound to that cookie. Never says which part of a key was wrong, and never logs one.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import flask
import structlog
from sqlalchemy.engine import Engine
from werkzeug.wrappers import Response

from service.auth import Reader, keys, log_access, sessions
from service.auth.attempts import Attempts
from service.auth.guard import demand_reach, demand_role
from service.clock import Clock
from service.db import reading, writing
from service.db.outages import AWAY
from service.errors import NotAllowed, NotFound
from service.reports.dashboard import resubmitted_form, words
from service.reports.dashboard.resubmitted_form import ResubmittedForm
from service.reports.roles import EVERYBODY
from service.settings import Settings

HOME = "/dashboard/"
SECURE_COOKIE, PLAIN_COOKIE = "__Host-dmf", "dmf"  # the prefix makes browsers refuse it without Secure and Path=/
WHY = {
    "ended": "Your session has ended. Sign in again to continue where you were.",
    "out": "You are signed out.",
    "unsent": "Your session has ended. Sign in again: what you typed is kept and will be shown again.",
}
log = structlog.get_logger(__name__)


class Door:
    """Lets readers in, keeps them in, lets them out."""

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._attempts = Attempts(engine, clock, "dashboard")
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
                    return self._asked_who()
                flask.g.reader = reader
                with self._attempts.telling(reader, flask.request.remote_addr):
                    demand_role(reader, roles or EVERYBODY)
                    demand_reach(reader, flask.request)
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
        if found is not None and found.is_stale:
            self._note_click(cookie, now)
        return None if found is None else found.reader

    def sign_in(self, key: str, address: str, onward: str) -> Response:
        """Exchange a key for a session. Raises NotAuthenticated in constant words, TooMany after many failures."""
        self._demand_own_page()
        reader, now = self._attempts.reader_of(key.strip() if key.isprintable() else "", address), self._clock()
        with self._attempts.telling(reader, address):
            demand_role(reader, EVERYBODY)
            demand_reach(reader, flask.request)
        with writing(self._engine) as connection:
            sessions.end(connection, self._cookie())  # of this browser: nobody is signed in twice in it
            keys.seen(connection, reader.key_id, now)
            cookie = sessions.begin(connection, reader, now)
            log_access(connection, reader.actor, "session.begin", {"role": reader.role}, now)
        log.info("signed_in", key_id=reader.key_id, address=address)
        flask.g.reader, flask.g.cookie = reader, cookie
        response = self._onward(onward)
        response.set_cookie(
            self.cookie_name, cookie, path="/", httponly=True, secure=self._secure, samesite="Lax", max_age=None
        )
        return response

    def _onward(self, onward: str) -> Response:
        left = resubmitted_form.of_sign_in()
        if left is None or safe_path(left.action) != left.action:
            return flask.redirect(safe_path(onward), 303)
        back = safe_path(left.back or onward)
        return flask.make_response(flask.render_template("dashboard/unsent.html", unsent=left, back=back))

    def sign_out(self) -> Response:
        """End the session on the server and forget the cookie."""
        with writing(self._engine) as connection:
            sessions.end(connection, self._cookie())
            log_access(connection, flask.g.reader.actor, "session.end", {}, self._clock())
        log.info("signed_out", key_id=flask.g.reader.key_id, address=flask.request.remote_addr)
        response = flask.redirect(flask.url_for("dashboard.sign_in", why="out"), 303)
        response.delete_cookie(self.cookie_name, path="/", httponly=True, secure=self._secure, samesite="Lax")
        return response

    def form_token(self) -> str:
        """Return the token that every form of this session carries."""
        return hmac.new(self._secret, f"dashboard form\x1f{self._cookie()}".encode(), hashlib.sha256).hexdigest()

    def _cookie(self) -> str:
        begun: str | None = flask.g.get("cookie")
        return begun or flask.request.cookies.get(self.cookie_name, "")

    def _demand_form_token(self) -> None:
        self._demand_own_page()
        given = flask.request.form.get("form_token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.form_token().encode()):
            raise NotAllowed("form_expired", "This form belongs to another session. Go back, reload and send it again.")

    def _demand_own_page(self) -> None:
        """Refuse a form that another site sent: at sign-in there is no session yet to bind a token to."""
        sent_from = flask.request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = flask.request.headers.get("Origin")
        hosts = (flask.request.host, self._own_host)  # a proxy may have replaced Host
        ours = {None, *(f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts)}
        if sent_from not in {"same-origin", "none"} or origin not in ours:
            raise NotAllowed(
                "foreign_form", "This form was sent from another site. Open the dashboard and use its own."
            )

    def _note_click(self, cookie: str, now: datetime) -> None:
        try:
            with writing(self._engine) as connection:
                sessions.touch(connection, cookie, now)
        except AWAY:
            # a full or read-only database can still be read; the session ends by idling, no more
            log.warning("session_not_kept")

    def _asked_who(self) -> Response | tuple[str, int]:
        """The sign-in page. It carries the fields of an earlier form, if that was ours."""
        if flask.request.method == "POST" and (left := resubmitted_form.of_request()) is not None:
            self._demand_own_page()
            return self.page(HOME, WHY["unsent"], left=left), 401
        onward = flask.request.full_path.rstrip("?") if flask.request.method == "GET" else HOME
        why = "ended" if self._cookie() else None
        return flask.redirect(flask.url_for("dashboard.sign_in", next=onward, why=why), 303)

    def page(
        self, onward: str, sentence: str | None, *, wrong: bool = False, left: ResubmittedForm | None = None
    ) -> str:
        """Draw the sign-in page."""
        spans = {"idle": words.span(self._idle), "longest": words.span(sessions.LONGEST)}
        return flask.render_template(
            "dashboard/sign_in.html", onward=onward, sentence=sentence, wrong=wrong, left=left, reader=None, **spans
        )

    def sessions(self) -> list[sessions.SessionLine]:
        """Return the sessions of whoever is signed in."""
        with reading(self._engine) as connection:
            return sessions.listed(connection, flask.g.reader.key_id, self._cookie(), self._idle, self._clock())

    def end_session(self, session_id: str) -> None:
        """End one of one's own sessions. Raises NotFound."""
        with writing(self._engine) as connection:
            if not sessions.end_one(connection, flask.g.reader.key_id, session_id):
                raise NotFound("no_such_session", "This session has ended already, or is not yours.")
            log_access(connection, flask.g.reader.actor, "session.end", {"session": session_id}, self._clock())


def safe_path(onward: str) -> str:
    """Return the path of the dashboard to go to; anything else leads home, never to another host."""
    ours = onward.startswith(HOME) and onward.isprintable() and not onward.startswith(HOME + "sign-")
    return HOME if not ours or "\\" in onward or "/../" in onward else onward
