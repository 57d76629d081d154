"""One run from the first process to the verdict: sizes and a seed in, figures out. Counts failures, raises none."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.auth import keys
from service.db import open_engine, writing
from service.sandbox.crm import CrmServer
from service.states import OPEN_STATES
from tests.chaos import afterlife, view
from tests.chaos.crm import CrmWeather, running_crm, source
from tests.chaos.fleet import Fleet
from tests.chaos.living import CAREFUL, FORGETFUL, Life
from tests.chaos.mirrors import Follower, Loads, all_told, differences, words_of_the_erased
from tests.chaos.monkey import Monkey
from tests.chaos.plan import Plan, can_be_written_to, draw, handle_of
from tests.chaos.recovery import Recovery
from tests.chaos.senders import Senders
from tests.chaos.verdict import Verdict, judge
from tests.chaos.ways import campaigns
from tests.chaos.weather import Weather
from tests.failover.clustered import Clustered
from tests.processes import ledger
from tests.processes.children import until
from tests.processes.databases import Database, open_database
from tests.processes.site import Site
from tests.processes.x import X, running_x

SPEAKING = {
    "can_dm": True,
    "script_any_of": [
        [{"after_s": 0.5, "score": "random"}, {"after_s": 4, "text": "late words"}],
        [{"after_s": 1, "score": "random", "text": "at once"}],
        [{"after_s": 2, "text": "words alone"}],
        [{"never": True}],
    ],
}
COMPARED = 4  # times at most
AWAY_EVERY_S = {"cluster": 240.0}  # until it is whole again takes a minute


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
    waits_at_crms: bool = True,
    console: Console | None = None,
    keep: Path | None = None,
    dlt: Path | None = None,
) -> view.Figures:
    """Run it once. `waits_at_crms` False: whom the last to die was asking a CRM about is asked about at once."""
    plan = draw(seed, conversations, kills, workers, seconds, AWAY_EVERY_S.get(database, 60.0))
    with ExitStack() as stack:
        directory = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dmf-chaos-")))
        directory.mkdir(parents=True, exist_ok=True)
        store = Clustered(directory) if database == "cluster" else open_database(database, directory)
        stack.callback(store.close)
        engine = open_engine(store.url)
        stack.callback(engine.dispose)
        crm = stack.enter_context(running_crm())
        # every other account has feedback webhooks, of which X loses some
        site = Site(
            directory, store.url, plan.accounts, scale=scale, pushes_to=frozenset(plan.accounts[::2]), profile=SPEAKING,
            changes={"campaigns": campaigns(plan.accounts), **FORGETFUL, **CAREFUL, **source(crm)},
        ).write()  # fmt: skip
        x = stack.enter_context(running_x(site))
        _people(x, plan)
        fleet = Fleet(site, workers, seed)
        stack.callback(fleet.kill_all)
        fleet.start()
        scene = Scene(plan, database, site, store, engine, x, fleet, crm)
        return _Run(scene, console or Console(), dlt).play(settle_within_s, waits_at_crms=waits_at_crms)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a run has at its beginning."""

    plan: Plan
    kind: str
    site: Site
    store: Database
    engine: Engine
    x: X
    fleet: Fleet
    crm: CrmServer


class _Run:
    def __init__(self, scene: Scene, console: Console, dlt: Path | None) -> None:
        self.plan, self.kind, self.store, self.engine = scene.plan, scene.kind, scene.store, scene.engine
        self.site, self.x, self.fleet, self.console = scene.site, scene.x, scene.fleet, console
        plan, x, fleet, store, engine = scene.plan, scene.x, scene.fleet, scene.store, scene.engine
        self.reader, self.admin = _key(engine, "supervisor"), _key(engine, "admin")
        self.follower = Follower(fleet.url, self.reader)
        mirror = scene.site.directory / "mirror"
        self.loads = Loads(dlt, mirror, fleet.url, self.reader, plan.seed) if dlt is not None else None
        self.life = Life(plan, scene.site, fleet, self.admin)
        self.senders = Senders(plan, fleet.url)
        self.recovery = Recovery(engine, self.senders)
        self.monkey = Monkey(plan, fleet, x, store, self.recovery)
        self.weather = Weather(x, plan.seed)
        self.crm = CrmWeather(scene.crm, plan)
        self.began = time.monotonic()
        self.states: dict[str, int] = {}

    def play(self, settle_within_s: float, *, waits_at_crms: bool) -> view.Figures:
        """Load and kills, then calm until every request has ended, then the comparison."""
        actors = (
            self.senders,
            self.recovery,
            self.monkey,
            self.weather,
            self.crm,
            self.follower,
            self.loads,
            self.life,
        )
        for each in actors:
            if each is not None:
                each.start()
        with view.live(self.console, f"chaos on {self.kind}, seed {self.plan.seed}", self._facts) as show:
            while self.senders.outstanding or not self.monkey.done:
                self._look(show)
            load_s = time.monotonic() - self.began
            self.life.stop()
            self.weather.stop()
            self.crm.stop()
            if not waits_at_crms:
                ledger.end_leases_at_crms(self.engine)
            end = time.monotonic() + settle_within_s
            while self._open_requests() and time.monotonic() < end:
                self._look(show)
        total_s = time.monotonic() - self.began
        time.sleep(1)
        self.recovery.stop()
        verdict = self._verdict()
        wrong = [*self._mirrored(), *self.crm.wrong(self._interrupted())]
        return self._figures(load_s, total_s, replace(verdict, mirrors=tuple(wrong)), self.fleet.stop())

    def _interrupted(self) -> int:
        """How often a look-up may have been interrupted: a process or the database was killed or paused."""
        return self.fleet.restarts + self.monkey.pauses + self.monkey.outages * len(self.fleet.workers)

    def _mirrored(self) -> Iterator[str]:
        """Erase people and forget texts, then compare both mirrors with a full read."""
        self.after = afterlife.play(self.plan, self.site, self.fleet, self.store, self.admin)
        for each in (self.follower, self.loads):
            if each is not None:
                yield from self._wrong_in(each)
        yield from words_of_the_erased(self.engine)
        self.follower.close()

    def _wrong_in(self, mirror: Follower | Loads) -> Sequence[str]:
        """Compare, and again where an answer came between the mirror's last look and the full read."""
        wrong: Sequence[str] = ()
        for _ in range(COMPARED):
            until(lambda: self.fleet.web_answers() and all_told(self.engine), 120, "every change is told")
            wrong = differences(mirror.stop(), self.fleet.url, self.reader)
            if not wrong:
                break
        return wrong

    def _verdict(self) -> Verdict:
        truth = self.x.ask("/truth", requests=0, pushes=0)
        everyone = {each.id for each in self.plan.conversations}
        return judge(self.engine, set(self.senders.acknowledged), everyone, truth, self.life.erased)

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

    def _figures(self, load_s: float, total_s: float, verdict: Verdict, exit_codes: dict[str, int]) -> view.Figures:
        return view.Figures(
            database=self.kind,
            workers=len(self.fleet.workers),
            conversations=len({each.id for each in self.plan.conversations}),
            seed=self.plan.seed,
            verdict=verdict,
            mirrored=self._copies(),
            kills=dict(self.monkey.kills),
            pauses=self.monkey.pauses,
            outages=self.monkey.outages,
            outage=self.store.outage,
            faults=self.weather.struck,
            looked_up=self.crm.figures,
            deliveries=sum(self.senders.answers.values()),
            answers=dict(self.senders.answers.most_common()),
            next_progress_s=self.recovery.next_progress_s,
            all_taken_up_s=self.recovery.all_taken_up_s,
            load_s=load_s,
            total_s=total_s,
            exit_codes=exit_codes,
            complaints=dict(Counter(_complaints(self.fleet)).most_common(12)),
        )

    def _copies(self) -> dict[str, int]:
        answered = sum(1 for row in self.follower.rows.values() if row["update_count"])
        found = {"rows": len(self.follower.rows), "with an answer": answered, **self.life.done, **self.after}
        found |= {"pages of changes": self.follower.pages, "refused on the way": self.follower.refusals}
        if self.loads is not None:
            found |= {"loads by dlt": self.loads.done, "killed": self.loads.killed, "failed": self.loads.failed}
        return found


def _key(engine: Engine, role: str) -> str:
    with writing(engine) as connection:
        return keys.create(connection, f"chaos {role}", role, (), datetime.now(UTC))


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
    """Events logged as errors, and uncaught exceptions."""
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
