"""What each step takes from X's answer, and how a campaign is tried step by step."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from service.outreach import rehearsal, steps
from service.outreach.claims import Ready
from service.states import State
from service.ways.links import Links
from service.ways.way import Delivered
from tests.outreach.test_ways import TEXTS
from tests.support import START, World, request_of, settings_of

TICK, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
LINKS = Links("https://survey.example", "a key")


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        (None, START),
        (START - 10 * MINUTE, START - 10 * MINUTE),
        (START - 10 * MINUTE - TICK, START),
        (START + 10 * MINUTE, START + 10 * MINUTE),
        (START + 10 * MINUTE + TICK, START),
    ],
)
def test_x_dates_a_message_within_what_clocks_may_differ(at: datetime | None, taken: datetime) -> None:
    step = Ready(request_of(START), settings_of().accounts["acme"], "send_dm", "ls_1", START, "sa_1", LINKS, ())
    assert steps._when(Delivered("1", "1", None, at), step) == taken


# -- a campaign tried on oneself


@pytest.fixture
def tried(world_of: Any) -> World:
    world: World = world_of(campaigns__care__ways=["card", "page"], campaigns__care__texts=TEXTS)
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    return world


def begun(world: World) -> str:
    place, campaign = world.place, world.settings.campaigns[0]
    return rehearsal.begin(place, campaign, world.settings.accounts["acme"], "@ada", "cli:ada", world.clock.now).id


def walked(world: World, request_id: str) -> list[str]:
    account, x = world.settings.accounts["acme"], world.clients["acme"]
    return [each.endpoint for each in rehearsal.walk(world.place, account, request_id, x, world.clock)]


def test_a_rehearsal_is_a_test_that_is_always_drawn(tried: World) -> None:
    request_id = begun(tried)
    row = tried.request(request_id)
    assert (row.test, row.x_handle, row.source, row.campaign, row.card_text) == (
        True, "ada", "crm", "care", TEXTS["en"]["card"],
    )  # fmt: skip
    assert [lot["drawn"] for lot in row.decision.values()] == [True, True]
    assert (row.lease_token, row.lease_until) == (request_id, START + tried.settings.worker.lease)
    assert walked(tried, request_id) == ["show_user", "send_dm", "create_feedback"]
    assert rehearsal.now_stands(tried.place, request_id).state is State.CARD_SENT


def test_a_refused_way_is_followed_by_the_next_at_once(tried: World) -> None:
    tried.control("/assumptions", {"feedback_privilege": False}, method="PUT")
    request_id = begun(tried)
    assert walked(tried, request_id) == ["show_user", "send_dm", "create_feedback", "send_dm"]
    assert tried.request(request_id).way == "page"


@pytest.mark.parametrize("why", ["another has it", "it is not due yet", "it has ended"])
def test_a_rehearsal_is_not_continued_by_workers(tried: World, why: str) -> None:
    request_id, now, account = begun(tried), tried.clock.now, tried.settings.accounts["acme"]
    columns: dict[str, Any] = {"lease_token": None, "lease_until": None}
    if why == "it is not due yet":
        columns["scheduled_at"] = now + TICK
    if why == "it has ended":
        columns |= {"state": State.SKIPPED, "reason": "cancelled"}
    if why != "another has it":
        tried.set(request_id, **columns)
    assert rehearsal._again(tried.place, account, request_id, now) is None
    tried.set(request_id, lease_token=None, lease_until=None, state=State.RECEIVED, scheduled_at=now)
    again = rehearsal._again(tried.place, account, request_id, now)
    assert again is not None
    assert tried.request(request_id).lease_until == now + tried.settings.worker.lease
