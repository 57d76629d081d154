"""Runs the application for one complete request and sends its answer, now or later.

Runs in a thread that holds nothing else. Whatever breaks here ends the connection, never the thread.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from gunicorn.http import wsgi
from gunicorn.http.message import Request

from service.listening.connection import Connection
from service.listening.refusals import FAULT, written
from service.web.deferred import DeferredBody

log = structlog.get_logger(__name__)
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Open:
    """A request whose answer is known when others are, too."""

    connection: Connection
    response: Any  # gunicorn's, which carries no types
    later: DeferredBody


@dataclass(frozen=True, slots=True)
class Application:
    """Called for every request. `answered` takes a connection back, `is_closing` says that we are stopping."""

    wsgi: Wsgi
    cfg: Any
    answered: Callable[[Connection, bool], None]
    is_closing: Callable[[], bool]

    def call(self, connection: Connection, request: Request) -> Open | None:
        """Let the application answer; return what it will only answer later."""
        try:
            response, environ = wsgi.create(request, connection, connection.peer, connection.server, self.cfg)
            environ["wsgi.multithread"] = True
            if self.is_closing():
                response.force_close()
            body = self.wsgi(environ, response.start_response)
            if isinstance(body, DeferredBody):
                return Open(connection, response, body)
            self._write(connection, response, body)
        except Exception as error:  # noqa: BLE001 - a thread serves the next request, whatever became of this
            self._broken(connection, error)
        return None

    def settled(self, opened: Open, outcome: Any) -> None:
        """Write an answer that has become known."""
        try:
            self._write(opened.connection, opened.response, opened.later.answer.tell(outcome))
        except Exception as error:  # noqa: BLE001 - as above
            self._broken(opened.connection, error)

    def _write(self, connection: Connection, response: Any, body: Iterable[bytes]) -> None:
        connection.begin_answer(response.response_length)
        try:
            for part in body:
                response.write(part)
            response.close()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        self.answered(connection, bool(response.should_close()))

    def _broken(self, connection: Connection, error: Exception) -> None:
        if not isinstance(error, OSError):  # a client that went away, or reads too slowly
            log.error("answer_failed", exc_info=error)
            if not connection.has_sent:
                connection.out[:] = written(FAULT)
        self.answered(connection, True)
