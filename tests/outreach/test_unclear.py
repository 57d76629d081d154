"""A send with unknown outcome is looked up at X, and repeated only if it is proven unsent."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.accounts import holds, moving
from service.db import writing
from service.ids import new_id
from service.models import result, send_attempt
from service.states import State
from tests.outreach.test_walk import FROZEN
from tests.support import Dated, Dropping, World

NEW, CREATE = "direct_messages/events/new", "feedback/create"


def ready(world: World, **columns: Any) -> str:
    return world.ended(**{**FROZEN, "can_dm": True, "state": State.DM_ALLOWED, **columns})


def messages(world: World, via: str) -> int:
    return world.truth()["counts"]["messages_via"].get(via, 0)


@pytest.mark.parametrize("fault", ["drop_after_commit", "status_after_commit", "half_json"])
@pytest.mark.parametrize(("endpoint", "via"), [(NEW, "dm"), (CREATE, "card")])
def test_a_send_that_arrived_is_found_and_never_repeated(world: World, fault: str, endpoint: str, via: str) -> None:
    world.fault(endpoint=endpoint, fault=fault, times=1)
    request_id = ready(world)
    world.turns(8, seconds=60)
    row = world.request(request_id)
    assert row.state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)
    assert row.dm_event_id is not None
    assert row.card_dm_id is not None
    evidence = {each.kind: each.evidence for each in world.attempts(request_id)}
    assert evidence[via] == "dm_list"


@pytest.mark.parametrize("fault", ["drop_before", "html"])
def test_a_send_that_never_arrived_is_repeated_only_after_proof(world: World, fault: str) -> None:
    world.fault(endpoint=NEW, fault=fault, times=1)
    request_id = ready(world)
    world.run()
    world.forward(seconds=60)
    world.run()
    assert messages(world, "dm") == 0  # absence proves nothing yet
    assert len(world.attempts(request_id)) == 1
    world.later(10, seconds=60)
    assert [each.outcome for each in world.attempts(request_id)][:2] == ["not_sent", "sent"]
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


class OneOff(Dropping):
    """A way to X that hands out the answer to the first card once more."""

    first: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if not request.url.path.endswith(f"{CREATE}.json"):
            return answer
        self.first = self.first or httpx.Response(200, content=answer.read())
        return httpx.Response(200, content=self.first.content)


def test_an_answer_about_somebody_elses_card_is_looked_up_and_gives_nobody_that_card(world: World) -> None:
    world.clients["acme"] = world.client("acme", OneOff(httpx.WSGITransport(app=world.x_app)))
    world.customers({"user_id": "502", "can_dm": True})
    one, other = ready(world), ready(world, conversation_id="c-2", x_user_id="502")
    world.turns(8, seconds=60)
    cards = {each["recipient"]: str(each["id"]) for each in world.truth()["messages"] if each["via"] == "card"}
    assert {world.request(each).x_user_id: world.request(each).card_dm_id for each in (one, other)} == cards
    assert sorted(world.request(each).feedback_id is None for each in (one, other)) == [False, True]


class Behind(Dropping):
    """A way to X that takes the message that asks no further, and hands out the answer to the opening once more."""

    opening: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(f"{NEW}.json"):
            return super().handle_request(request)
        if self.opening is not None:
            behind, self.opening = self.opening, None
            return behind
        self.opening = httpx.Response(200, content=super().handle_request(request).read())
        return httpx.Response(200, content=self.opening.content)


def test_the_answer_to_the_opening_is_none_to_the_message_that_asks(world: World) -> None:
    world.clients["acme"] = world.client("acme", Behind(httpx.WSGITransport(app=world.x_app)))
    request_id = ready(world, way="page", card_text="Answer here.")
    world.turns(20, seconds=60)
    asked = [each.outcome for each in world.attempts(request_id) if each.kind == "card"]
    assert (asked, messages(world, "dm")) == (["not_sent", "sent"], 2)


def test_the_lists_lag_is_waited_out(world_of: Any) -> None:
    world = world_of({"list_lag_s": 170})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    request_id = ready(world)
    world.turns(30, seconds=20)
    assert world.request(request_id).state == State.CARD_SENT
    assert messages(world, "dm") == 1


@pytest.mark.parametrize("fault", ["status_after_commit", "drop_after_commit"])
@pytest.mark.parametrize(("sender", "reader"), [(-4, 0), (0, 4), (-2, 2), (4, -4)])
def test_machines_whose_clocks_x_takes_prove_no_absence_before_its_list_can_show(
    world_of: Any, fault: str, sender: int, reader: int
) -> None:
    """X takes what is signed up to five minutes before or after its own time."""
    world: World = world_of({"list_lag_s": 170, "pair_scope": "off"})
    world.customers({"user_id": "501", "can_dm": True})
    world.clients["acme"] = world.client("acme", Dated(world))
    world.fault(endpoint=NEW, fault=fault, times=1)
    world.clock.forward(minutes=sender)
    request_id = ready(world)
    world.run()
    world.clock.forward(minutes=reader - sender)
    world.later(90, seconds=10)
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)
    assert world.request(request_id).state == State.CARD_SENT


def test_a_short_lag_believes_clocks_no_more_than_it_waits_for_them(world_of: Any) -> None:
    world: World = world_of({"list_lag_s": 55, "pair_scope": "off"}, accounts__acme__list_lag="60s")
    world.customers({"user_id": "501", "can_dm": True})
    world.clients["acme"] = world.client("acme", Dated(world))
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    world.clock.forward(seconds=-110)
    ready(world)
    world.run()
    world.clock.forward(seconds=110)
    world.later(90, seconds=10)
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


@pytest.mark.parametrize("ahead", [5, 60, 115])
def test_a_clock_ahead_of_xs_costs_one_look_more_and_not_one_each_turn(world_of: Any, ahead: int) -> None:
    world: World = world_of({"list_lag_s": 170, "pair_scope": "off"})
    world.customers({"user_id": "501", "can_dm": True})
    world.clients["acme"] = world.client("acme", Dated(world))
    world.fault(endpoint=NEW, fault="drop_before", times=1)
    world.clock.forward(seconds=ahead)
    request_id = ready(world)
    world.turns(150, seconds=5)
    assert world.request(request_id).state == State.CARD_SENT
    assert sum(world.truth()["counts"]["requests"]["direct_messages/events/list"].values()) <= 4


def test_an_unprovable_send_ends_unknown(world: World) -> None:
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503)
    request_id = ready(world)
    world.turns(15, minutes=10)
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.UNKNOWN, "unclear_send")
    assert messages(world, "dm") == 1
    assert [each.outcome for each in world.attempts(request_id)] == ["unknown"]


@pytest.mark.parametrize("held", [False, True])
def test_after_hours_in_which_nobody_looked_one_look_in_vain_is_no_end(world: World, *, held: bool) -> None:
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503, times=1)
    request_id = ready(world)
    world.run()
    if held:
        with writing(world.engine) as connection:
            holds.hold(connection, "acme", holds.Hold(226, "looks_automated"), world.clock.now)
    world.forward(hours=3)
    world.turns(4, minutes=1)
    assert world.request(request_id).state == (State.DM_SENT if held else State.CARD_SENT)
    assert messages(world, "dm") == 1


def test_nobody_reads_the_list_of_an_account_that_lives_in_another_database(world: World) -> None:
    """Its calls are few, and the other database needs them."""
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    request_id = ready(world)
    world.run()
    with writing(world.engine) as connection:
        moving.say(connection, ["acme"], moving.GONE, world.clock.now)
    world.forward(minutes=20)
    asked = world.truth()["counts"]
    world.run()
    assert world.request(request_id).reason == "unclear"
    assert world.truth()["counts"] == asked


def test_a_worker_that_died_in_the_call_is_looked_up(world: World) -> None:
    request_id = ready(world, lease_token="ls_dead", lease_until=world.clock.now + timedelta(seconds=60))
    died(world, request_id, "dm")
    x = world.clients["acme"]
    x.send_dm("501", FROZEN["opening_text"], signed_at=world.clock.now)  # it arrived; nobody recorded it
    world.later(12, seconds=60)
    assert world.request(request_id).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_an_opening_is_never_mistaken_for_a_card_with_the_same_text(world: World) -> None:
    request_id = ready(world, card_text=FROZEN["opening_text"])
    world.fault(endpoint=CREATE, fault="drop_before", times=1)
    world.turns(12, seconds=60)
    assert world.request(request_id).state == State.CARD_SENT
    assert [each.outcome for each in world.attempts(request_id) if each.kind == "card"] == ["not_sent", "sent"]
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_a_worker_that_died_before_the_call_costs_only_time(world: World) -> None:
    request_id = ready(world, lease_token="ls_dead", lease_until=world.clock.now + timedelta(seconds=60))
    died(world, request_id, "dm")
    world.forward(seconds=200)
    world.run()
    assert messages(world, "dm") == 0  # its call may still be on its way: the signature is young enough
    world.later(8, seconds=60)
    assert world.request(request_id).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def died(world: World, request_id: str, kind: str) -> None:
    """Leave what a worker leaves when killed between the committed intent and the recorded answer."""
    with writing(world.engine) as connection:
        connection.execute(
            sa.insert(send_attempt).values(
                id=new_id("sa", world.clock.now), request_id=request_id, account="acme", x_user_id="501", kind=kind,
                intended_at=world.clock.now,
            )
        )  # fmt: skip


def test_empty_and_short_pages_of_the_list_are_not_the_end(world_of: Any) -> None:
    world = world_of({"list_empty_pages": [1, 3], "list_short_pages": True})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    request_id = ready(world)
    world.run()
    for n in range(40):  # other mail of the account pushes ours down the list
        world.clients["acme"].send_dm("501", f"other mail {n}", signed_at=world.clock.now)
    world.later(12, seconds=60)
    assert world.request(request_id).state == State.CARD_SENT
    assert messages(world, "card") == 1


def test_one_reading_of_the_list_clears_up_all_of_an_account(world: World) -> None:
    people = [str(600 + n) for n in range(10)]
    world.customers(*({"user_id": each, "screen_name": f"u{each}", "can_dm": True} for each in people))
    world.fault(endpoint=NEW, fault="drop_after_commit", times=len(people))
    for each in people:
        ready(world, conversation_id=f"c-{each}", x_user_id=each)
    world.turns(6, seconds=60)
    counts = world.truth()["counts"]
    assert counts["messages_via"] == {"dm": 10, "card": 10}
    assert sum(counts["requests"]["direct_messages/events/list"].values()) <= 3


def test_a_feedback_object_proves_a_card_without_asking_x(world: World) -> None:
    request_id = ready(world, state=State.DM_SENT, dm_event_id="9", dm_sent_at=world.clock.now)
    died(world, request_id, "card")
    appeared(world, request_id, "777")
    world.run()
    row = world.request(request_id)
    assert (row.state, row.feedback_id) == (State.CARD_SENT, "777")
    assert "direct_messages/events/list" not in world.truth()["counts"]["requests"]


def test_an_unknown_send_is_attached_when_its_feedback_appears(world: World) -> None:
    request_id = ready(world, state=State.UNKNOWN, reason="unclear_send", outcome_at=world.clock.now)
    died(world, request_id, "card")
    appeared(world, request_id, "778")
    world.run()
    row = world.request(request_id)
    assert (row.state, row.feedback_id, row.reason) == (State.CARD_SENT, "778", None)
    assert world.history(request_id)[-1] == ("card_sent", "attached", "feedback_appeared")


def appeared(world: World, request_id: str, feedback_id: str) -> None:
    now = world.clock.now
    with writing(world.engine) as connection:
        connection.execute(
            sa.insert(result).values(
                request_id=request_id, feedback_id=feedback_id, x_updated_at=now, first_seen_at=now,
                first_channel="webhook", update_count=1, anomalies=0, updated_at=now,
            )
        )  # fmt: skip
