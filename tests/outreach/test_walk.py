"""A request walks from the ended conversation to the card, and from every state a crash could leave it in."""

from datetime import timedelta
from typing import Any

import pytest

from service.states import State
from tests.support import OTHER, World

Settled = dict[str, Any]


def sent(world: World) -> list[tuple[str, str]]:
    """What X really holds: (via, text), the oldest first."""
    return [(each["via"], each["text"]) for each in world.truth()["messages"]]


BOTH = [("dm", "Thanks for writing to acmecare."), ("card", "How did we do?")]


def test_an_ended_conversation_becomes_an_opening_and_a_card(world: World) -> None:
    request_id = world.ended()
    world.run()
    assert world.request(request_id).state == State.RECEIVED  # the campaign's delay is not over
    assert sent(world) == []

    world.forward(minutes=2)
    world.run()

    row = world.request(request_id)
    card = world.truth()["cards"][0]
    assert row.state == State.CARD_SENT
    assert sent(world) == BOTH
    assert (row.feedback_id, row.card_dm_id) == (card["id"], card["dm_id"])
    assert card["external_id"] == request_id
    assert [state for state, event, _ in world.history(request_id) if event == "advanced"] == [
        "identified", "dm_allowed", "dm_sent", "card_sent",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "who", [{"x_user_id": "1212121212121"}, {"x_user_id": "2"}, {"x_user_id": None, "x_handle": "acmecare"}]
)
def test_nobody_who_runs_an_account_of_ours_is_asked_as_a_customer(world_of: Any, who: Settled) -> None:
    """CRMs name the author of the last message, which may be ourselves, or another account of ours."""
    world = world_of(accounts__other=OTHER, sources__crm__account="acme")
    request_id = world.ended(identity_trust="bridge", **who)
    world.run()
    world.forward(minutes=2)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.SKIPPED, "no_x_identity")
    assert "one of your own accounts" in row.detail
    assert sent(world) == []


def test_a_campaign_without_an_opening_sends_only_the_card(world_of: Any) -> None:
    world = world_of(campaigns__care__opening=False)
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert sent(world) == [("card", "How did we do?")]


FROZEN: Settled = {
    "campaign": "care",
    "type": "csat",
    "question_variant_id": 1,
    "privacy_url": "https://acme.example/privacy",
    "opening_text": "Thanks for writing to acmecare.",
    "card_text": "How did we do?",
}


@pytest.mark.parametrize(
    ("state", "facts"),
    [
        (State.RECEIVED, {}),
        (State.RECEIVED, {"x_user_id": None, "x_handle": "ada"}),
        (State.IDENTIFIED, {}),
        (State.IDENTIFIED, {"can_dm_asked": 1}),
        (State.DM_ALLOWED, {"can_dm": True}),
    ],
)
def test_continues_from_a_state_a_crash_left(world: World, state: State, facts: Settled) -> None:
    request_id = world.ended(
        ended_at=world.clock.now - timedelta(minutes=5),
        stale_at=world.clock.now + timedelta(hours=1),
        **{**FROZEN, **facts},
        state=state,
        lease_token="ls_dead",
        lease_until=world.clock.now - timedelta(seconds=1),
    )
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert sent(world) == BOTH


def test_continues_from_dm_sent(world: World) -> None:
    request_id = world.ended(**FROZEN, state=State.DM_SENT, can_dm=True, dm_event_id="99", dm_sent_at=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert sent(world) == BOTH[1:]


def test_a_live_lease_is_left_alone(world: World) -> None:
    request_id = world.ended(
        **FROZEN, state=State.DM_ALLOWED, lease_token="ls_alive", lease_until=world.clock.now + timedelta(seconds=30)
    )
    world.run()
    assert world.request(request_id).state == State.DM_ALLOWED
    world.forward(seconds=31)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_lease_from_a_clock_that_was_set_back_is_not_eternal(world: World) -> None:
    request_id = world.ended(
        **FROZEN, state=State.DM_ALLOWED, lease_token="ls_future", lease_until=world.clock.now + timedelta(days=2)
    )
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


@pytest.mark.parametrize(
    ("profile", "switches", "state", "reason"),
    [
        ({"can_dm": False}, {}, "skipped", "cannot_dm"),
        ({"can_dm": True, "dm_error": "403/349"}, {}, "skipped", "cannot_dm"),
        ({"can_dm": True, "dm_error": "403/150"}, {}, "skipped", "cannot_dm"),
        ({"can_dm": True, "dm_error": "403/354"}, {}, "failed", "message_refused"),
        ({"can_dm": True, "suspended": True}, {}, "skipped", "unreachable"),
        ({"can_dm": "missing"}, {"friendships_can_dm": "missing"}, "card_sent", None),
        ({"can_dm": True}, {"users_can_dm": "missing"}, "card_sent", None),
        ({"can_dm": False}, {"users_can_dm": "missing"}, "skipped", "cannot_dm"),
    ],
)
def test_can_dm_and_blocks_decide(
    world_of: Any, profile: Settled, switches: Settled, state: str, reason: str | None
) -> None:
    world = world_of(switches)
    world.customers({"user_id": "501", "screen_name": "ada", **profile})
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (state, reason)


def test_a_conversation_without_an_x_user_is_skipped(world: World) -> None:
    request_id = world.ended(x_user_id=None)
    world.forward(minutes=2)
    world.run()
    assert world.request(request_id).reason == "no_x_identity"


def test_an_unknown_handle_is_skipped(world: World) -> None:
    request_id = world.ended(x_user_id=None, x_handle="nobody_here")
    world.forward(minutes=2)
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == ("skipped", "no_x_identity")


def test_a_handle_is_resolved_once_and_remembered(world: World) -> None:
    world.ended("c-1", x_user_id=None, x_handle="Ada")
    world.forward(minutes=2)
    world.run()
    second = world.ended("c-2", x_user_id=None, x_handle="ada")
    world.forward(minutes=2)
    world.run()
    assert world.request(second).x_user_id == "501"
    shown = [each for each in world.truth()["requests"] if each["endpoint"] == "users/show"]
    assert len(shown) == 1
    assert world.request(second).reason == "cooldown"
