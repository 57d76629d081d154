"""Cuts connections to PostgreSQL that have waited too long for an answer.

A server process can hang (SIGSTOP, a stuck disk) while its machine still acknowledges packets; then neither the
system's timeouts nor the server's own end the wait. The waiting caller sees a broken connection. One thread watches all
connections of a process, because a timer per statement would cost more than most statements take. Of a streamed result
only the first part is watched.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

LOOK_EVERY_S = 0.5
OPTION = "dm_feedback_silent_s"


class WaitingConnections:
    """The driver's connections that are waiting for an answer, with their deadlines."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start empty and without a thread, as a forked child must."""
        self._until: dict[Any, float] = {}
        self._thread: threading.Thread | None = None

    def expect(self, raw: Any, within_s: float) -> None:
        """Let a connection wait so long."""
        self._until[raw] = time.monotonic() + within_s
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()

    def answered(self, raw: Any) -> None:
        """Stop watching a connection that has its answer."""
        self._until.pop(raw, None)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            for raw, until in self._until.copy().items():
                if until < now and self._until.pop(raw, None) is not None:
                    _shut_down(raw)


WAITING = WaitingConnections()
os.register_at_fork(after_in_child=WAITING.begin_anew)


def watch(engine: Engine, seconds: float) -> None:
    """Shut down connections of an engine on which a statement or commit stays unanswered for so long.

    A statement executed for many rows may take a second more for each of them.
    """

    def ask(connection: Connection, _cursor: Any, _text: str, given: Any, *_: Any) -> None:
        expect(connection, len(given) if isinstance(given, list) else 0)

    def expect(connection: Connection, more_s: float = 0) -> None:
        within_s = connection.get_execution_options().get(OPTION, seconds)
        if within_s is not None and not connection.invalidated:
            WAITING.expect(connection.connection.dbapi_connection, within_s + more_s)

    event.listen(engine, "before_cursor_execute", ask)
    event.listen(engine, "after_cursor_execute", lambda each, *_: WAITING.answered(each.connection.dbapi_connection))
    event.listen(engine, "commit", expect)
    event.listen(engine, "rollback", expect)
    event.listen(engine, "checkin", lambda raw, _: WAITING.answered(raw))


@contextmanager
def watched(raw: Any, seconds: float) -> Iterator[None]:
    """Shut a connection of the driver down if what is asked of it meanwhile stays unanswered for so long."""
    WAITING.expect(raw, seconds)
    try:
        yield
    finally:
        WAITING.answered(raw)


def allow(connection: Connection, seconds: float | None) -> None:
    """Set the time limit for the next statements on this connection; None: no limit."""
    connection.execution_options(**{OPTION: seconds})


def _shut_down(raw: Any) -> None:
    """Shut it down from our side, so that whoever reads from it sees its end."""
    with suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as its_socket:  # it may be closed by now
        its_socket.shutdown(socket.SHUT_RDWR)
