"""X's faults: other ones every few seconds, until told to stop."""

import itertools
import random
import threading
from typing import Any

from tests.processes.x import X

NEW, CREATE, LIST, SHOW = "direct_messages/events/new", "feedback/create", "direct_messages/events/list", "users/show"
EVERY_S = 4.0
Rule = dict[str, Any]

WEATHERS: dict[str, list[Rule]] = {
    "calm": [],
    "connections drop after the commit": [{"endpoint": NEW, "fault": "drop_after_commit", "times": 3},
                                          {"endpoint": CREATE, "fault": "drop_after_commit", "times": 3}],
    "connections drop before the commit": [{"endpoint": NEW, "fault": "drop_before", "times": 2},
                                           {"endpoint": CREATE, "fault": "drop_before", "how": "close", "times": 2}],
    "500 and 503 after the commit": [
        {"endpoint": NEW, "fault": "status_after_commit", "status": 500, "code": 131, "times": 2},
        {"endpoint": CREATE, "fault": "status_after_commit", "status": 503, "code": 130, "times": 2},
        {"endpoint": CREATE, "fault": "status_after_commit", "status": 500, "code": 131, "times": 1}],
    "503 before the commit": [{"endpoint": NEW, "fault": "status", "times": 2},
                              {"endpoint": CREATE, "fault": "html", "times": 1},
                              {"endpoint": SHOW, "fault": "status", "times": 2}],
    "429 with headers": [{"endpoint": NEW, "fault": "429", "reset_in_s": 2, "times": 1},
                         {"endpoint": SHOW, "fault": "429", "reset_in_s": 1, "times": 1},
                         {"endpoint": LIST, "fault": "429", "reset_in_s": 3, "times": 1}],
    "429 without headers": [{"endpoint": NEW, "fault": "429", "headers": False, "times": 2},
                            {"endpoint": CREATE, "fault": "429", "headers": False, "times": 1},
                            {"endpoint": LIST, "fault": "429", "headers": False, "times": 1}],
    "X hangs": [{"endpoint": NEW, "fault": "hang", "seconds": 6, "times": 2},
                {"endpoint": CREATE, "fault": "hang", "seconds": 5, "times": 1},
                {"endpoint": CREATE, "fault": "hang", "when": "before", "seconds": 4, "times": 1},
                {"endpoint": SHOW, "fault": "hang", "when": "before", "seconds": 3, "times": 1}],
    "X is slow": [{"endpoint": "*", "fault": "slow", "seconds": 0.7, "times": 12},
                  {"endpoint": NEW, "fault": "slow", "when": "before", "seconds": 0.5, "times": 3}],
    "answers are cut": [{"endpoint": NEW, "fault": "half_json", "times": 2},
                        {"endpoint": CREATE, "fault": "half_json", "times": 2},
                        {"endpoint": NEW, "fault": "empty", "when": "after", "times": 1},
                        {"endpoint": CREATE, "fault": "html", "when": "after", "times": 1}],
    "the DM list fails": [{"endpoint": NEW, "fault": "drop_after_commit", "times": 1},
                          {"endpoint": LIST, "fault": "status", "times": 2},
                          {"endpoint": LIST, "fault": "half_json", "when": "before", "times": 1}],
}  # fmt: skip


class Weather:
    """A thread that changes X's faults. `struck` counts what each run of a rule did."""

    def __init__(self, x: X, seed: int) -> None:
        self._x, self._dice = x, random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)
        self._mine: list[int] = []
        self.now = "calm"
        self.struck = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more faults."""
        self._over.set()
        self._thread.join(30)
        self._clear()
        self.now = "calm"

    def _change(self) -> None:
        names = list(WEATHERS)
        turn = self._dice.sample(names, len(names))
        for name in itertools.cycle(turn):
            self._clear()
            self.now = name
            if WEATHERS[self.now]:
                self._mine = self._x.faults(*WEATHERS[self.now])
            if self._over.wait(EVERY_S * self._dice.uniform(0.6, 1.4)):
                return

    def _clear(self) -> None:
        rules = {rule["id"]: rule["hits"] for rule in self._x.ask("/faults")["rules"]}
        self.struck += sum(rules.get(each, 0) for each in self._mine)
        for each in self._mine:
            self._x.forget_fault(each)
        self._mine = []
