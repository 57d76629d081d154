"""One trace a request, across processes: in, what was done for a request and when; out, spans for whoever listens.

Nobody listens until `listen` is called (service/otel.py does, where the settings name a collector), and then nothing is
made. Which trace a request has follows from its id, so no process has to hand anything to another. A span bears words
of ours, names from the settings and the request's id: never a person, a text, a score or an address.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

Fact = str | int | bool
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TracedSpan:
    """Something that was done, from when until when (nanoseconds since 1970). `calls`: what was asked of X for it."""

    name: str
    began: int
    ended: int
    facts: Mapping[str, Fact]
    calls: tuple["TracedSpan", ...] = ()
    failed: bool = False


Hear = Callable[[str, TracedSpan, bool], None]
"""Told of each span: the request's id, the span, and whether the request's trace begins with it."""


class TraceListener:
    """Who listens in this process."""

    def __init__(self) -> None:
        self.hear: Hear | None = None


LISTENER = TraceListener()
CALLS: ContextVar[list[TracedSpan] | None] = ContextVar("calls", default=None)


def listen(hear: Hear) -> None:
    """Tell `hear` of every span from now on."""
    LISTENER.hear = hear


def moment() -> int:
    """Return now, as `later` takes it."""
    return time.time_ns()


def first(request_id: str, name: str, began: datetime, facts: Mapping[str, Fact]) -> None:
    """The trace of a request begins: it began at that moment and is there now."""
    if LISTENER.hear is not None:
        LISTENER.hear(request_id, TracedSpan(name, int(began.timestamp() * NS), time.time_ns(), facts), True)


def later(request_id: str, name: str, began: int, facts: Mapping[str, Fact]) -> None:
    """Something more was done for the request, from `began` (see `moment`) until now."""
    if LISTENER.hear is not None:
        LISTENER.hear(request_id, TracedSpan(name, began, time.time_ns(), facts, tuple(CALLS.get() or ())), False)


def call(name: str, seconds: float, facts: Mapping[str, Fact], *, failed: bool) -> None:
    """A call to X has ended just now: it belongs to the step that made it."""
    calls = CALLS.get()
    if calls is not None:
        now = time.time_ns()
        calls.append(TracedSpan(name, now - int(seconds * NS), now, facts, (), failed))


@contextmanager
def step() -> Iterator[int]:
    """Keep the calls to X made in this block for the span that `later` tells of; gives the moment it began."""
    if LISTENER.hear is None:
        yield 0
        return
    before = CALLS.set([])
    try:
        yield time.time_ns()
    finally:
        CALLS.reset(before)
