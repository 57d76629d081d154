"""One run from the first process to the verdict: in, sizes and a seed; out, figures. Raises nothing it can count."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.db import open_engine
from service.states import OPEN_STATES
from tests.chaos import view
from tests.chaos.fleet import Fleet
from tests.chaos.monkey import Monkey
from tests.chaos.plan import Plan, can_be_written_to, draw, handle_of
from tests.chaos.recovery import Recovery
from tests.chaos.senders import Senders
from tests.chaos.verdict import judge
from tests.chaos.ways import campaigns
from tests.chaos.weather import Weather
from tests.processes import ledger
from tests.processes.databases import Database, open_database
from tests.processes.house import House
from tests.processes.x import X, running_x


def run(
    database: str,
    *,
    workers: int,
    conversations: int,
    kills: int,
    seed: int,
    seconds: float,
    scale: int = 60,
    settle_within_s: float = 900.0,
    console: Console | None = None,
    keep: Path | None = None,
) -> view.Figures:
    """Run it once."""
    plan = draw(seed, conversations, kills, workers, seconds)
    with ExitStack() as stack:
        directory = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dmf-chaos-")))
        directory.mkdir(parents=True, exist_ok=True)
        store = open_database(database, directory)
        stack.callback(store.close)
        engine = open_engine(store.url)
        stack.callback(engine.dispose)
        # every other account has feedback webhooks, of which X loses some
        house = House(
            directory, store.url, plan.accounts, scale=scale, pushes_to=frozenset(plan.accounts[::2]),
            changes={"campaigns": campaigns(plan.accounts)},
        ).write()  # fmt: skip
        x = stack.enter_context(running_x(house))
        _people(x, plan)
        fleet = Fleet(house, workers, seed)
        stack.callback(fleet.kill_all)
        fleet.start()
        return _Run(plan, database, store, engine, x, fleet, console or Console()).play(settle_within_s)


class _Run:
    def __init__(
        self, plan: Plan, kind: str, store: Database, engine: Engine, x: X, fleet: Fleet, console: Console
    ) -> None:
        self.plan, self.kind, self.store, self.engine = plan, kind, store, engine
        self.x, self.fleet, self.console = x, fleet, console
        self.senders = Senders(plan, fleet.url)
        self.recovery = Recovery(engine, self.senders)
        self.monkey = Monkey(plan, fleet, x, store, self.recovery)
        self.weather = Weather(x, plan.seed)
        self.began = time.monotonic()
        self.states: dict[str, int] = {}

    def play(self, settle_within_s: float) -> view.Figures:
        """Load and violence, then calm until every request has ended, then the comparison."""
        for each in (self.senders, self.recovery, self.monkey, self.weather):
            each.start()
        with view.live(self.console, f"chaos on {self.kind}, seed {self.plan.seed}", self._facts) as show:
            while self.senders.outstanding or not self.monkey.done:
                self._look(show)
            load_s = time.monotonic() - self.began
            self.weather.stop()
            end = time.monotonic() + settle_within_s
            while self._open_requests() and time.monotonic() < end:
                self._look(show)
        total_s = time.monotonic() - self.began
        time.sleep(1)
        self.recovery.stop()
        return self._figures(load_s, total_s, self.fleet.stop())

    def _look(self, show: object) -> None:
        time.sleep(0.5)
        try:
            self.states = ledger.states(self.engine)
        except SQLAlchemyError:
            self.states = {"the database": 0}
        show()  # type: ignore[operator]

    def _open_requests(self) -> int:
        try:
            self.states = ledger.states(self.engine)
        except SQLAlchemyError:
            return 1
        return sum(self.states.get(state, 0) for state in OPEN_STATES)

    def _facts(self) -> dict[str, object]:
        return {
            "seconds": round(time.monotonic() - self.began),
            "answered 2xx": f"{len(self.senders.acknowledged)} of {len(self.plan.conversations)}",
            "ledger": ", ".join(f"{state} {count}" for state, count in sorted(self.states.items())),
            "kills": f"{sum(self.monkey.kills.values())} (last: {self.monkey.last})",
            "restarts": self.fleet.restarts,
            "X": f"{self.weather.now}, {self.weather.struck} faults",
        }

    def _figures(self, load_s: float, total_s: float, exit_codes: dict[str, int]) -> view.Figures:
        truth = self.x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in self.plan.conversations}
        return view.Figures(
            database=self.kind,
            workers=len(self.fleet.workers),
            conversations=len(everyone),
            seed=self.plan.seed,
            verdict=judge(self.engine, set(self.senders.acknowledged), everyone, truth),
            kills=dict(self.monkey.kills),
            pauses=self.monkey.pauses,
            outages=self.monkey.outages,
            outage=self.store.outage,
            faults=self.weather.struck,
            deliveries=sum(self.senders.answers.values()),
            answers=dict(self.senders.answers.most_common()),
            next_progress_s=self.recovery.next_progress_s,
            all_taken_up_s=self.recovery.all_taken_up_s,
            load_s=load_s,
            total_s=total_s,
            exit_codes=exit_codes,
            complaints=dict(Counter(_complaints(self.fleet)).most_common(12)),
        )


def _people(x: X, plan: Plan) -> None:
    """Everybody who has a handle or cannot be written to; the others come to exist when X first meets them."""
    known = {each.customer for each in plan.conversations if each.by_handle}
    known |= {each.customer for each in plan.conversations if not can_be_written_to(each.customer)}
    profiles = [
        {"user_id": str(each), "screen_name": handle_of(each), "can_dm": can_be_written_to(each)}
        for each in sorted(known)
    ]
    for start in range(0, len(profiles), 500):
        x.tell("/customers", {"customers": profiles[start : start + 500]})
    x.tell("/webhooks", {"mode": {"lose": 0.3, "double": 0.1, "delay": 0.2, "delay_s": [0.5, 3]}})


def _complaints(fleet: Fleet) -> Iterator[str]:
    """Events logged as errors, and exceptions nobody caught."""
    for log in fleet.logs():
        for line in log.read_text("utf-8", "replace").splitlines():
            if line.startswith("{") and '"error"' in line:
                event = _parsed(line)
                if event.get("level") == "error":
                    yield f"{event.get('event')} ({event.get('error') or event.get('reason') or ''})"
            elif line.startswith(("Traceback", "Exception in")):
                yield line[:60]


def _parsed(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:  # a line that a kill cut off
        return {}
    return found if isinstance(found, dict) else {}
