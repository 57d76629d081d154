"""The sandbox's own time: start + elapsed * speed + what was advanced. Milliseconds everywhere, never backwards.

OAuth timestamps are judged by `wall_s` instead, because clients sign with the real time. Also makes snowflake ids,
whose upper bits are such a time.
"""

import itertools
import time
from collections.abc import Callable

TWITTER_EPOCH_MS = 1_288_834_974_657
_SEQUENCE = 1 << 22
DAY_MS = 86_400_000


class Clock:
    """The time of one sandbox; not locked by itself."""

    def __init__(self, start_s: float | None, speed: float, wall: Callable[[], float] = time.time) -> None:
        self.wall_s = wall
        self.speed = speed
        self._base_wall = wall()
        self._base_ms = (self._base_wall if start_s is None else start_s) * 1000.0

    def now_ms(self) -> int:
        """Now on the sandbox clock, epoch milliseconds."""
        return int(self._base_ms + max(0.0, self.wall_s() - self._base_wall) * self.speed * 1000.0)

    def advance(self, seconds: float) -> None:
        """Jump forward."""
        if seconds < 0:
            raise ValueError("The sandbox clock never goes backwards.")
        self._base_ms += seconds * 1000.0

    def set_speed(self, speed: float) -> None:
        """Go faster or slower from here on; 0 stands still."""
        if speed < 0:
            raise ValueError("The speed must not be negative.")
        self._base_ms, self._base_wall = float(self.now_ms()), self.wall_s()
        self.speed = speed

    def real_seconds_until(self, due_ms: int) -> float | None:
        """How long to really wait for a sandbox time; None when the clock stands still."""
        left = max(0, due_ms - self.now_ms()) / 1000.0
        if left == 0.0:
            return 0.0
        return left / self.speed if self.speed else None


class Snowflakes:
    """Ids that grow, are unique, and carry their time: (id >> 22) + 1288834974657 is the millisecond."""

    def __init__(self) -> None:
        self._next = itertools.count()

    def mint(self, at_ms: int) -> int:
        """A new id for something that happened at `at_ms`."""
        return ((at_ms - TWITTER_EPOCH_MS) << 22) | (next(self._next) % _SEQUENCE)
