"""The processes and the verdict that both runs share.

Only what died is restarted, as an init system would; nobody releases, retries or repairs anything.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.db import open_engine, reading
from service.models import account_state
from service.states import OPEN_STATES
from tests.chaos.fleet import Fleet
from tests.chaos.plan import Plan, draw
from tests.chaos.run import _complaints, _people
from tests.chaos.senders import Senders
from tests.chaos.verdict import Verdict, judge
from tests.processes import ledger
from tests.processes.site import Site
from tests.processes.x import X, running_x

CONVERSATIONS, SECONDS = 150, 75.0
SETTLED_WITHIN_S = 200
SCALE = 60


@dataclass(frozen=True, slots=True)
class Played:
    """What was seen."""

    verdict: Verdict
    settled_s: float
    restarts: int
    answers: Mapping[str, int]
    held: Sequence[str]
    complaints: Mapping[str, int]

    def lines(self) -> Iterator[str]:
        yield f"answers to the CRM: {dict(self.answers)}"
        yield f"everything had an outcome {self.settled_s:.0f} s after the last delivery; restarts: {self.restarts}"
        yield f"accounts held in the end: {', '.join(self.held) or 'none'}; said as errors: {dict(self.complaints)}"
        yield str(self.verdict)


@dataclass
class Stage:
    """All processes at work."""

    plan: Plan
    engine: Engine
    site: Site
    x: X
    fleet: Fleet
    senders: Senders
    began: float = field(default_factory=time.monotonic)

    def until(self, second: float) -> None:
        time.sleep(max(0.0, self.began + second - time.monotonic()))

    def end(self, later: Callable[[], None] = lambda: None) -> Played:
        """Wait until all was taken and has an outcome, and compare. `later` lives the time that some still wait for."""
        while self.senders.outstanding:
            time.sleep(0.2)
        began = time.monotonic()
        self._settle()
        if self.open_ones():
            later()
            self._settle()
        settled_s = time.monotonic() - began
        truth = self.x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in self.plan.conversations}
        verdict = judge(self.engine, set(self.senders.acknowledged), everyone, truth)
        said = Counter(_complaints(self.fleet))
        return Played(verdict, settled_s, self.fleet.restarts, dict(self.senders.answers), self._held(), said)

    def _settle(self) -> None:
        end = time.monotonic() + SETTLED_WITHIN_S
        while self.open_ones() and time.monotonic() < end:
            time.sleep(0.5)

    def open_ones(self) -> int:
        try:
            return sum(ledger.states(self.engine).get(each, 0) for each in OPEN_STATES)
        except SQLAlchemyError:
            return 1

    def _held(self) -> Sequence[str]:
        with reading(self.engine) as connection:
            held = sa.select(account_state.c.account).where(account_state.c.hold_reason.is_not(None))
            return list(connection.scalars(held))


@contextmanager
def at_work(
    directory: Path, url: str, seed: int, before: Sequence[str] = (), assumptions: Mapping[str, Any] | None = None
) -> Iterator[Stage]:
    """Web, two workers, X and the CRM; `before` are words that stand before each command of ours."""
    plan = draw(seed, CONVERSATIONS, 0, 1, SECONDS)
    site = Site(directory, url, plan.accounts, scale=SCALE, assumptions=dict(assumptions or {})).write()
    engine = open_engine(url)
    with running_x(site) as x:
        _people(x, plan)
        fleet, senders = Fleet(site, 2, seed), Senders(plan, site.web_url)
        for child in (fleet.web, *fleet.workers):
            child.command = (*before, *child.command)
        try:
            fleet.start()
            senders.start()
            yield Stage(plan, engine, site, x, fleet, senders)
        finally:
            fleet.kill_all()
            engine.dispose()
