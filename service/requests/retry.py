"""When to try again, from the number of failed attempts. Pure.

After the first failure 5 s, then 15 s, 1 min, 5 min, 15 min, 30 min, 2 h, and 6 h from then on; each varied by up to a
fifth, so that rows that failed together do not return together. The default of twelve attempts spans more than a day:
for that long another tool's card to the same customer may block ours.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.requests.request import Request
from service.states import OPENED_STATES

SCHEDULE = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 1800, 7200, 21600))
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long after the conversation's end or its opening, a request is tried."""

    max_attempts: int
    give_up_after: timedelta

    def over_at(self, request: Request) -> datetime:
        """Return when its time is over: counted anew from its opening, and later if a person has resumed it."""
        opened_at = request.dm_sent_at if request.state in OPENED_STATES else None
        since = opened_at or request.ended_at
        return max(since + self.give_up_after, request.stale_at or since)


def wait(failed: int, seed: str) -> timedelta:
    """Return how long to wait after the `failed`-th failure (1 or more). The same seed gives the same wait."""
    base = SCHEDULE[min(failed, len(SCHEDULE)) - 1]
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{failed}".encode()).digest()[:4]) / 2**32
    return base * (1 + JITTER * (2 * lot - 1))
