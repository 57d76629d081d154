"""Reopenings, opt-outs, operators and erasure: none of them can cause a second message."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.customers import opted_out
from service.db import batch_deletion, reading, writing
from service.db.batch_deletion import Overdue
from service.errors import Conflict, NotFound
from service.models import access_log, result, send_attempt
from service.models import opt_out as opt_out_table
from service.outreach import by_hand
from service.privacy import housekeeping
from service.requests import forget
from service.states import State
from tests import support
from tests.outreach.test_unclear import died, messages, ready
from tests.support import START, World


def unnamed(world: World, before: datetime) -> Overdue:
    return forget.without_identity(before, hash_key=world.place.hash_key, writer=world.place.writer, now=before)


def asked(world: World) -> dict[str, Any]:
    return {"hash_key": world.place.hash_key, "reason": "asked_by_customer", "by": "me", "now": world.clock.now}


def test_a_reopening_within_the_delay_cancels(world: World) -> None:
    request_id = world.ended()
    world.run()
    world.reopened("c-1", world.clock.now + timedelta(seconds=30))
    world.forward(minutes=2)
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == ("skipped", "reopened")
    assert messages(world, "dm") == 0


def test_a_reopening_before_the_end_does_not_matter(world: World) -> None:
    world.reopened("c-1", world.clock.now - timedelta(hours=1))
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_stale_conversation_is_skipped(world: World) -> None:
    request_id = world.ended(ended_at=world.clock.now - timedelta(hours=25))
    world.run()
    assert world.request(request_id).reason == "stale"


def test_a_person_on_the_opt_out_list_is_not_asked(world: World) -> None:
    with writing(world.engine) as connection:
        added = opted_out.add(connection, ["501", "501"], **asked(world))
        stored = connection.execute(sa.select(opt_out_table)).one()
    assert added == 1
    assert re.fullmatch("[0-9a-f]{64}", stored.person), "who it is cannot be read"
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(request_id).reason == "opted_out"
    with writing(world.engine) as connection:
        assert opted_out.remove(connection, "501", hash_key=world.place.hash_key)
        assert not support.is_opted_out(connection, "501", hash_key=world.place.hash_key, account="acme")


def test_an_opt_out_between_opening_and_card_stops_the_card(world: World) -> None:
    request_id = ready(world, state=State.DM_SENT, dm_event_id="9", dm_sent_at=world.clock.now)
    with writing(world.engine) as connection:
        opted_out.add(connection, ["501"], **asked(world))
    world.run()
    assert world.request(request_id).reason == "opted_out"
    assert messages(world, "card") == 0


def test_an_open_request_can_be_cancelled_once(world: World) -> None:
    request_id = world.ended()
    assert by_hand.cancel(world.place, request_id, by="ana", now=world.clock.now) is State.SKIPPED
    with pytest.raises(Conflict, match="already ended"):
        by_hand.cancel(world.place, request_id, by="ana", now=world.clock.now)
    world.forward(minutes=5)
    world.run()
    assert messages(world, "dm") == 0
    with reading(world.engine) as connection:
        assert connection.scalars(sa.select(access_log.c.action)).all() == ["request.cancel"]


def test_a_request_in_flight_or_looked_up_cannot_be_cancelled(world: World) -> None:
    flying = ready(world, lease_token="ls_x", lease_until=world.clock.now + timedelta(seconds=30))
    with pytest.raises(Conflict) as refused:
        by_hand.cancel(world.place, flying, by="ana", now=world.clock.now)
    assert refused.value.code == "in_flight"
    died(world, flying, "dm")
    world.clock.forward(seconds=31)
    with pytest.raises(Conflict) as refused:
        by_hand.cancel(world.place, flying, by="ana", now=world.clock.now)
    assert refused.value.code == "being_looked_up"


def test_an_unknown_request_is_retried_only_if_a_second_message_is_accepted(world: World) -> None:
    request_id = ready(world, state=State.UNKNOWN, reason="unclear_send", outcome_at=world.clock.now)
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    assert refused.value.code == "may_be_second_message"
    back = by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)
    assert back is State.DM_ALLOWED
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def attempted(world: World, request_id: str, kind: str, outcome: str | None) -> None:
    died(world, request_id, kind)
    with writing(world.engine) as connection:
        connection.execute(sa.update(send_attempt).where(send_attempt.c.kind == kind).values(outcome=outcome))


OPENED: dict[str, Any] = {"dm_event_id": "9", "dm_sent_at": START}


@pytest.mark.parametrize(
    ("kind", "outcome", "columns"),
    [
        ("dm", "unknown", {}),
        ("dm", None, {}),
        ("card", "unknown", OPENED),
        ("card", "unknown", {"opening_text": None}),
        ("card", "unknown", {"state": State.FAILED, "reason": "refused", **OPENED}),
    ],
)
def test_a_message_that_may_have_arrived_stays_in_doubt(
    world: World, kind: str, outcome: str | None, columns: dict[str, Any]
) -> None:
    request_id = ready(world, **{"state": State.SKIPPED, "reason": "cancelled", "outcome_at": START, **columns})
    attempted(world, request_id, kind, outcome)
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    assert refused.value.code == "may_be_second_message"
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)


@pytest.mark.parametrize(("kind", "outcome"), [("dm", "unknown"), ("dm", "sent"), ("card", "not_sent")])
def test_no_confirmation_is_needed_for_a_proven_send_or_another_message(world: World, kind: str, outcome: str) -> None:
    request_id = ready(world, state=State.FAILED, reason="refused", outcome_at=world.clock.now, **OPENED)
    attempted(world, request_id, kind, outcome)
    back = by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    assert back is State.DM_SENT


def test_confirmation_is_needed_again_after_a_cancel(world: World) -> None:
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", times=1)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503)
    request_id = ready(world)
    world.turns(15, minutes=10)
    assert world.request(request_id).state == State.UNKNOWN
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)
    by_hand.cancel(world.place, request_id, by="ana", now=world.clock.now)
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    assert refused.value.code == "may_be_second_message"
    world.run()
    assert messages(world, "dm") == 1


def test_a_request_whose_card_x_has_told_us_of_is_never_retried(world: World) -> None:
    request_id = ready(world, state=State.FAILED, reason="attempts_used_up", outcome_at=world.clock.now, **OPENED)
    times = dict.fromkeys(("x_updated_at", "first_seen_at", "updated_at"), world.clock.now)
    row = {"request_id": request_id, "feedback_id": "77", "first_channel": "webhook", "update_count": 1, **times}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(result).values(anomalies=0, **row))
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)
    assert refused.value.code == "card_is_out"
    assert world.request(request_id).state == State.FAILED


@pytest.mark.parametrize(
    "columns", [OPENED, {}, {"x_user_id": None, "x_handle": "ada"}], ids=["after_the_opening", "before", "handle_only"]
)
def test_a_request_whose_identity_was_pruned_is_not_retried(world: World, columns: dict[str, Any]) -> None:
    request_id = ready(world, state=State.FAILED, reason="refused", outcome_at=world.clock.now, **columns)
    later = world.clock.now + timedelta(days=1)
    for each in (unnamed(world, later), forget.history(later)):
        batch_deletion.forget(world.engine, each)
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)
    assert refused.value.code == "identity_forgotten"
    assert "next conversation" in refused.value.sentence
    world.run()
    assert world.request(request_id).state == State.FAILED


def test_a_request_without_an_identity_ends_so_again(world: World) -> None:
    request_id = ready(world, state=State.SKIPPED, reason="cancelled", x_user_id=None, outcome_at=world.clock.now)
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    world.run()
    assert world.request(request_id).reason == "no_x_identity"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"campaigns__care__sample": 0.0}, "sampled_out"),
        ({"accounts__acme__expected_per_day": 10**6}, "quota"),
    ],
)
def test_a_retry_asks_a_customer_who_was_not_drawn(
    world_of: Callable[..., World], changes: dict[str, Any], reason: str
) -> None:
    world = world_of(**changes)
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended()
    world.run()
    assert world.request(request_id).reason == reason
    world.forward(days=3)
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert [each["text"] for each in world.truth()["messages"]] == ["Thanks for writing to acmecare.", "How did we do?"]


@pytest.mark.parametrize("can_dm", [False, True])
def test_a_retry_asks_x_again_whether_we_may_write(world: World, can_dm: bool) -> None:
    stopped = {"state": State.SKIPPED, "reason": "cannot_dm", "can_dm": can_dm, "can_dm_asked": 2}
    request_id = ready(world, **stopped, outcome_at=world.clock.now)
    back = by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    assert (back, world.request(request_id).can_dm) == (State.RECEIVED, None)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_request_without_texts_is_retried_with_those_of_today(world: World) -> None:
    stopped = {"state": State.SKIPPED, "reason": "sampled_out", "opening_text": None, "card_text": None}
    request_id = ready(world, **stopped, outcome_at=world.clock.now)
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    world.forward(minutes=2)
    world.run()
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert world.request(request_id).card_text == "How did we do?"


def test_a_sent_request_is_never_retried(world: World) -> None:
    request_id = ready(world)
    world.run()
    with pytest.raises(Conflict) as refused:
        by_hand.retry(world.place, request_id, by="ana", accept_second_message=True, now=world.clock.now)
    assert refused.value.code == "not_retryable"


def test_a_retry_after_the_opening_sends_only_the_card(world: World) -> None:
    request_id = ready(
        world, state=State.FAILED, dm_event_id="9", dm_sent_at=world.clock.now, outcome_at=world.clock.now
    )
    by_hand.retry(world.place, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    world.run()
    assert world.truth()["counts"]["messages_via"] == {"card": 1}


def test_a_retry_meets_the_same_gates(world: World) -> None:
    ready(world)
    world.run()
    second = ready(world, conversation_id="c-2", state=State.SKIPPED, reason="cooldown", outcome_at=world.clock.now)
    by_hand.retry(world.place, second, by="ana", accept_second_message=True, now=world.clock.now)
    world.run()
    assert world.request(second).reason == "cooldown"
    assert messages(world, "dm") == 1


def test_an_unknown_id_is_a_sentence(world: World) -> None:
    with pytest.raises(NotFound, match="no request"):
        by_hand.cancel(world.place, "fr_nothing", by="ana", now=world.clock.now)


def test_erasing_a_person_leaves_an_outcome_and_nobody(world: World) -> None:
    sent = ready(world, x_handle="ada", customer_ref="crm-7")
    world.run()
    waiting = world.ended("c-2", x_handle="ada")
    with writing(world.engine) as connection:
        assert forget.handles_of(connection, "501") == {"ada"}
    counts = housekeeping.erase(world.engine, world.settings, "501", by="ana", now=world.clock.now)
    assert counts["requests"] == 2
    for request_id in (sent, waiting):
        row = world.request(request_id)
        assert (row.x_user_id, row.x_handle, row.customer_ref, row.card_text) == (None, None, None, None)
        assert row.conversation_id.startswith("erased_")
        assert row.erased_at == world.clock.now
    assert (world.request(sent).state, world.request(waiting).reason) == ("card_sent", "opted_out")
    with reading(world.engine) as connection:
        assert set(connection.scalars(sa.select(send_attempt.c.x_user_id))) == {""}
    again = world.ended("c-3", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(again).reason == "opted_out"


@pytest.mark.parametrize("endpoint", ["direct_messages/events/new", "feedback/create"])
def test_whoever_is_erased_while_a_message_is_under_way_may_have_it(world: World, endpoint: str) -> None:
    request_id = ready(world)
    world.fault(endpoint=endpoint, fault="drop_after_commit", times=1)
    world.run()
    housekeeping.erase(world.engine, world.settings, "501", by="ana", now=world.clock.now)
    row = world.request(request_id)
    assert (row.state, row.reason, row.x_user_id) == (State.UNKNOWN, "unclear_send", None)
    assert {each.outcome for each in world.attempts(request_id)} <= {"sent", "unknown"}
    world.forward(hours=3)
    world.run()
    assert world.request(request_id) == row


def test_identities_are_pruned_after_their_retention_and_a_dry_run_changes_nothing(world: World) -> None:
    request_id = ready(world, x_handle="ada")
    world.run()
    later = world.clock.now + timedelta(days=1)
    kinds = [unnamed(world, later), forget.history(later)]
    dry = [batch_deletion.count(world.engine, each) for each in kinds]
    assert world.request(request_id).x_handle == "ada"
    assert [batch_deletion.forget(world.engine, each) for each in kinds] == dry
    assert world.request(request_id).x_user_id is None
    assert world.history(request_id) == []
    with writing(world.engine) as connection:  # and yet the person can still be erased: the keyed hash finds them
        forget.recall(connection, "501", set(), hash_key=world.place.hash_key)
        assert forget.erase(connection, "501", world.place.writer, world.clock.now) == 1


def test_a_request_without_an_x_user_is_completed_once(world: World) -> None:
    request_id = world.ended(x_user_id=None)
    world.forward(minutes=2)
    world.run()
    assert world.request(request_id).reason == "no_x_identity"
    by_hand.complete(world.place, request_id, "501", by="ana", now=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    with pytest.raises(Conflict) as refused:
        by_hand.complete(world.place, request_id, "502", by="ana", now=world.clock.now)
    assert refused.value.code == "identity_not_missing"


def test_an_account_of_ours_named_by_hand_is_refused_in_words_that_fit(world: World) -> None:
    request_id = world.ended(x_user_id=None)
    world.forward(minutes=2)
    world.run()
    by_hand.complete(world.place, request_id, "1212121212121", by="ana", now=world.clock.now)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.SKIPPED, "no_x_identity")
    assert row.detail == "The X user set by hand is one of your own accounts: set the customer."
    by_hand.complete(world.place, request_id, "501", by="ana", now=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_request_is_completed_however_late_after_its_end(world: World) -> None:
    request_id = world.ended(x_user_id=None)
    world.forward(minutes=2)
    world.run()
    world.forward(hours=30)
    by_hand.complete(world.place, request_id, "501", by="ana", now=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert ("received", "by_hand", "identity_completed") in world.history(request_id)


def test_a_retry_finds_the_campaign_that_was_missing_and_is_not_stale(world: World) -> None:
    had = world.place
    world.place = replace(had, settings=replace(had.settings, campaigns=()))
    request_id = world.ended()
    world.run()
    assert world.request(request_id).reason == "no_campaign"
    world.forward(hours=30)
    world.place = had
    by_hand.retry(had, request_id, by="ana", accept_second_message=False, now=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
