"""A worker that dies or sleeps during a call costs seconds, and never a second message."""

import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Engine

from service.db import writing
from tests.processes import ledger
from tests.processes.children import Child, cli, until
from tests.processes.site import Site
from tests.processes.x import X

NEW, CREATE = "direct_messages/events/new", "feedback/create"


def worker_of(site: Site, name: str) -> Child:
    return cli(name, site.directory, "--config", str(site.config), "worker")


def test_a_second_worker_takes_over_from_a_killed_one_within_seconds(
    site: Site, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    engine = engine_of(site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": "users/show", "fault": "slow", "seconds": 3, "times": 1})
    with worker_of(site, "first") as first:
        until(lambda: x.hits(rule), 60, "the first worker is in a call")
        with worker_of(site, "second") as second:
            until(lambda: "worker_started" in second.output(), 60, "the second worker runs")
            first.kill()
            took = until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "it is sent")
    assert took < 15  # the lease of 2 s, four calls, and a busy machine
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def told(engine: Engine, request_id: str) -> dict[str, Any]:
    """The request without its number among the changes, which a sealer gives it in its own time."""
    row = ledger.request(engine, request_id)._asdict()
    return {name: value for name, value in row.items() if name not in {"sealed", "counted"}}


def test_a_worker_paused_past_its_lease_cannot_record_over_its_successor(
    site: Site, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    engine = engine_of(site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": CREATE, "fault": "slow", "seconds": 3, "times": 1})
    with worker_of(site, "sleeper") as sleeper:
        until(lambda: x.hits(rule), 60, "the card is at X and the answer on its way")
        sleeper.signal(signal.SIGSTOP)
        with worker_of(site, "successor"):
            until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "the successor finds it at X")
            cleared_up = told(engine, request_id)
            sleeper.signal(signal.SIGCONT)
            until(lambda: "lease_lost" in sleeper.output(), 60, "the sleeper wakes up and is refused")
    assert told(engine, request_id) == cleared_up
    assert [(each.kind, each.outcome, each.evidence) for each in ledger.attempts(engine, request_id)] == [
        ("dm", "sent", "answer"), ("card", "sent", "dm_list"),
    ]  # fmt: skip
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_a_call_that_x_dropped_while_its_worker_slept_is_proven_unsent_and_sent_once(
    sqlite_site: Site, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site, engine = sqlite_site, engine_of(sqlite_site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": NEW, "fault": "hang", "when": "before", "seconds": 1, "times": 1})
    with worker_of(site, "sleeper") as sleeper:
        until(lambda: x.hits(rule), 60, "X hangs")
        sleeper.signal(signal.SIGSTOP)
        with worker_of(site, "successor"):
            until(lambda: ledger.attempts(engine, request_id)[0].outcome == "not_sent", 60, "it is proven unsent")
            sleeper.signal(signal.SIGCONT)
            until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "it is sent once")
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_an_answer_that_meets_a_busy_database_is_recorded_when_it_is_free_again(
    site_of: Callable[..., Site], sqlite_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    """And costs no look-up at X, as long as the lease lasts."""
    site = site_of(sqlite_url, worker__lease="30s")
    engine = engine_of(site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": NEW, "fault": "slow", "seconds": 0.5, "times": 1})
    with worker_of(site, "worker") as worker:
        until(lambda: x.hits(rule), 60, "the answer is on its way", every_s=0.01)
        with writing(engine):
            until(lambda: "record_delayed" in worker.output(), 60, "the worker cannot record it")
        until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "it goes on")
    assert [each.evidence for each in ledger.attempts(engine, request_id)] == ["answer", "answer"]
    assert (x.sent("dm"), x.sent("card")) == (1, 1)
