"""X's limits hold per account across any number of workers; one account's trouble never affects another."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.accounts import holds, slots, standing
from service.db import reading, writing
from service.metrics import budgets
from service.models import send_attempt
from service.outreach.claims import claim
from service.outreach.context import Workplace
from service.states import Kind, State
from tests.outreach.test_walk import FROZEN
from tests.support import World, settings_of, tree


def many(world: World, count: int, **columns: Any) -> list[str]:
    world.customers(*({"user_id": str(1000 + n), "screen_name": f"u{n}", "can_dm": True} for n in range(count)))
    row = {**FROZEN, "can_dm": True, "state": State.DM_ALLOWED, **columns}
    return [world.ended(**{**row, "conversation_id": f"c-{n}", "x_user_id": str(1000 + n)}) for n in range(count)]


def test_no_more_openings_than_the_day_allows_and_the_rest_waits(world_of: Any) -> None:
    world = world_of(accounts__acme__dms_per_day=3)
    ids = many(world, 5)
    world.run()
    waiting = [world.request(each) for each in ids if world.request(each).state == State.DM_ALLOWED]
    assert world.truth()["counts"]["messages_via"] == {"dm": 3, "card": 3}
    assert {each.reason for each in waiting} == {"daily_limit"}
    assert all(each.attempts == 0 for each in waiting)  # a limit is not a failed attempt
    world.forward(hours=24, minutes=6)  # X counts from the arrival: as late as the signature lived
    world.run()
    assert world.truth()["counts"]["messages_via"] == {"dm": 5, "card": 5}


def test_a_question_that_goes_out_as_a_dm_is_one_of_the_dms(world_of: Any) -> None:
    world = world_of()
    for n, way in enumerate(("page", "quick_reply", None)):
        request_id = world.ended(f"c-{n}", way=way)
        with writing(world.engine) as connection:
            for kind in (Kind.OPENING, Kind.ASKING):
                row = {"id": f"sa_{n}{kind}", "request_id": request_id, "account": "acme", "x_user_id": "501"}
                connection.execute(sa.insert(send_attempt).values(**row, kind=kind, intended_at=world.clock.now))
    with reading(world.engine) as connection:
        sent = budgets.taken(connection, world.settings.accounts, world.clock.now)
    assert sent == {("acme", "dm"): 5, ("acme", "card"): 1}


def test_the_shown_usage_is_what_the_limit_counts(world_of: Any) -> None:
    world = world_of()
    request_id, account = world.ended("c-1"), world.settings.accounts["acme"]
    at = world.clock.now - slots.DAY - account.signature_tolerance / 2
    with writing(world.engine) as connection:
        row = {"id": "sa_1", "request_id": request_id, "account": "acme", "x_user_id": "501", "kind": Kind.ASKING}
        connection.execute(sa.insert(send_attempt).values(**row, intended_at=at))
    for later, n in ((timedelta(0), 1), (account.signature_tolerance, 0)):
        with reading(world.engine) as connection:
            now = world.clock.now + later
            assert slots.used(connection, account, [Kind.ASKING], now) == n
            sent, unknown = (budgets.taken(connection, known, now) for known in (world.settings.accounts, {}))
        assert sent.get(("acme", "card"), 0) == n
        assert unknown == {}, "of an account that has left, X's day alone"


def test_eight_workers_racing_for_the_last_five_slots_send_five(engine: Engine) -> None:
    world = World(engine, settings_of(accounts__acme__dms_per_day=5, worker__concurrency=2))
    many(world, 40)
    places = [Workplace.open(engine, world.settings, f"w{n}") for n in range(8)]
    start = threading.Barrier(len(places))
    won: list[int] = []

    def race(place: Workplace) -> None:
        start.wait()
        account, now = world.settings.accounts["acme"], world.clock.now
        won.extend(len(claim(place, account, 10, now).ready) for _ in range(3))

    threads = [threading.Thread(target=race, args=(place,)) for place in places]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with reading(engine) as connection:
        attempts = connection.scalar(sa.select(sa.func.count()).select_from(send_attempt))
    assert (sum(won), attempts) == (5, 5)


def test_a_clock_set_back_opens_no_limit(world_of: Any) -> None:
    world = world_of(accounts__acme__dms_per_day=2)
    many(world, 4)
    world.run()
    world.clock.forward(hours=-1)
    with writing(world.engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_request SET scheduled_at = 0 WHERE state = 'dm_allowed'")
    assert claim(world.place, world.settings.accounts["acme"], 10, world.clock.now).ready == []


def test_a_429_pauses_the_account_until_its_reset(world: World) -> None:
    ids = many(world, 3)
    world.fault(endpoint="direct_messages/events/new", fault="429", headers=True, reset_in_s=300, times=1)
    world.run()
    first = [world.request(each) for each in ids]
    assert any(each.reason == "rate_limited" for each in first)
    assert all(each.attempts == 0 for each in first)
    world.forward(seconds=301)
    world.run()
    assert {world.request(each).state for each in ids} == {State.CARD_SENT}
    assert world.truth()["counts"]["messages_via"] == {"dm": 3, "card": 3}


@pytest.mark.parametrize("code", [226, 326, 64, 32, 89, 93, 220, 261, 416, 453])
def test_an_account_problem_holds_the_account_until_a_person_releases_it(world: World, code: int) -> None:
    ids = many(world, 2)
    world.fault(endpoint="direct_messages/events/new", fault="status", status=403, code=code, times=1)
    world.run()
    with reading(world.engine) as connection:
        stands = standing.standings(connection)[0]
    assert stands.hold_code == code
    world.forward(days=1)
    world.run()
    assert world.truth()["counts"]["messages_via"].get("card", 0) <= 1
    with writing(world.engine) as connection:
        assert holds.release(connection, "acme", world.clock.now)
    world.run()
    assert {world.request(each).state for each in ids} <= {State.CARD_SENT, State.SKIPPED}


def test_a_held_account_does_not_starve_another(engine: Engine) -> None:
    built = tree(worker__concurrency=2)
    second = {**built["accounts"]["acme"], "user_id": "1313131313131", "screen_name": "acmetwo", "token": "t2"}
    world = World(
        engine,
        settings_of(accounts__two=second, worker__concurrency=2, sources__crm__account="acme"),
    )
    many(world, 5)
    other = world.ended(
        "c-other", **{**FROZEN, "can_dm": True, "state": State.DM_ALLOWED, "account": "two", "x_user_id": "1003"}
    )
    world.fault(endpoint="*", account="1212121212121", fault="status", status=403, code=326)
    world.run()
    assert world.request(other).state == State.CARD_SENT


def test_one_customer_is_asked_once_within_the_cooldown_even_in_one_claim(world: World) -> None:
    ids = [world.ended(f"c-{n}", **{**FROZEN, "can_dm": True, "state": State.DM_ALLOWED}) for n in range(3)]
    world.run()
    rows = [world.request(each) for each in ids]
    assert sorted((each.state, each.reason) for each in rows) == [
        ("card_sent", None), ("skipped", "cooldown"), ("skipped", "cooldown"),
    ]  # fmt: skip
    assert world.truth()["counts"]["messages_via"] == {"dm": 1, "card": 1}


def test_after_the_cooldown_the_customer_may_be_asked_again(world: World) -> None:
    world.ended("c-1", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    world.forward(days=7, minutes=1)
    again = world.ended("c-2", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(again).state == State.CARD_SENT
