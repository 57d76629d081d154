"""Slots for reading: a response is made in one of a few slots, or refused with 503. Knows flask.

Figures, searches and exports may take long, and deliveries must not wait for them. So at most half of a process's
threads read at once, some more wait briefly, and one is always left for intake. An export holds its slot until its last
byte is read, because a slow client holds a thread; so exports never take all of them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import flask

from service.db.deadline import at_most
from service.errors import TooMany, Unavailable

NAME = "dm_feedback_slots"
WAIT_S = 5.0
LONGEST_S = 10.0  # for the database to work on one answer
AGAIN_S = 10
View = Callable[..., Any]


class Slots:
    """The slots of one process with `threads` threads."""

    def __init__(self, threads: int) -> None:
        at_once = max(1, threads // 2)
        self.exports = max(1, at_once - 1)
        self._inside = threading.BoundedSemaphore(max(1, threads - 1))  # reading or waiting
        self._reading = threading.BoundedSemaphore(at_once)
        self._exporting = threading.BoundedSemaphore(self.exports)

    def reading(self) -> ExitStack:
        """Take a slot until the end of a block. Raises Unavailable if none is free in time."""
        with ExitStack() as held:
            if not self._inside.acquire(blocking=False):
                raise _busy()
            held.callback(self._inside.release)
            if not self._reading.acquire(timeout=WAIT_S):
                raise _busy()
            held.callback(self._reading.release)
            return held.pop_all()

    def export(self, made: Callable[[], flask.Response]) -> flask.Response:
        """Return what `made` makes; the slot is freed with its last byte or when the client leaves. Raises TooMany."""
        with ExitStack() as held:
            self._demand_export()
            held.callback(self._exporting.release)
            held.enter_context(self.reading())
            response = made()
            if not response.is_streamed:
                return response
            free = _Returned(held.pop_all().close)
        response.response = _then(response.response, free)
        response.call_on_close(free)
        return response

    def _demand_export(self) -> None:
        if not self._exporting.acquire(blocking=False):
            raise TooMany(
                "exports_busy",
                f"The limit of {self.exports} exports at once is reached; try again in {AGAIN_S} s.",
                headers={"Retry-After": str(AGAIN_S)},
            )


def register_slots(app: flask.Flask, threads: int) -> None:
    """Make the slots of this process."""
    app.extensions[NAME] = Slots(threads)


def in_a_slot(made: Callable[[], flask.Response]) -> flask.Response:
    """Return the export that `made` makes, in a slot of this process. Raises TooMany or Unavailable."""
    return _slots().export(made)


@contextmanager
def a_slot() -> Iterator[None]:
    """Read in a slot of this process, with limited database time. Raises Unavailable if none is free."""
    with _slots().reading(), at_most(LONGEST_S):
        yield


def reads(view: View) -> View:
    """Let an authenticated view run entirely in a slot."""

    @wraps(view)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        with a_slot():
            return view(*args, **kwargs)

    return bounded


def reads_in_turns(view: View) -> View:
    """Let a view take `a_slot` itself each time it reads, so that others can read while it waits."""
    return view


def _slots() -> Slots:
    found: Slots = flask.current_app.extensions[NAME]
    return found


def _busy() -> Unavailable:
    return Unavailable(
        "reading_busy",
        f"Too many large reads are running; try again in {AGAIN_S} s.",
        headers={"Retry-After": str(AGAIN_S)},
    )


class _Returned:
    """Gives the slot back once, whoever asks for it first."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release, self._lock = release, threading.Lock()

    def __call__(self) -> None:
        """Give it back."""
        if self._lock.acquire(blocking=False):
            self._release()


def _then(pieces: Iterable[Any], free: Callable[[], None]) -> Iterator[Any]:
    try:
        yield from pieces
    finally:
        free()
