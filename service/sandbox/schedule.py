"""What happens later on the sandbox's clock: callables with a due time, called in order under the lock.

`settle` runs at the start of every request; `Ticker` runs it while nobody asks. Nothing here sleeps under the lock.
"""

import heapq
import threading
from collections.abc import Callable

from service.sandbox.state import World

#: A wall clock may be set meanwhile, and a wait of centuries overflows.
LONGEST_PAUSE_S = 60.0


def at(world: World, due_ms: int, action: Callable[[int], None]) -> None:
    """Plan `action(due_ms)`; call it under the lock."""
    heapq.heappush(world.agenda, (due_ms, world.next_number(), action))
    if world.agenda[0][0] == due_ms:
        world.changed.notify_all()


def settle(world: World) -> int:
    """Do everything that is due and give the time it is now, in ms."""
    with world.lock:
        now_ms = world.clock.now_ms()
        while world.agenda and world.agenda[0][0] <= now_ms:
            due_ms, _, action = heapq.heappop(world.agenda)
            action(due_ms)
        return now_ms


class Ticker:
    """A thread that settles in time when no request does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sandbox-clock", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        with self._world.lock:
            self._stopped = True
            self._world.changed.notify_all()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with self._world.lock:
            while not self._stopped:
                settle(self._world)
                self._world.changed.wait(self._pause_s())

    def _pause_s(self) -> float | None:
        if not self._world.agenda:
            return None
        pause_s = self._world.clock.real_seconds_until(self._world.agenda[0][0])
        return None if pause_s is None else min(pause_s, LONGEST_PAUSE_S)
