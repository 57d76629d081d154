"""Counters of this process. In memory only; `metrics/totals.py` adds up those of all processes.

Every counter is declared in the table below. Labels are words of ours and names from the settings: never a customer,
a text or an address.
"""

import os
import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_A_CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OF_PEOPLE = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 28 * DAY)

Key = tuple[str, tuple[str, ...]]
"""A figure's name and the values of its labels."""

Numbers = tuple[float, ...]
"""One number; or, of a figure with buckets, how many fell into each, how many beyond all, and the sum of all."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Something that is counted. With `buckets` (upper bounds in seconds) it is a duration."""

    name: str
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers it has."""
        return len(self.buckets) + 2 if self.buckets else 1


METERS: Mapping[str, Meter] = {
    each.name: each
    for each in (
        Meter("deliveries", "Items in deliveries, by source and outcome.", ("source", "outcome")),
        Meter("requests_ended", "Requests that ended, by account and outcome.", ("account", "state", "reason")),
        Meter("results", "First answers to requests, by the channel that delivered them.", ("account", "channel")),
        Meter("x_calls", "Calls to X, by endpoint and X's response.", ("method", "endpoint", "status")),
        Meter("x_call_seconds", "Duration of calls to X, by endpoint.", ("method", "endpoint"), OF_A_CALL),
        Meter("http_requests", "HTTP requests answered, by route and status.", ("method", "route", "status")),
        Meter("http_request_seconds", "Time to answer an HTTP request, by route.", ("method", "route"), OF_A_CALL),
        Meter(
            "replica_reads",
            "Reads of figures and files, by the replica's outcome: 'read', or why it was not used.",
            ("outcome",),
        ),
        Meter("unreadable_values", "Encrypted values that could not be decrypted when read, by column.", ("column",)),
        Meter("end_to_card_seconds", "Time from the end of a conversation to its card.", ("account",), OF_PEOPLE),
        Meter("card_to_answer_seconds", "Time from the card to its first answer.", ("account", "channel"), OF_PEOPLE),
    )
}


class ProcessCounts:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._numbers: dict[Key, list[float]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Count something that happened."""
        with self._lock:
            self._row(name, labels)[0] += by

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Count a duration; a negative one, from a clock that was set back, counts as 0."""
        lasted = max(seconds, 0.0)
        with self._lock:
            row = self._row(name, labels)
            row[bisect_left(METERS[name].buckets, lasted)] += 1
            row[-1] += lasted

    def so_far(self) -> dict[Key, Numbers]:
        """Return every number."""
        with self._lock:
            return {key: tuple(row) for key, row in self._numbers.items()}

    def take_off(self, numbers: Mapping[Key, Numbers]) -> None:
        """Subtract what somebody else has taken over."""
        with self._lock:
            for key, taken in numbers.items():
                row = self._row(*key)
                row[:] = [had - gone for had, gone in zip(row, taken, strict=True)]

    def begin_anew(self) -> None:
        """Start at zero: a forked child has done nothing of what its parent did."""
        self._lock = threading.Lock()
        self._numbers = {}

    def _row(self, name: str, labels: tuple[str, ...]) -> list[float]:
        return self._numbers.setdefault((name, labels), [0.0] * METERS[name].width)


PROCESS_COUNTS = ProcessCounts()
os.register_at_fork(after_in_child=PROCESS_COUNTS.begin_anew)
