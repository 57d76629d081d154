"""A watchdog over connections to PostgreSQL: in, an engine and seconds; out, none that waits for an answer any longer.

The process of a server may stop (SIGSTOP, a disk that hangs) while its machine goes on acknowledging packets: neither a
timeout of the system nor one of the server itself ends the wait then. Whoever waits sees a broken connection. One
thread watches all connections of a process, as a timer for each statement would cost more than most of them take. What
is fetched bit by bit is watched in its first bit alone.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

LOOK_EVERY_S = 0.5
OPTION = "dm_feedback_silent_s"


class WaitingConnections:
    """The driver's connections that wait for an answer, and until when they may."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know no connection, and have no thread, as a child that was forked."""
        self._until: dict[Any, float] = {}
        self._thread: threading.Thread | None = None

    def expect(self, raw: Any, within_s: float) -> None:
        """Let a connection wait so long."""
        self._until[raw] = time.monotonic() + within_s
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()

    def answered(self, raw: Any) -> None:
        """A connection that has its answer waits for nothing."""
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
    """Shut down each connection of an engine on which the server leaves a statement or a commit unanswered so long.

    One that is executed for many rows may take a second more for each of them.
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


def allow(connection: Connection, seconds: float | None) -> None:
    """Let what is asked next on this connection take so long; None: as long as it takes."""
    connection.execution_options(**{OPTION: seconds})


def _shut_down(raw: Any) -> None:
    """Shut it down from here: whoever reads from it is told that it has ended."""
    with suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as its_socket:  # it may be closed by now
        its_socket.shutdown(socket.SHUT_RDWR)
