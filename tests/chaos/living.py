"""While processes are killed: people are erased, words forgotten, more agents named.

Takes a plan, a fleet and an admin's key; returns whose conversations can no longer be compared with what their CRM
sent, and how much was done. Mirrors learn of it only through the API.
"""

import itertools
import random
import threading
import time
from collections import Counter

from tests.chaos.afterlife import erase, prune
from tests.chaos.fleet import Fleet
from tests.chaos.plan import Plan
from tests.processes.site import Site

FORGETFUL = {"privacy__keep_texts": "20s"}
CAREFUL = {"reports__min_score_n": 8, "reports__min_comments_n": 12}
OPEN = {"reports__min_score_n": 3, "reports__min_comments_n": 4}
EVERY_S = 10.0
ACTS = 8  # at least, however short the load
KNOWN_S = 3.0  # after the end of somebody's conversation; the request may be on its way still


class Life:
    """A thread that erases, prunes now and then, and lowers the thresholds once, half-way."""

    def __init__(self, plan: Plan, site: Site, fleet: Fleet, key: str) -> None:
        self._plan, self._site, self._fleet, self._key = plan, site, fleet, key
        self._dice = random.Random(plan.seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._people: set[int] = set()
        self.done: Counter[str] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(120)

    @property
    def erased(self) -> frozenset[str]:
        """The conversations of everybody who was erased."""
        return frozenset(each.id for each in self._plan.conversations if each.customer in self._people)

    def _live(self) -> None:
        began = time.monotonic()
        for number in itertools.count():
            if self._over.wait(min(EVERY_S, self._plan.seconds / ACTS)):
                return
            passed = time.monotonic() - began
            if passed > self._plan.seconds / 2 and not self.done["thresholds lowered"]:
                self._lower()
            elif number % 6 == 5:
                self.done["pruned" if prune(self._site) else "not pruned"] += 1
            else:
                self._erase(passed)

    def _lower(self) -> None:
        """Lower the thresholds: all processes restart with other settings."""
        self._site.changes |= OPEN
        self._site.write()
        self._fleet.kill([self._fleet.web, *self._fleet.workers])
        self.done["thresholds lowered"] += 1

    def _erase(self, passed: float) -> None:
        known = {each.customer for each in self._plan.conversations if each.at_s + KNOWN_S < passed}
        if people := sorted(known - self._people):
            person = self._dice.choice(people)
            self._people.add(person)
            erase(self._fleet.url, person, self._key)
            self.done["erased under load"] += 1
