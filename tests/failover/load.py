"""Clients that deliver ended conversations all the time; records what was accepted, and how long nothing was."""

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from tests.processes.deliveries import deliver
from tests.processes.site import Site

CLIENTS = 4
REST_S = 0.2  # after a refusal, as a CRM rests longer


@dataclass
class Load:
    """Deliver while the context lasts; `rest_s`: what each client waits after a delivery that was taken."""

    site: Site
    rest_s: float = 0.0
    taken: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    told_at: dict[str, datetime] = field(default_factory=dict)
    ends: list[float] = field(default_factory=list)
    slowest: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._deliver, args=(number,)) for number in range(CLIENTS)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    @property
    def longest_without(self) -> float:
        """The longest time in which no delivery was taken, in seconds."""
        ends = sorted(self.ends)
        return max((later - before for before, later in itertools.pairwise(ends)), default=0.0)

    def _deliver(self, client: int) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            name = f"f{client}-{number}"
            began = time.monotonic()
            told_at = datetime.now(UTC)
            status = deliver(self.site, name, told_at)
            ended = time.monotonic()
            with self._lock:
                self.answers[status] += 1
                self.slowest = max(self.slowest, ended - began)
                if status == 200:
                    self.taken.append(name)
                    self.told_at[name] = told_at
                    self.ends.append(ended)
            self._over.wait(self.rest_s if status == 200 else REST_S)
