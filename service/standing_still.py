"""A server whose process stands still: in, an engine and seconds; out, a line to it that says nothing longer is cut.

Its machine goes on saying that it listens, so neither a timeout of the system nor one of the server itself ends the
wait. Who waits learns of it as of any line that broke. One thread looks after all lines of a process, as a timer for
each statement would cost more than most of them take. What is fetched bit by bit is watched in its first bit alone.
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
SILENT_S = "dm_feedback_silent_s"


class _WaitingLines:
    """Lines that wait for an answer, and until when they may."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know no line, and have no thread, as a child that was forked."""
        self._until: dict[Any, float] = {}
        self._thread: threading.Thread | None = None

    def expect(self, line: Any, within_s: float) -> None:
        """Let a line wait so long."""
        self._until[line] = time.monotonic() + within_s
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="standing-still", daemon=True)
            self._thread.start()

    def answered(self, line: Any) -> None:
        """A line that has its answer waits for nothing."""
        self._until.pop(line, None)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            for line, until in self._until.copy().items():
                if until < now and self._until.pop(line, None) is not None:
                    _cut(line)


LINES = _WaitingLines()
os.register_at_fork(after_in_child=LINES.begin_anew)


def watch(engine: Engine, seconds: float) -> None:
    """Cut each line of an engine on which the server leaves a statement, or a commit, unanswered for so long.

    One that is executed for many rows may take a second more for each of them.
    """

    def ask(connection: Connection, _cursor: Any, _text: str, given: Any, *_: Any) -> None:
        expect(connection, len(given) if isinstance(given, list) else 0)

    def expect(connection: Connection, more_s: float = 0) -> None:
        within_s = connection.get_execution_options().get(SILENT_S, seconds)
        if within_s is not None and not connection.invalidated:
            LINES.expect(connection.connection.dbapi_connection, within_s + more_s)

    event.listen(engine, "before_cursor_execute", ask)
    event.listen(engine, "after_cursor_execute", lambda each, *_: LINES.answered(each.connection.dbapi_connection))
    event.listen(engine, "commit", expect)
    event.listen(engine, "rollback", expect)
    event.listen(engine, "checkin", lambda line, _: LINES.answered(line))


def give(connection: Connection, seconds: float | None) -> None:
    """Let what is asked next on this line take so long; None: as long as it takes."""
    connection.execution_options(**{SILENT_S: seconds})


def _cut(line: Any) -> None:
    """Shut it down from here: whoever reads from it is told that it has ended."""
    with suppress(Exception), socket.socket(fileno=os.dup(line.fileno())) as raw:  # it may have been closed by now
        raw.shutdown(socket.SHUT_RDWR)
