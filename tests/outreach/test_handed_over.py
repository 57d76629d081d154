"""A link for others to send: who gets one, who does not, and that we send nothing beside it."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.errors import Conflict, NotFound
from service.ids import person
from service.models import feedback_request, opt_out, result
from service.outreach.handed_over import HandedLink, account_of, hand_over
from service.states import State
from tests.floor.app import App, deliver
from tests.outreach.test_unclear import died, ready
from tests.support import START, World


def handed(world: World, conversation_id: str = "c-1") -> HandedLink:
    return hand_over(world.place, "acme", "crm", conversation_id, by="crm key", now=world.clock.now)


def refusal(world: World, conversation_id: str = "c-1") -> str:
    with pytest.raises((Conflict, NotFound)) as refused:
        handed(world, conversation_id)
    return refused.value.code


def test_a_conversation_without_an_identity_gets_its_link_once_and_nothing_of_ours(world: World) -> None:
    request_id = world.ended(x_user_id=None)
    link = handed(world)
    assert (link.request_id, link.url) == (request_id, world.place.links.to(request_id))
    world.forward(hours=1)
    assert handed(world) == link, "asking again changes nothing"
    world.run()
    row = world.request(request_id)
    assert (row.state, row.way, row.card_sent_at) == (State.CARD_SENT, "handed_over", link.handed_over_at)
    assert world.truth()["messages"] == []
    assert [event for _, event, _ in world.history(request_id)] == ["postponed", "handed_over"]


def test_a_link_is_given_out_as_long_as_it_leads_to_a_page(world: World) -> None:
    world.ended(x_user_id=None)
    window = world.settings.reports.answer_window
    until = handed(world).handed_over_at + window
    world.clock.now = until - timedelta(microseconds=1)
    handed(world)
    world.clock.now = until
    assert refusal(world) == "link_expired"


@pytest.mark.parametrize("reason", ["no_x_identity", "cannot_dm", "unreachable"])
def test_limits_on_our_own_writing_do_not_prevent_a_link(world: World, reason: str) -> None:
    request_id = world.ended(state="skipped", reason=reason, outcome_at=world.clock.now)
    handed(world)
    assert world.request(request_id).state == State.CARD_SENT


def test_a_conversation_the_rules_skipped_gets_none(world_of: Any) -> None:
    world = world_of(campaigns__care__sample=0.0)
    request_id = world.ended()
    assert refusal(world) == "not_asked"
    assert world.request(request_id).reason == "sampled_out", "asking for a link decides, and the decision stands"
    assert refusal(world) == "not_asked"


@pytest.mark.parametrize("why", ["opted_out", "reopened", "cooldown", "stale"])
def test_every_rule_applies_to_links_too(world: World, why: str) -> None:
    now = world.clock.now
    if why == "opted_out":
        row = {"person": person(world.place.hash_key, "501"), "account": "*", "reason": "r", "created_by": "me"}
        with writing(world.engine) as connection:
            connection.execute(sa.insert(opt_out).values(**row, created_at=now))
    if why == "reopened":
        world.reopened("c-1", now + timedelta(minutes=1))
    if why == "cooldown":
        world.ended(conversation_id="c-0")
        handed(world, "c-0")
    request_id = world.ended()
    if why == "stale":
        world.forward(hours=25)
    assert refusal(world) == "not_asked"
    assert world.request(request_id).reason == why


def test_a_link_counts_for_the_cooldown(world: World) -> None:
    world.ended(conversation_id="c-0")
    handed(world, "c-0")
    later = world.ended()
    world.forward(minutes=2)
    world.run()
    assert world.request(later).reason == "cooldown"
    assert world.truth()["messages"] == []


def test_a_customer_we_wrote_to_gets_no_link(world: World) -> None:
    world.ended()
    world.forward(minutes=2)
    world.run()
    assert refusal(world) == "asked_already"


def test_a_customer_we_are_writing_to_gets_no_link(world: World) -> None:
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", times=1)
    world.ended()
    world.forward(minutes=2)
    world.run()
    assert refusal(world) == "being_asked"


def test_nothing_is_handed_over_under_a_name_that_has_left_the_settings(world: World) -> None:
    request_id = world.ended(source="gone")
    with pytest.raises(Conflict) as refused:
        hand_over(world.place, "acme", "gone", "c-1", by="crm key", now=world.clock.now)
    assert refused.value.code == "withdrawn"
    assert world.request(request_id).state == State.RECEIVED


def test_conversations_of_others_are_not_found(world: World) -> None:
    assert refusal(world, "nobody") == "unknown_conversation"
    request_id = world.ended()
    world.set(request_id, erased_at=world.clock.now)
    assert refusal(world) == "unknown_conversation"


HOUR = timedelta(hours=1)
OPENED = {"dm_sent_at": START, "dm_event_id": "9"}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"lease_token": "ls_x", "lease_until": START + HOUR / 100}, None),
        ({"lease_token": "ls_x", "lease_until": START + HOUR / 100, "state": State.DM_ALLOWED}, "being_asked"),
        ({"lease_token": "ls_x", "lease_until": START, "state": State.DM_ALLOWED}, None),
        ({"state": State.DM_ALLOWED}, None),
        ({"state": State.DM_SENT, **OPENED}, "being_asked"),
        ({"state": State.DM_ALLOWED, "reason": "unclear"}, "being_asked"),
        ({"state": State.FAILED, "reason": "refused"}, "asked_already"),
        ({"state": State.UNKNOWN, "reason": "unclear_send"}, "asked_already"),
        ({"state": State.SKIPPED, "reason": "cancelled"}, "not_asked"),
        ({"state": State.SKIPPED, "reason": "unreachable"}, None),
        ({"state": State.SKIPPED, "reason": "unreachable", "stale_at": START}, "not_asked"),
    ],
)
def test_a_request_possibly_sent_is_not_handed_over(world: World, columns: dict[str, Any], code: str | None) -> None:
    request_id = ready(world, **{"stale_at": START + HOUR, "state": State.RECEIVED, **columns})
    if code is None:
        assert handed(world).request_id == request_id
        return
    assert refusal(world) == code


def test_a_send_with_unknown_outcome_counts_as_sent(world: World) -> None:
    request_id = ready(world)
    died(world, request_id, "dm")
    assert refusal(world) == "being_asked"


def test_the_link_is_that_of_the_newest_end_of_this_source_and_account(world: World) -> None:
    ends = [world.ended(ended_at=START - n * HOUR, **columns) for n, columns in enumerate((
        {"source": "other"}, {"account": "other"}, {"conversation_id": "c-2"}, {}, {},
    ))]  # fmt: skip
    assert handed(world).request_id == ends[3]
    with reading(world.engine) as connection:
        assert account_of(connection, "crm", "c-1") == "other", "the newest of the source"
        assert account_of(connection, "crm", "c-2") == "acme"
        assert account_of(connection, "other", "c-1") == "acme"
        assert account_of(connection, "other", "c-2") is None


def test_a_chosen_campaign_stays(world: World) -> None:
    request_id = ready(world, stale_at=START + HOUR, page_hash="0" * 32)
    handed(world)
    assert [event for _, event, _ in world.history(request_id)] == ["handed_over"]


# -- over the API, to the answer ---------------------------------------------------------------------------------------


def test_a_crm_gets_a_link_that_a_customer_answers(engine: Engine) -> None:
    app = App(engine)
    key = app.key("hand_in")
    request_id = deliver(app, "c-1")
    told = app.call("POST", "/v1/conversations/crm/c-1/link", key).get_json()
    assert told["request_id"] == request_id
    assert told["good_until"].startswith((app.clock.now + app.settings.reports.answer_window).isoformat()[:16])
    path = told["url"].removeprefix(app.settings.service.public_url)
    assert app.client.get(path).status_code == 200
    assert app.client.post(path, data={"score": "4"}).status_code == 303
    with reading(engine) as connection:
        assert connection.execute(sa.select(result.c.score, result.c.score_way)).one() == (4, "page")
    [row] = app.call("GET", "/v1/results", app.key("supervisor")).get_json()["items"]
    assert (row["way"], row["score_way"], row["score"]) == ("handed_over", "page", 4)
    assert app.call("POST", "/v1/conversations/crm/c-1/link", app.key("hand_in")).get_json() == told
    assert [action for _, action, _ in app.audit()].count("request.hand_over") == 2, "each key that got it is noted"


@pytest.mark.parametrize("role", ["supervisor", "analyst", "monitor"])
def test_only_hand_in_keys_and_admins_get_links(sqlite_engine: Engine, role: str) -> None:
    app = App(sqlite_engine)
    deliver(app, "c-1")
    assert app.call("POST", "/v1/conversations/crm/c-1/link", app.key(role)).status_code == 403
    with reading(sqlite_engine) as connection:
        assert connection.scalar(sa.select(feedback_request.c.way)) is None


def test_a_key_reaches_the_conversations_of_its_account_whatever_the_source_is_of(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    deliver(app, "c-1")
    with writing(sqlite_engine) as connection:
        connection.execute(sa.update(feedback_request).values(account="other"))
    key = app.key("hand_in", "acme")
    assert app.refused(404, "POST", "/v1/conversations/crm/c-1/link", key) == "unknown_conversation"


def test_a_key_of_another_account_and_an_unknown_source_learn_nothing(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    deliver(app, "c-1")
    key = app.key("hand_in", "other")
    assert app.refused(404, "POST", "/v1/conversations/crm/c-1/link", key) == "unknown_conversation"
    assert app.refused(404, "POST", "/v1/conversations/nobody/c-1/link", app.key("hand_in")) == "unknown_conversation"
