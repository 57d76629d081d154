"""A worker that dies or sleeps in the middle of a call costs seconds, and never a second message."""

import signal
from collections.abc import Callable

from sqlalchemy.engine import Engine

from tests.processes import ledger
from tests.processes.children import Child, cli, until
from tests.processes.house import House
from tests.processes.x import X

NEW, CREATE = "direct_messages/events/new", "feedback/create"


def worker_of(house: House, name: str) -> Child:
    return cli(name, house.directory, "--config", str(house.config), "worker")


def test_a_second_worker_takes_over_from_a_killed_one_within_seconds(
    house: House, x: X, engine_of: Callable[[House], Engine]
) -> None:
    engine = engine_of(house)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": "users/show", "fault": "slow", "seconds": 3, "times": 1})
    with worker_of(house, "first") as first:
        until(lambda: x.hits(rule), 20, "the first worker is in a call")
        with worker_of(house, "second") as second:
            until(lambda: "worker_started" in second.output(), 20, "the second worker runs")
            first.kill()
            took = until(lambda: ledger.request(engine, request_id).state == "card_sent", 20, "it is sent")
    assert took < 6  # the lease of 2 s, three calls, and a busy machine
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_a_worker_paused_past_its_lease_cannot_record_over_its_successor(
    house: House, x: X, engine_of: Callable[[House], Engine]
) -> None:
    engine = engine_of(house)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": CREATE, "fault": "slow", "seconds": 0.5, "times": 1})
    with worker_of(house, "sleeper") as sleeper:
        until(lambda: x.hits(rule), 20, "the card is at X and the answer on its way")
        sleeper.signal(signal.SIGSTOP)
        with worker_of(house, "successor"):
            until(lambda: ledger.request(engine, request_id).state == "card_sent", 25, "the successor finds it at X")
            cleared_up = ledger.request(engine, request_id)
            sleeper.signal(signal.SIGCONT)
            until(lambda: "lease_lost" in sleeper.output(), 10, "the sleeper wakes up and is refused")
    assert ledger.request(engine, request_id) == cleared_up
    assert [(each.kind, each.outcome, each.evidence) for each in ledger.attempts(engine, request_id)] == [
        ("dm", "sent", "answer"), ("card", "sent", "dm_list"),
    ]  # fmt: skip
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_a_worker_that_sleeps_before_its_call_does_not_make_it_when_it_wakes(
    house: House, x: X, engine_of: Callable[[House], Engine]
) -> None:
    """Its call was on its way into a hanging X, which drops it; the successor proves it unsent and sends it itself."""
    engine = engine_of(house)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": NEW, "fault": "hang", "when": "before", "seconds": 1, "times": 1})
    with worker_of(house, "sleeper") as sleeper:
        until(lambda: x.hits(rule), 20, "X hangs")
        sleeper.signal(signal.SIGSTOP)
        with worker_of(house, "successor"):
            until(lambda: ledger.attempts(engine, request_id)[0].outcome == "not_sent", 25, "it is proven unsent")
            sleeper.signal(signal.SIGCONT)
            until(lambda: ledger.request(engine, request_id).state == "card_sent", 25, "it is sent once")
    assert (x.sent("dm"), x.sent("card")) == (1, 1)
