"""One sequence for all ways of asking: the way is frozen first, and changes only if X refused it."""

import re
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

import pytest

from service.accounts import refused_ways
from service.db import writing
from service.requests import sends
from service.results.answer import Answer, Way
from service.results.ingest import ingest
from service.results.merge import Update
from service.settings import asking as settings
from service.states import PROVEN_UNSENT, State
from service.ways import WAYS, quick_reply
from service.ways.catalogue import choose, languages
from service.ways.scale import words
from tests.outreach.test_walk import sent
from tests.support import World

TEXTS = {
    "en": {
        "opening": "Thanks for writing to {screen_name}.",
        "card": "How did we do? No card to see? {page}",
        "page": "How did we do? Answer here: {page}",
        "quick_reply": "How did we do? Tap one.",
    }
}
OPENING = ("dm", "Thanks for writing to acmecare.")


def asking(world_of: Any, ways: list[str], **switches: Any) -> World:
    world: World = world_of(campaigns__care__ways=ways, campaigns__care__texts=TEXTS)
    if switches:
        world.control("/assumptions", switches, method="PUT")
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    return world


def ended(world: World, **columns: Any) -> str:
    request_id = world.ended(**columns)
    world.forward(minutes=2)
    return request_id


def link(world: World, request_id: str) -> str:
    return world.place.links.to(request_id)


def test_the_page_is_asked_by_a_plain_dm_with_its_link(world_of: Any) -> None:
    world = asking(world_of, ["page"])
    request_id = ended(world)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.way, row.feedback_id) == (State.CARD_SENT, "page", None)
    assert sent(world) == [OPENING, ("dm", f"How did we do? Answer here: {link(world, request_id)}")]
    assert "{page}" in row.card_text  # the ledger holds nothing that opens the page
    assert link(world, request_id).rpartition("/")[2] not in str(row)


def test_quick_replies_name_the_request_and_a_score_each_in_the_customers_language(world_of: Any) -> None:
    world = asking(world_of, ["quick_reply"])
    request_id = ended(world, language="de")
    world.run()
    assert sent(world) == [OPENING, ("dm", "How did we do? Tap one.")]
    message = next(each for each in world.x_app.extensions["sandbox"].messages.values() if each.options)
    assert [label for label, _ in message.options] == [
        "1 Sehr unzufrieden", "2 Unzufrieden", "3 Weder zufrieden noch unzufrieden", "4 Zufrieden", "5 Sehr zufrieden",
    ]  # fmt: skip
    said = [quick_reply.recognise(world.place.hash_key, metadata) for _, metadata in message.options]
    assert said == [quick_reply.Tap(request_id, score) for score in range(1, 6)]


@pytest.mark.parametrize(
    ("language", "first"), [(None, "1 Sehr unzufrieden"), ("sv", "1 Sehr unzufrieden"), ("fr", "1 Très insatisfait")]
)
def test_quick_replies_speak_as_their_text_does_if_we_have_no_words_in_the_customers_language(
    world_of: Any, language: str | None, first: str
) -> None:
    texts = {"de": {**TEXTS["en"], "quick_reply": "Wie war es?"}}
    world = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=texts)
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    ended(world, language=language)
    world.run()
    message = next(each for each in world.x_app.extensions["sandbox"].messages.values() if each.options)
    assert message.options[0][0] == first


def test_a_card_may_carry_the_link_as_a_way_out(world_of: Any) -> None:
    world = asking(world_of, ["card"])
    request_id = ended(world)
    world.run()
    assert sent(world) == [OPENING, ("card", f"How did we do? No card to see? {link(world, request_id)}")]


def test_the_last_way_is_tried_although_it_is_barred(world_of: Any) -> None:
    world = asking(world_of, ["card"])
    with writing(world.engine) as connection:
        refused_ways.bar(connection, "acme", "card", 200, world.clock.now)
    request_id = ended(world)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_without_the_privilege_the_next_way_is_taken_and_nobody_gets_a_second_opening(world_of: Any) -> None:
    world = asking(world_of, ["card", "page"], feedback_privilege=False)
    request_id = ended(world)
    world.run()
    world.forward(minutes=1)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.way) == (State.CARD_SENT, "page")
    assert sent(world) == [OPENING, ("dm", f"How did we do? Answer here: {link(world, request_id)}")]
    assert ("dm_sent", "switched", "token_not_allowed") in world.history(request_id)


def test_a_barred_way_is_left_out_for_a_day_without_asking_x_again(world_of: Any) -> None:
    world = asking(world_of, ["card", "page"], feedback_privilege=False)
    world.customers({"user_id": "502", "can_dm": True}, {"user_id": "503", "can_dm": True})
    ended(world)
    world.run()
    second = ended(world, conversation_id="c-2", x_user_id="502")
    world.run()
    assert ("dm_sent", "switched", "way_barred") in world.history(second)
    refused = [each for each in world.truth()["requests"] if each["endpoint"] == "feedback/create"]
    assert len(refused) == 1

    world.forward(days=1, minutes=1)
    world.control("/assumptions", {"feedback_privilege": True}, method="PUT")
    third = ended(world, conversation_id="c-3", x_user_id="503", ended_at=world.clock.now)
    world.run()
    assert (world.request(third).state, world.request(third).way) == (State.CARD_SENT, None)  # none: by the card


def test_without_another_way_the_account_is_held(world_of: Any) -> None:
    world = asking(world_of, ["card"], feedback_privilege=False)
    request_id = ended(world)
    world.run()
    assert world.request(request_id).state == State.DM_SENT
    assert world.request(request_id).reason == "account_held"


def test_an_unclear_dm_with_a_link_is_found_by_the_link_and_sent_once(world_of: Any) -> None:
    world = asking(world_of, ["page"])
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", skip=1, times=1)
    request_id = ended(world)
    world.run()
    world.later(8, minutes=2)
    assert world.request(request_id).state == State.CARD_SENT
    assert len(sent(world)) == 2


@pytest.mark.parametrize("way", ["card", "page"])
def test_openings_leave_room_for_the_messages_that_ask(world_of: Any, way: str) -> None:
    world: World = world_of(
        campaigns__care__ways=[way], campaigns__care__texts=TEXTS, accounts__acme__dms_per_day=4,
        accounts__acme__expected_per_day=1,
    )  # fmt: skip
    for number in range(4):
        world.customers({"user_id": str(601 + number), "can_dm": True})
        world.ended(conversation_id=f"c-{number}", x_user_id=str(601 + number))
    world.forward(minutes=2)
    world.run()
    dms = [via for via, _ in sent(world) if via == "dm"]
    assert len(dms) == 4


def answered_on_the_page(world: World, request_id: str, score: int = 4) -> None:
    told = Update(world.clock.now, score, world.clock.now, None, None)
    with writing(world.engine) as connection:
        ingest(connection, Answer(request_id, "page", "page", told), world.clock.now)


def test_an_answer_on_the_page_proves_an_unclear_send(world_of: Any) -> None:
    """X's list is of no use here: whoever has answered by the link has the message with it."""
    world = asking(world_of, ["page"], card_dm_in_list=False)
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", skip=1, times=1)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503, code=130)
    request_id = ended(world)
    world.run()
    assert world.request(request_id).reason == "unclear"
    answered_on_the_page(world, request_id)
    world.forward(minutes=1)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert {each.kind: each.evidence for each in world.attempts(request_id)} == {"dm": "answer", "card": "answered"}
    assert len(sent(world)) == 2


LINKED = "Thanks. You may answer here: {page}"


@pytest.mark.parametrize(
    ("opening", "unclear", "evidence"),
    [("Thanks.", "card", "answered"), (LINKED, "card", None), (LINKED, "dm", "answered")],
)
def test_an_answer_on_the_page_corrects_an_unknown_end(
    world_of: Any, opening: str, unclear: str, evidence: str | None
) -> None:
    """By whichever link: they were asked. That of the opening proves no message after it."""
    texts = {"en": {**TEXTS["en"], "opening": opening}}
    world: World = world_of(campaigns__care__ways=["page"], campaigns__care__texts=texts)
    world.customers({"user_id": "501", "can_dm": True})
    skip = 1 if unclear == "card" else 0
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", skip=skip, times=1)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503, code=130)
    request_id = ended(world)
    world.turns(10, minutes=30)
    assert world.request(request_id).state == State.UNKNOWN
    before = len(sent(world))
    answered_on_the_page(world, request_id)
    world.run()
    assert (world.request(request_id).state, len(sent(world))) == (State.CARD_SENT, before)
    assert world.history(request_id)[-1] == ("card_sent", "attached", "answer_came")
    assert {each.kind: each.evidence for each in world.attempts(request_id)}[unclear] == evidence
    assert world.run() == 0, "once"


def test_a_link_in_the_opening_proves_no_message_after_it(world_of: Any) -> None:
    texts = {"en": {**TEXTS["en"], "opening": LINKED}}
    world = world_of(campaigns__care__ways=["page"], campaigns__care__texts=texts)
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint="direct_messages/events/new", fault="drop_before", skip=1, times=1)
    request_id = ended(world)
    world.run()
    answered_on_the_page(world, request_id)
    world.forward(minutes=1)
    world.run()
    assert world.request(request_id).state == State.DM_SENT


@pytest.mark.parametrize("kept_by", ["limit", "believed_unsent"])
def test_whoever_has_answered_is_not_asked_again(world_of: Any, kept_by: str) -> None:
    """By the opening's link while the message that asks waits, or by that message, which X's list did not show."""
    opening = LINKED if kept_by == "limit" else "Thanks."
    texts = {"en": {**TEXTS["en"], "opening": opening}}
    world: World = world_of(campaigns__care__ways=["page"], campaigns__care__texts=texts)
    world.customers({"user_id": "501", "can_dm": True})
    fault = {"fault": "429", "headers": True} if kept_by == "limit" else {"fault": "drop_after_commit"}
    world.fault(endpoint="direct_messages/events/new", skip=1, times=1, **fault)
    request_id = ended(world)
    world.run()
    if kept_by == "believed_unsent":
        with writing(world.engine) as connection:
            unclear = next(each.id for each in world.attempts(request_id) if each.outcome is None)
            sends.settle(connection, unclear, "not_sent", "dm_list", world.clock.now)
        world.set(request_id, reason=PROVEN_UNSENT, scheduled_at=world.clock.now + timedelta(minutes=1))
    before = len(sent(world))
    answered_on_the_page(world, request_id)
    world.forward(minutes=20)
    world.run()
    assert (world.request(request_id).state, len(sent(world))) == (State.CARD_SENT, before)
    evidence = {each.kind: each.evidence for each in world.attempts(request_id)}
    assert evidence == {"dm": "answer", "card": "refused" if kept_by == "limit" else "answered"}


def test_an_answer_by_the_link_of_an_opening_believed_unsent_counts_as_asking(world_of: Any) -> None:
    """Else its customer would be asked again within the cool-down, and a slot of X's day would count as free."""
    texts = {"en": {**TEXTS["en"], "opening": LINKED}}
    world: World = world_of(campaigns__care__ways=["page"], campaigns__care__texts=texts)
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", times=1)
    request_id = ended(world)
    world.run()
    [unclear] = world.attempts(request_id)
    with writing(world.engine) as connection:
        sends.settle(connection, unclear.id, "not_sent", "dm_list", world.clock.now)
    world.set(request_id, reason=PROVEN_UNSENT, scheduled_at=world.clock.now + timedelta(minutes=1))
    answered_on_the_page(world, request_id)
    world.forward(minutes=20)
    world.run()
    assert (world.request(request_id).state, len(sent(world))) == (State.CARD_SENT, 1)
    assert [(each.kind, each.outcome, each.evidence) for each in world.attempts(request_id)] == [
        ("dm", "sent", "answered")
    ]
    world.forward(days=1)
    again = ended(world, conversation_id="c-again")
    world.run()
    assert world.request(again).reason == "cooldown"


def test_settings_take_every_way_and_answers_know_it() -> None:
    assert tuple(WAYS) == settings.WAYS == get_args(Way), "see settings/asking.py and results/answer.py"
    assert {each.name for each in fields(settings.Texts)} > set(WAYS), "each reads the text of its name: Texts"


@pytest.mark.parametrize("code", sorted(languages()))
@pytest.mark.parametrize("kind", ["csat", "nps"])
def test_labels_of_quick_replies_fit_what_x_takes_in_every_language(code: str, kind: str) -> None:
    labels = [f"{score} {word}" for score, word in words(kind, choose([code])).items()]
    assert max(map(len, labels)) <= 36
    assert not [each for each in labels if re.search(r"https?:|www\.|\w\.\w", each)]
    assert len(labels) == len(set(labels)) <= 20
