"""Limits how often one address may open and answer pages.

Counted per process and minute: tokens cannot be guessed (128 bits), so this only keeps one address from taking
everybody's threads. Many customers may share an address, so the limits are generous.
"""

import threading
from collections import Counter
from datetime import datetime

from service.network.addresses import neighbourhood

LOOKS, ANSWERS = 300, 60  # a minute
MOST_ADDRESSES = 20_000


class PerMinute:
    """Counts of the present minute."""

    def __init__(self, per_minute: int) -> None:
        self._most, self._lock, self._minute = per_minute, threading.Lock(), -1
        self._counts: Counter[str] = Counter()

    def allows(self, address: str | None, now: datetime) -> bool:
        """Count one more, and say whether it is within the bound."""
        minute, place = int(now.timestamp()) // 60, neighbourhood(address)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            if len(self._counts) >= MOST_ADDRESSES and place not in self._counts:
                return True
            self._counts[place] += 1
            return self._counts[place] <= self._most
