"""One trace per request, across processes: records what was done for a request and hands it on as spans.

Nothing is recorded until `listen` is called (metrics/otel.py does, if the settings name a collector). A request's trace
id follows from its own id, so processes need not pass anything to each other. Spans hold words of ours, names from the
settings and the request's id: never a person, a text, a score or an address.
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
    """Something that was done, from when to when (nanoseconds since 1970). `calls`: its calls to X."""

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
    """Begin the trace of a request with a span from that moment until now."""
    if LISTENER.hear is not None:
        LISTENER.hear(request_id, TracedSpan(name, int(began.timestamp() * NS), time.time_ns(), facts), True)


def later(request_id: str, name: str, began: int, facts: Mapping[str, Fact]) -> None:
    """Add a span to the request's trace, from `began` (see `moment`) until now."""
    if LISTENER.hear is not None:
        LISTENER.hear(request_id, TracedSpan(name, began, time.time_ns(), facts, tuple(CALLS.get() or ())), False)


def call(name: str, seconds: float, facts: Mapping[str, Fact], *, failed: bool) -> None:
    """Record a call to X that has just ended, as part of the step that made it."""
    calls = CALLS.get()
    if calls is not None:
        now = time.time_ns()
        calls.append(TracedSpan(name, now - int(seconds * NS), now, facts, (), failed))


@contextmanager
def step() -> Iterator[int]:
    """Collect the calls to X made in this block for the span that `later` adds; yields the moment it began."""
    if LISTENER.hear is None:
        yield 0
        return
    before = CALLS.set([])
    try:
        yield time.time_ns()
    finally:
        CALLS.reset(before)
