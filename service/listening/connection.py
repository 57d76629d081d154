"""One client: its socket, its stage, and the output waiting for it. Never blocks, except for a stream it sends.

The reading thread owns a connection until a request is complete; then the answering thread owns it until the answer is
on its way. What a client does not take at once waits here, with a deadline. Of a stream, whose end nobody knows, only
so much waits, and its thread waits for the client.
"""

import enum
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.listening.framing import Incoming

AT_ONCE = 64 * 1024
HELD_AT_MOST = 256 * 1024  # of a stream, before its thread waits for the client
WHOLE_AT_MOST = 8 * 1024 * 1024  # of a complete answer, which has to wait somewhere
STREAM_STALLS_S = 60.0


class Phase(enum.Enum):
    """Where a connection is, and for how many seconds it may be there; None: as long as it takes."""

    SILENT = ("nothing came yet", 10.0)
    HEAD = ("the head is coming", 10.0)
    BODY = ("the body is coming", 30.0)
    BUSY = ("the application has it", None)
    ANSWER = ("the answer is not read", 30.0)  # for every HELD_AT_MOST of it
    IDLE = ("kept for another request", 75.0)
    CLOSING = ("the last words are out", 2.0)

    def __init__(self, _about: str, seconds: float | None) -> None:
        self.seconds = seconds


WAITING = frozenset({Phase.SILENT, Phase.HEAD, Phase.BODY, Phase.IDLE})
ANSWERED = frozenset({Phase.ANSWER, Phase.CLOSING})


@dataclass(eq=False, slots=True)
class Connection:
    """A client that is connected."""

    sock: socket.socket
    peer: Any
    server: Any
    incoming: Incoming
    clock: Callable[[], float]
    stage: Phase = Phase.SILENT
    since: float = field(init=False)
    watched: int = 0  # the events of its socket that are waited for
    out: bytearray = field(default_factory=bytearray)
    has_sent: bool = False  # of the answer that is being written
    held_at_most: int = HELD_AT_MOST
    patience: float = 1.0
    close_after: bool = False

    def __post_init__(self) -> None:
        self.since = self.clock()

    def enter(self, stage: Phase) -> None:
        """Be in a stage from now on."""
        self.patience = max(1.0, len(self.out) / HELD_AT_MOST) if stage is Phase.ANSWER else 1.0
        self.since = self.clock()
        self.stage = stage

    def is_late(self, now: float) -> bool:
        """Whether its time in this stage is over."""
        return self.stage.seconds is not None and now - self.since > self.stage.seconds * self.patience

    @property
    def address(self) -> str:
        """Where the client is; unknown for one on a Unix socket."""
        return str(self.peer[0]) if self.peer else "here"

    @property
    def size(self) -> int:
        """How many bytes wait here, of an incomplete request or an unread answer."""
        return self.incoming.size + (len(self.out) if self.stage is Phase.ANSWER else 0)

    def begin_answer(self, length: int | None) -> None:
        """Start an answer; `length` None: a stream, whose end nobody knows."""
        self.held_at_most = HELD_AT_MOST if length is None else WHOLE_AT_MOST

    def receive(self) -> bytes | None:
        """Return what has come; empty if the client has closed, None if there is nothing yet."""
        try:
            return self.sock.recv(AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def sendall(self, data: bytes) -> None:
        """Take a part of an answer (the name is gunicorn's). Raises OSError if a stream's client reads too slowly."""
        self.out += data
        if len(self.out) > self.held_at_most:
            deadline = time.monotonic() + STREAM_STALLS_S
            while len(self.out) > AT_ONCE:
                self._wait_writable(deadline - time.monotonic())
                self.push()

    def push(self) -> bool:
        """Send what the client takes now; say whether that was all. Raises OSError if it has gone."""
        with suppress(BlockingIOError, InterruptedError):
            while self.out:
                del self.out[: self.sock.send(self.out)]
                self.has_sent = True
        return not self.out

    def _wait_writable(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        if seconds <= 0 or not poll.poll(seconds * 1000):
            raise TimeoutError("the client does not read its answer")

    def finish(self) -> None:
        """Close our side; what the client still sends is discarded for a moment."""
        self.enter(Phase.CLOSING)
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self.sock.close()
