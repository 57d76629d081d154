"""The play in order: a prepared stage and a script in, everybody's memories and whether they agree out.

    set up -> the CRM tells -> the service asks -> customers answer -> a supervisor reads -> everything is compared

`watch` is called a few times a second with the progress. Waits at most PATIENCE_S for anything: what has not happened
by then shows up as a broken promise in the checks.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from service.auth import keys
from service.clock import utc_now
from service.db import writing
from service.demo import cast, feed, read_back, reconcile, stage, supervisor
from service.demo.crm import Crm
from service.demo.http_call import call_json
from service.demo.memories import Memories, Truth
from service.demo.processes import running
from service.demo.read_back import Ledger, Progress
from service.demo.reconcile import Check
from service.demo.script import SECOND, Script
from service.demo.stage import UNHURRIED, Pace, Stage
from service.encrypting.in_force import engine_of
from service.sandbox.crm import Crms, CrmServer, Known
from service.states import END_STATES, State

PATIENCE_S = 75.0
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Scene:
    """How far the play has come."""

    doing: str
    posted: int
    standing: Progress
    lines: Sequence[feed.FeedItem] = ()


Watch = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What a play leaves behind."""

    memories: Memories
    read: supervisor.Reading
    checks: Sequence[Check]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return all(each.holds for each in self.checks)


@dataclass(slots=True)
class Play:
    """A running service and X, with the keys of both."""

    stage: Stage
    engine: Engine
    supervisor_key: str
    admin_key: str

    def run(self, script: Script, *, spread_s: float, watch: Watch = lambda _: None) -> Run:
        """Play the script; the CRM spreads its deliveries over `spread_s` seconds."""
        began = time.monotonic()
        self._set_up(script)
        crm = Crm(self.stage, utc_now)
        people = {f"c-{each.number}{suffix}": each for each in script.customers for suffix in ("", "-b")}
        news = feed.Feed(self.engine, people)
        with ThreadPoolExecutor(1, thread_name_prefix="crm") as pool:
            telling = pool.submit(self._tell, crm, script, spread_s)
            self._wait(crm, telling, script, news, watch)
            telling.result()
        watch(Scene("a supervisor reads; all records are compared", len(crm.posted), read_back.standing(self.engine)))
        read = supervisor.read(self.stage.service_url, self.supervisor_key)
        memories = Memories(script, crm.posted, read_back.read(self.engine), self.truth(), read.told)
        return Run(memories, read, reconcile.reconcile(memories), time.monotonic() - began)

    def truth(self) -> Truth:
        """What X really holds."""
        found: Truth = call_json("GET", f"{self.stage.x_url}/_control/truth")
        return found

    def _set_up(self, script: Script) -> None:
        control = f"{self.stage.x_url}/_control"
        at_x = [each for each in script.customers if each not in cast.NOT_AT_X]
        call_json("POST", f"{control}/customers", {"customers": [each.at_x for each in at_x]})
        faults = [{"times": 1, **each.fault, "recipient": each.user_id} for each in at_x if each.fault is not None]
        web = self.stage.settings.accounts[cast.WEB].user_id
        faults.append({"fault": "status", "endpoint": cast.CARD, "account": web, "status": 403, "code": 220})
        call_json("POST", f"{control}/faults", {"rules": faults})
        call_json("POST", f"{control}/webhooks", {"mode": stage.LOSSES})
        refusing = {"x_user_ids": [cast.OPTED_OUT.user_id], "reason": "asked_by_customer"}
        call_json("POST", f"{self.stage.service_url}/v1/opt-outs", refusing, supervisor.bearer(self.admin_key))

    def _tell(self, crm: Crm, script: Script, spread_s: float) -> None:
        pause, deadline = spread_s / max(1, len(script.deliveries)), time.monotonic() + PATIENCE_S / 2
        for delivery in script.deliveries:
            began = time.monotonic()
            # of two conversations at the same instant either might be asked about; the second comes clearly later
            while (
                delivery.note == SECOND
                and began < deadline
                and not read_back.asked(self.engine, delivery.customer.user_id)
            ):
                time.sleep(LOOK_EVERY_S)
                began = time.monotonic()
            crm.deliver(delivery)
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    def _wait(self, crm: Crm, telling: "Future[None]", script: Script, news: feed.Feed, watch: Watch) -> None:
        deadline, told = time.monotonic() + PATIENCE_S, 0
        while time.monotonic() < deadline:
            posted = crm.posted[told:]
            told += len(posted)
            standing = read_back.standing(self.engine)
            doing = "the CRM reports, the service asks" if not telling.done() else "customers answer"
            watch(Scene(doing, told, standing, [*feed.of_posts(posted), *news.news()]))
            ended = telling.done() and standing.ended >= len(script.ends)
            if ended and is_over(script, read_back.read(self.engine), self.truth()):
                return
            time.sleep(LOOK_EVERY_S)


@contextmanager
def staged(
    folder: Path, database_url: str | None = None, *, pace: Pace = UNHURRIED, usual_ports: bool = False
) -> Iterator[Play]:
    """Run a service, an X and the CRM's API until the context ends, with all their files in `folder`."""
    known = Crms(people={each.crm_id: _as_known(each) for each in cast.CAST if each.known_by == "crm"})
    with CrmServer(known) as crms:
        built = stage.build(folder, database_url, pace=pace, usual_ports=usual_ports, crm_url=crms.url)
        yield from _staged(built)


def _as_known(customer: cast.Customer) -> Known:
    return Known(customer.crm_id, x_user_id=customer.user_id, handle=customer.handle)


def _staged(built: Stage) -> Iterator[Play]:
    with running(built):
        engine = engine_of(built.settings)
        try:
            with writing(engine) as connection:
                supervisor = keys.create(connection, "demo supervisor", "supervisor", [], utc_now())
                admin = keys.create(connection, "demo admin", "admin", [], utc_now())
            yield Play(built, engine, supervisor, admin)
        finally:
            engine.dispose()


def is_over(script: Script, ledger: Ledger, truth: Truth) -> bool:
    """Whether everybody who will answer has, and the ledger has all of it."""
    customers = {each.user_id: each for each in script.customers}
    open_ones = any(each.state not in END_STATES for each in ledger.requests)
    asked = [each for each in ledger.requests if each.state == State.CARD_SENT]
    unknown = any(each.by_card and each.feedback_id is None for each in asked)
    waiting = any(
        (card["score"] is not None, card["text"] is not None) != customers[card["to"]].answers
        for card in truth["cards"]
    )
    there = sum((card["score"] is not None) + (card["text"] is not None) for card in truth["cards"])
    there += sum(sum(customers[each.x_user_id or ""].answers) for each in asked if not each.by_card)
    here = sum((each.score is not None) + (each.text is not None) for each in ledger.results)
    return not (open_ones or unknown or waiting) and there == here
