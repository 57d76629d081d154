"""The CRM in which every fourth customer is looked up, and its faults: slow, away, 429, half an answer.

Returns the source's settings, and whether it was asked more often than its customers and faults explain.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from service.sandbox.crm import Crms, CrmServer
from service.sandbox.crm.faults import Fault
from service.sandbox.crm.people import KEY
from tests.chaos.plan import Conversation, Plan

VENDOR, AT_ONCE = "kustomer", 2
EVERY_S = 3.0
EVERY_FOURTH = 4
WEATHERS: dict[str, list[dict[str, Any]]] = {
    "calm": [],
    "slow": [{"fault": "slow", "seconds": 1.5, "times": 3}],
    "away": [{"fault": "drop", "times": 2}, {"fault": "status", "status": 503, "times": 1}],
    "used up": [{"fault": "limited", "times": 1}],
    "cut": [{"fault": "half", "times": 2}, {"fault": "html", "times": 1}],
}
FIND = {"x_user_id": "a.data.attributes.socials[?type=='twitter'].userid | [0]"}


def is_unnamed(conversation: Conversation) -> bool:
    """Whether its event names the customer by the CRM's own word only."""
    return int(conversation.id.removeprefix("c-")) % EVERY_FOURTH == 0 and not conversation.by_handle


def source(server: CrmServer) -> dict[str, Any]:
    """The source's settings."""
    api = {"base_url": f"{server.url}/{VENDOR}", "token": KEY, "at_once": AT_ONCE, "per_minute": 10_000}
    steps = [{"path": "/v1/customers/{customer_ref}", "trust": "bridge", "find": FIND}]
    return {"sources__crm__api": api, "sources__crm__lookup": steps}


class CrmWeather:
    """A thread that changes what goes wrong at the CRM."""

    def __init__(self, server: CrmServer, plan: Plan) -> None:
        self._crms, self._dice = server.crms, random.Random(plan.seed)
        self._customers = {each.customer for each in plan.conversations if is_unnamed(each)}
        self._past = 0  # how many calls earlier faults met
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more faults."""
        self._over.set()
        self._thread.join(10)
        self._set([])

    @property
    def figures(self) -> dict[str, int]:
        """How many customers were to be looked up, how often it was asked, how often it had bad luck."""
        with self._crms.lock:
            return {"customers": len(self._customers), "calls": len(self._crms.asked), "faults": self._struck}

    def wrong(self, interrupted: int) -> Iterator[str]:
        """Report whether it was asked more often than once per customer and once more per fault."""
        found = self.figures
        allowed = found["customers"] + found["faults"] + interrupted * AT_ONCE
        if found["calls"] > allowed:
            yield f"the CRM was asked {found['calls']} times; {allowed} are explained"

    @property
    def _struck(self) -> int:
        return self._past + sum(each.hits for each in self._crms.faults)

    def _change(self) -> None:
        names = list(WEATHERS)
        while True:
            self._set([Fault(vendor=VENDOR, **rule) for rule in WEATHERS[self._dice.choice(names)]])
            if self._over.wait(EVERY_S * self._dice.uniform(0.6, 1.4)):
                return

    def _set(self, rules: list[Fault]) -> None:
        with self._crms.lock:
            self._past += sum(each.hits for each in self._crms.faults)
            self._crms.faults[:] = rules


@contextmanager
def running_crm() -> Iterator[CrmServer]:
    """A CRM that knows everybody: the number in a customer's name is their id on X."""
    with CrmServer(Crms(everybody=True)) as server:
        yield server
