"""Kills what the plan says, when it says so, and records what it did and when. Decides nothing."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.fleet import Fleet
from tests.chaos.plan import Plan, Strike
from tests.chaos.recovery import Recovery
from tests.chaos.weather import CREATE, NEW
from tests.processes.databases import Database
from tests.processes.x import X

ANSWER_HELD_S = 1.5
LURK_S = 4.0


class Monkey:
    """Executes the plan. `kills` counts processes that were alive and are dead."""

    def __init__(self, plan: Plan, fleet: Fleet, x: X, database: Database, recovery: Recovery) -> None:
        self._plan, self._fleet, self._x, self._database, self._recovery = plan, fleet, x, database, recovery
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._aside: list[threading.Thread] = []
        self.kills: Counter[str] = Counter()
        self.pauses = self.outages = 0
        self.last = ""

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive() and not any(each.is_alive() for each in self._aside)

    def _work(self) -> None:
        began = time.time()
        for strike in self._plan.strikes:
            time.sleep(max(0.0, began + strike.at_s - time.time()))
            self.last = strike.kind
            self._strike(strike)

    def _strike(self, strike: Strike) -> None:
        if strike.kind == "pause":
            self._beside(lambda: self._pause(4 + 4 * strike.dice))
        elif strike.kind == "database away":
            self._beside(lambda: self._take_database(1 + 6 * strike.dice))
        else:
            self._kill(strike)

    def _kill(self, strike: Strike) -> None:
        if strike.kind == "after the call":
            self._lurk(strike)
        killed = self._blow(strike)
        if killed:
            self.kills[strike.kind] += killed
            self._recovery.begin(strike.kind, web=strike.kind.startswith("web"))

    def _blow(self, strike: Strike) -> int:
        fleet = self._fleet
        match strike.kind:
            case "web":
                return fleet.kill([fleet.web])
            case "web child" | "web parent":
                return fleet.kill_web_process(parent=strike.kind == "web parent")
            case "web and worker":
                return fleet.kill([fleet.web, *fleet.some(1)])
            case _:
                return fleet.kill(fleet.some(strike.processes))

    def _lurk(self, strike: Strike) -> None:
        """Wait until X has stored a message and has not answered yet: the worker dies between call and record."""
        held = {"fault": "slow", "seconds": ANSWER_HELD_S, "times": 2 * len(self._fleet.workers)}
        rules = self._x.faults({"endpoint": NEW, **held}, {"endpoint": CREATE, **held})
        end = time.monotonic() + LURK_S
        while time.monotonic() < end and not any(self._x.hits(each) for each in rules):
            time.sleep(0.02)
        time.sleep(0.3 * strike.dice)
        for each in rules:
            self._x.forget_fault(each)

    def _pause(self, seconds: float) -> None:
        self.pauses += 1
        self._fleet.pause(self._fleet.some(1)[0], seconds)

    def _take_database(self, seconds: float) -> None:
        self.outages += 1
        self._database.away(seconds)
        self._recovery.begin("database away", web=True)

    def _beside(self, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        self._aside.append(thread)
