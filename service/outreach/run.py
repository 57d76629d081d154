"""Walks requests as far as they go: a workplace, one client per account and a clock in.

`Runner` keeps several X calls in flight and never waits for the slowest; the worker repeats its turns. A slow account
takes only its share of the calls. Holds no rule about requests and no transaction.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta

import structlog
from structlog.contextvars import bound_contextvars

from service.clock import Clock
from service.db.outages import is_away
from service.outreach.answers import StepResult
from service.outreach.claims import NOTHING_CLAIMED, Ready, claim, due_accounts, give_back, record
from service.outreach.context import Workplace
from service.outreach.steps import take
from service.outreach.turns import Turns
from service.telemetry import traces
from service.x_api import XClient

log = structlog.get_logger(__name__)
AGAIN, LONGEST_AGAIN = timedelta(milliseconds=500), timedelta(seconds=5)  # between two tries to record
KEPT_FOR = timedelta(minutes=10)  # what X said about a send counts until it is known, whoever has the lease
BEGIN_WITHIN = 0.5  # of the lease: a call that has not begun by then is dropped


class Runner:
    """Claims and walks requests with a bounded number of X calls in flight. Use one per worker process."""

    def __init__(self, place: Workplace, clients: Mapping[str, XClient], clock: Clock) -> None:
        self._place, self._clients, self._clock = place, clients, clock
        self._pool = ThreadPoolExecutor(place.settings.worker.concurrency, thread_name_prefix="x-call")
        self._flying: dict[Future[None], str] = {}
        self._stopping = threading.Event()
        self._turn = 0
        self._turns = Turns()
        self.steps: Counter[str] = Counter()

    def turn(self, patience: timedelta) -> bool:
        """Fill the free calls and wait at most `patience` for one to finish. False: there was nothing to do."""
        flew = self.in_flight  # a call that lands while we claim may have held the account's row: look once more
        claimed = self.claim_some()
        if self.in_flight:
            wait(self._flying, patience.total_seconds(), FIRST_COMPLETED)
            return True
        return claimed + flew > 0

    def claim_some(self) -> int:
        """Fill the free calls with due requests, each account up to its share; return how many were taken."""
        self._forget_landed()
        free = self._place.settings.worker.concurrency - len(self._flying)
        if free <= 0 or self._stopping.is_set():
            return 0
        names = due_accounts(self._place, self._clients, self._clock())
        claimed = 0
        for name, share in self._shares(names, free).items():
            account = self._place.settings.accounts[name]
            with self._turns.soon(name) as mine:  # else it is due again in a moment, and others are not kept waiting
                found = claim(self._place, account, share, self._clock()) if mine else NOTHING_CLAIMED
            claimed += found.picked
            for ready in found.ready:
                self._flying[self._pool.submit(self._walk, ready)] = name
        return claimed

    def stop(self, within: timedelta) -> None:
        """Finish the calls in flight and return the rest. What does not finish in time is looked up by a successor."""
        self._stopping.set()
        wait(self._flying, within.total_seconds())
        self._pool.shutdown(wait=False)

    @property
    def in_flight(self) -> int:
        """How many requests are being walked."""
        self._forget_landed()
        return len(self._flying)

    def _forget_landed(self) -> None:
        for future in [each for each in self._flying if each.done()]:
            del self._flying[future]
            if (error := future.exception()) is not None:
                # The lease expires and the request is taken again; the worker itself goes on.
                log.error("walk_failed", error=type(error).__name__, exc_info=error)

    def _shares(self, names: Sequence[str], free: int) -> dict[str, int]:
        """Share the free calls among due accounts in turns, so that none starves another."""
        if not names:
            return {}
        self._turn += 1
        first = self._turn % len(names)
        turned = [*names[first:], *names[:first]]
        calls = self._place.settings.worker.concurrency
        kept = calls // 4 if len(names) < len(self._clients) else 0  # for an account that becomes due in a moment
        most = max(1, (calls - kept) // len(names))
        flying = Counter(self._flying.values())
        shares: dict[str, int] = {}
        for name in turned:
            shares[name] = max(0, min(free, most - flying[name]))
            free -= shares[name]
        return {name: share for name, share in shares.items() if share}

    def _walk(self, ready: Ready) -> None:
        """Take step after step of one request until it waits or ends. Its id stands in every line logged meanwhile."""
        step: Ready | None = ready
        with bound_contextvars(account=ready.account.name, request_id=ready.request.id):
            while step is not None:
                now = self._clock()
                late = now > step.intended_at + self._place.settings.worker.lease * BEGIN_WITHIN
                if late or self._stopping.is_set():
                    return give_back(self._place, step, now)
                step = self._record(step, self._taken(step))
        return None

    def _taken(self, step: Ready) -> StepResult:
        with traces.step() as began:
            found = take(step, self._clients[step.account.name], self._clock)
            outcome = type(found.outcome).__name__.lower()
            facts = {"account": step.account.name, "endpoint": step.endpoint, "outcome": outcome}
            traces.later(step.request.id, f"step from {step.request.state.value}", began, facts)
        self.steps[outcome] += 1
        return found

    def _record(self, step: Ready, found: StepResult) -> Ready | None:
        """Write what X said, with retries: a database that is away for a moment must not cost a look-up at X."""
        left = step.intended_at + self._place.settings.worker.lease - self._clock() - AGAIN
        lease_over = time.monotonic() + left.total_seconds()
        kept_until = time.monotonic() + KEPT_FOR.total_seconds() if step.attempt_id is not None else lease_over
        rest = AGAIN
        while True:
            try:
                with self._turns.of(step.account.name):
                    return record(self._place, step, found, self._clock(), go_on=not self._stopping.is_set())
            except Exception as error:
                over = time.monotonic() > (lease_over if self._stopping.is_set() else kept_until)
                if over or not is_away(error):
                    raise
                log.warning("record_delayed", request_id=step.request.id, error=type(error).__name__)
                time.sleep(rest.total_seconds())
                rest = min(rest * 2, LONGEST_AGAIN)
