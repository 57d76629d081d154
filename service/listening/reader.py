"""One thread reads all connections of a process and hands on complete requests. Never waits for a client.

A client that sends nothing, half a request, or a byte a second costs a list entry and a deadline, but no thread. If all
places are taken, the client that has kept us waiting longest is dropped.
"""

import os
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request

from service.listening.connection import ANSWERED, WAITING, Connection, Phase
from service.listening.framing import Incoming
from service.listening.refusals import SLOW, UNREADABLE, Refusal, refusal_of, written

SWEEP_EVERY_S = 0.5
REST_S = 0.001
MODEST = 8  # connections that are taken without a look at the other processes
HELD_AT_MOST = 64 * 1024 * 1024  # of requests that are not whole yet, and of answers that nobody reads
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
log = structlog.get_logger(__name__)


class Connections:
    """The connections of one process. Everything but `answered` is for its own thread."""

    def __init__(
        self,
        cfg: Any,
        dispatch: Callable[[Connection, Request], None],
        *,
        places: int,
        body_at_most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cfg, self._dispatch, self._places, self._body_at_most = cfg, dispatch, places, body_at_most
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._swept = clock()
        self._resting: list[Any] = []
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wakes, self._waker = os.pipe()
        for each in (self._wakes, self._waker):
            os.set_blocking(each, False)
        self._selector.register(self._wakes, READ, self._woken)

    def listen(self, sockets: Iterable[Any]) -> None:
        """Accept from these."""
        for each in sockets:
            each.setblocking(False)
            self._selector.register(each, READ, partial(self._accept, each))

    def wake_by(self, fd: int) -> None:
        """Return from a turn when something is written to this (gunicorn's own pipe, on a signal)."""
        self._selector.register(fd, READ, partial(_drain, fd))

    def deafen(self, sockets: Iterable[Any]) -> None:
        """Accept no more."""
        for each in sockets:
            if each not in self._resting:
                self._selector.unregister(each)
        self._resting = []

    def turn(self, seconds: float) -> None:
        """Do what there is to do, waiting for it at most `seconds`."""
        resting, self._resting = self._resting, []
        for key, events in self._selector.select(min(seconds, REST_S) if resting else seconds):
            if isinstance(key.data, Connection):
                self._ready(key.data, events)
            else:
                key.data()
        self.listen(resting)
        now = self._clock()
        if now - self._swept > SWEEP_EVERY_S:
            self._swept = now
            self._sweep(now)

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return sum(each.stage not in WAITING for each in self._connections)

    def close_waiting(self) -> None:
        """Close everybody who has no request with us."""
        for each in [each for each in self._connections if each.stage in WAITING]:
            self._drop(each)

    def close(self) -> None:
        """Close everybody, and listen to nobody any more."""
        for each in list(self._connections):
            self._drop(each)
        self._selector.close()
        for pipe_end in (self._wakes, self._waker):
            os.close(pipe_end)

    def answered(self, connection: Connection, close: bool) -> None:  # noqa: FBT001 - a fact about the answer
        """Take back a connection whose answer is written. From any thread; at once if nothing else is to do."""
        connection.close_after = close
        try:
            all_sent = connection.push()
        except OSError:
            return self._call(partial(self._drop, connection))
        if not all_sent or close or connection.incoming.has_begun:
            return self._call(partial(self._go_on, connection))
        connection.enter(Phase.IDLE)
        # the client may have sent something since the answer, when nobody was listening
        return self._call(partial(self._watch, connection, READ)) if not connection.watched else None

    # -- what happens to a connection

    def _accept(self, listener: Any) -> None:
        try:
            sock, peer = listener.accept()
        except OSError:  # another process was faster, or it has gone again
            return
        if len(self._connections) >= self._places and not self._make_room():
            sock.close()  # everybody here is being answered; one more would take a file descriptor from them
            return
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming = Incoming(self._cfg, peer, self._body_at_most)
        connection = Connection(sock, peer, listener.getsockname(), incoming, self._clock)
        self._connections.add(connection)
        self._watch(connection, READ)
        if len(self._connections) > MODEST:
            # another process may hold fewer, and would not be as fast
            self._selector.unregister(listener)
            self._resting.append(listener)

    def _ready(self, connection: Connection, events: int) -> None:
        if events & WRITE:
            try:
                if connection.push():
                    self._go_on(connection)
            except OSError:
                self._drop(connection)
        elif connection.stage is Phase.BUSY:
            self._watch(connection, 0)
            self._listen_again(connection)
        else:
            self._read(connection)

    def _listen_again(self, connection: Connection) -> None:
        """Listen again, unless a thread that saw us still listening has put the connection to use meanwhile."""
        if connection.stage is Phase.IDLE:
            self._watch(connection, READ)

    def _read(self, connection: Connection) -> None:
        data = connection.receive()
        if data is None or (data and connection.stage is Phase.CLOSING):
            return
        if not data:
            self._drop(connection)
            return
        connection.incoming.feed(data)
        self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        """See whether a request is whole by now."""
        incoming = connection.incoming
        try:
            request = incoming.take()
        except ParseException as error:
            return self._refuse(connection, refusal_of(error))
        except (OSError, StopIteration):
            return self._refuse(connection, UNREADABLE)
        if request is not None:
            connection.enter(Phase.BUSY)
            connection.has_sent = False
            return self._dispatch(connection, request)
        if incoming.wants_leave_to_go_on():
            connection.out += b"HTTP/1.1 100 Continue\r\n\r\n"
            with suppress(OSError):
                connection.push()
        stage = Phase.BODY if incoming.has_head else Phase.HEAD if incoming.has_begun else connection.stage
        if stage is not connection.stage:  # else its time runs on
            connection.enter(stage)
        return None

    def _go_on(self, connection: Connection) -> None:
        """After an answer: send the rest, or close, or see whether the next request is already here."""
        if connection not in self._connections:
            return
        if connection.out:
            connection.enter(Phase.ANSWER)
            self._watch(connection, WRITE)
        elif connection.close_after:
            connection.finish()
            self._watch(connection, READ)
        else:
            connection.enter(Phase.IDLE)
            self._watch(connection, READ)
            self._advance(connection)

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        log.warning("http.refused", status=refusal[0], code=refusal[2], address=connection.address)
        connection.enter(Phase.BUSY)
        connection.out += written(refusal)
        self.answered(connection, True)

    def _sweep(self, now: float) -> None:
        for each in [each for each in self._connections if each.is_late(now)]:
            if each.stage in {Phase.HEAD, Phase.BODY}:
                self._refuse(each, SLOW)
            else:
                self._drop(each)
        while sum(each.size for each in self._connections) > HELD_AT_MOST:
            self._drop(max(self._connections, key=lambda each: each.size))

    def _make_room(self) -> bool:
        """Drop whoever has kept us waiting longest; False if nobody does."""
        waiting = [each for each in self._connections if each.stage in WAITING]
        # one with an answer under way only if all others have one too
        waiting = waiting or [each for each in self._connections if each.stage in ANSWERED]
        if waiting:
            self._drop(min(waiting, key=lambda each: each.since))
        return bool(waiting)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._watch(connection, 0)
            connection.close()

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched or (events and connection not in self._connections):
            return
        if not connection.watched:
            self._selector.register(connection.sock, events, connection)
        elif events:
            self._selector.modify(connection.sock, events, connection)
        else:
            self._selector.unregister(connection.sock)
        connection.watched = events

    # -- other threads

    def _call(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        with suppress(BlockingIOError):  # full: the thread is awake
            os.write(self._waker, b"\0")

    def _woken(self) -> None:
        _drain(self._wakes)
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                return
            call()


def _drain(fd: int) -> None:
    with suppress(BlockingIOError):
        os.read(fd, 4096)
