"""When to try again, from the number of failed attempts. Pure.

After the first failure 5 s, then 15 s, 1 min, 5 min, 15 min, 30 min, 2 h, and 6 h from then on; each varied by up to a
fifth, so that rows that failed together do not return together. The default of twelve attempts spans more than a day:
for that long another tool's card to the same customer may block ours.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

SCHEDULE = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 1800, 7200, 21600))
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long after the conversation's end, a request is tried."""

    max_attempts: int
    give_up_after: timedelta

    def over_at(self, since: datetime, stale_at: datetime | None) -> datetime:
        """Return when its time is over, which is later if a person has resumed it."""
        return max(since + self.give_up_after, stale_at or since)


def wait(failed: int, seed: str) -> timedelta:
    """Return how long to wait after the `failed`-th failure (1 or more). The same seed gives the same wait."""
    base = SCHEDULE[min(failed, len(SCHEDULE)) - 1]
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{failed}".encode()).digest()[:4]) / 2**32
    return base * (1 + JITTER * (2 * lot - 1))
