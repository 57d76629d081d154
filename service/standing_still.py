"""A server whose process stands still: in, an engine and seconds; out, a line to it that says nothing longer is cut.

Its machine goes on saying that it listens, so neither a timeout of the system nor one of the server itself ends the
wait. For lines that somebody else can stand in for; who waits learns of it as of any that broke.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

TIMER = "dm_feedback_timer"


def watch(engine: Engine, seconds: float) -> None:
    """Cut each line that is taken from the pool, unless it is given back or given more time within `seconds`."""
    event.listen(engine, "checkout", lambda raw, record, _: _set(raw, record.info, seconds))
    event.listen(engine, "checkin", lambda _, record: _stop(record.info))


def give(connection: Connection, seconds: float) -> None:
    """Let what is asked next take so long."""
    _set(connection.connection.driver_connection, connection.connection.info, seconds)


def _set(raw: Any, info: dict[str, Any], seconds: float) -> None:
    _stop(info)
    timer = info[TIMER] = threading.Timer(seconds, _cut, [raw])
    timer.daemon = True
    timer.start()


def _stop(info: dict[str, Any]) -> None:
    if (timer := info.pop(TIMER, None)) is not None:
        timer.cancel()


def _cut(raw: Any) -> None:
    """Shut the line down from here: whoever reads from it is told that it has ended."""
    with suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as line:  # it may have been closed by now
        line.shutdown(socket.SHUT_RDWR)
