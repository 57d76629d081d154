"""Downloads at once: in, what makes a response of rows; out, that response in one of a few slots, or 429. Knows flask.

A slow client holds a thread as long as it reads, so API and dashboard share the slots of one process.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask

from service.errors import TooMany

AT_ONCE = 2  # of one process
WAIT_S = 10
NAME = "dm_feedback_export_slots"


def in_a_slot(made: Callable[[], flask.Response]) -> flask.Response:
    """Return what `made` makes; the slot is free when its last byte is read or the client goes away. Raises TooMany."""
    slots: threading.BoundedSemaphore = flask.current_app.extensions.setdefault(
        NAME, threading.BoundedSemaphore(AT_ONCE)
    )
    if not slots.acquire(blocking=False):
        raise TooMany(
            "exports_busy",
            f"{AT_ONCE} exports are running; try again in {WAIT_S} s.",
            headers={"Retry-After": str(WAIT_S)},
        )
    free = _Once(slots.release)
    try:
        response = made()
    except BaseException:
        free()
        raise
    if response.is_streamed:
        response.response = _then(response.response, free)
    response.call_on_close(free)
    return response


class _Once:
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
