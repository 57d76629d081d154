"""Every false record of the service, the sandbox or a sender is found, under the promise it breaks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.demo.memories import Memories, ShownAnswer
from service.demo.read_back import AttemptRow, Ledger, RequestRow
from service.demo.reconcile import CHECKS, reconcile
from tests.demo.memories import agreeing

Lie = Callable[[Memories], Memories]


def broken(memories: Memories) -> set[str]:
    return {each.promise for each in reconcile(memories) if not each.holds}


def test_memories_that_agree_break_no_promise() -> None:
    assert broken(agreeing()) == set()


def test_a_check_of_nothing_does_not_hold() -> None:
    nothing = replace(
        agreeing(),
        posted=[],
        ledger=Ledger([], [], [], []),
        truth={"messages": [], "cards": [], "requests": [], "visits": []},
    )
    assert {"nobody got a message twice", "X received no message without an intent to send"} <= broken(nothing)


def ledger(memories: Memories, **changes: Any) -> Memories:
    return replace(memories, ledger=replace(memories.ledger, **changes))


def truth(memories: Memories, **changes: Any) -> Memories:
    return replace(memories, truth={**memories.truth, **changes})


def asked(memories: Memories) -> RequestRow:
    return next(each for each in memories.ledger.requests if each.dm_event_id and not each.test)


def changed(memories: Memories, request: RequestRow, **columns: Any) -> Memories:
    rows = [replace(each, **columns) if each is request else each for each in memories.ledger.requests]
    return ledger(memories, requests=rows)


def a_request_is_lost(m: Memories) -> Memories:
    return ledger(m, requests=[each for each in m.ledger.requests if each.state != "skipped"])


def a_conversation_has_two_rows(m: Memories) -> Memories:
    return ledger(m, requests=[*m.ledger.requests, replace(m.ledger.requests[0], id="fr_second")])


def a_request_never_ends(m: Memories) -> Memories:
    return changed(m, asked(m), state="dm_sent")


def a_skip_has_no_reason(m: Memories) -> Memories:
    return changed(m, next(each for each in m.ledger.requests if each.state == "skipped"), reason=None)


def a_skip_has_the_wrong_reason(m: Memories) -> Memories:
    return changed(m, next(each for each in m.ledger.requests if each.reason == "stale"), reason="cooldown")


def a_second_opening(m: Memories) -> Memories:
    first = next(each for each in m.truth["messages"] if each["via"] == "dm")
    return truth(m, messages=[*m.truth["messages"], {**first, "id": "77"}])


def a_second_card(m: Memories) -> Memories:
    return truth(m, cards=[*m.truth["cards"], {**m.truth["cards"][0], "id": "78"}])


def an_opening_that_x_never_got(m: Memories) -> Memories:
    gone = asked(m).dm_event_id
    return truth(m, messages=[each for each in m.truth["messages"] if each["id"] != gone])


def an_opening_with_other_words(m: Memories) -> Memories:
    return changed(m, asked(m), opening_text="Something else.")


def a_card_to_somebody_else(m: Memories) -> Memories:
    card, *others = m.truth["cards"]
    return truth(m, cards=[{**card, "to": "1"}, *others])


def a_card_whose_id_we_do_not_know(m: Memories) -> Memories:
    return changed(m, asked(m), feedback_id=None)


def a_link_that_two_have(m: Memories) -> Memories:
    first, other, *_ = [each for each in m.truth["messages"] if "/f/" in each["text"]]
    shared = {**other, "text": first["text"]}
    return truth(m, messages=[shared if each is other else each for each in m.truth["messages"]])


def a_prompt_that_x_never_got(m: Memories) -> Memories:
    gone = next(each for each in m.truth["messages"] if each["text"] == "Tap one.")
    return truth(m, messages=[each for each in m.truth["messages"] if each is not gone])


def a_tap_that_counts_for_nothing(m: Memories) -> Memories:
    tapped = next(each for each in m.truth["messages"] if each["via"] == "customer")
    better = {**tapped, "text": "1 Badly"}
    return truth(m, messages=[better if each is tapped else each for each in m.truth["messages"]])


def a_message_to_whom_we_skipped(m: Memories) -> Memories:
    spared = next(each for each in m.ledger.requests if each.reason == "opted_out")
    message = {"id": "79", "sender": "care", "recipient": spared.x_user_id, "text": "Hello.", "via": "dm"}
    return truth(m, messages=[*m.truth["messages"], message])


def an_intent_without_an_outcome(m: Memories) -> Memories:
    first, *others = m.ledger.attempts
    return ledger(m, attempts=[replace(first, outcome=None), *others])


def a_send_said_to_be_unsent(m: Memories) -> Memories:
    first, *others = m.ledger.attempts
    return ledger(m, attempts=[replace(first, outcome="not_sent"), *others])


def a_call_without_an_intent(m: Memories) -> Memories:
    return truth(m, requests=[*m.truth["requests"], m.truth["requests"][0]])


def an_answer_lost(m: Memories) -> Memories:
    return ledger(m, results=m.ledger.results[1:])


def an_answer_nobody_gave(m: Memories) -> Memories:
    silent = {each.id for each in m.ledger.requests} - {each.request_id for each in m.ledger.results}
    made_up = replace(m.ledger.results[0], request_id=min(silent))
    return ledger(m, results=[*m.ledger.results, made_up])


def a_score_changed(m: Memories) -> Memories:
    first = next(each for each in m.ledger.results if each.score is not None)
    better = [replace(each, score=each.score + 1) if each is first else each for each in m.ledger.results]
    return ledger(m, results=better)


def the_api_hides_a_score(m: Memories) -> Memories:
    key = next(key for key, answer in m.told.results.items() if answer.score is not None)
    return replace(m, told=replace(m.told, results={**m.told.results, key: ShownAnswer(None, None, suppressed=True)}))


def the_csv_has_a_row_too_few(m: Memories) -> Memories:
    return replace(m, told=replace(m.told, csv=dict(list(m.told.csv.items())[1:])))


def rehearsals_are_counted(m: Memories) -> Memories:
    return replace(m, told=replace(m.told, n={**m.told.n, "csat": (m.told.n["csat"] or 0) + 1}))


def a_refused_delivery_is_stored(m: Memories) -> Memories:
    forged = next(each for each in m.posted if each.status == 401)
    return ledger(m, deliveries=[*m.ledger.deliveries, (forged.delivery.source, "0" * 64)])


def a_delivery_is_not_stored(m: Memories) -> Memories:
    return ledger(m, deliveries=m.ledger.deliveries[1:])


def a_forged_delivery_is_welcome(m: Memories) -> Memories:
    return replace(m, posted=[replace(each, status=200) if each.status == 401 else each for each in m.posted])


def both_copies_are_accepted(m: Memories) -> Memories:
    twice = [each for each in m.posted if each.delivery.at_once > 1]
    return replace(m, posted=[replace(each, said={"accepted": 1}) if each in twice else each for each in m.posted])


LIES: dict[Lie, str] = {
    a_forged_delivery_is_welcome: "every delivery got the right response",
    both_copies_are_accepted: "every delivery got the right response",
    a_refused_delivery_is_stored: "every delivery answered with 2xx is stored exactly once",
    a_delivery_is_not_stored: "every delivery answered with 2xx is stored exactly once",
    a_request_is_lost: "every ended conversation has exactly one outcome",
    a_conversation_has_two_rows: "every ended conversation has exactly one outcome",
    a_request_never_ends: "every ended conversation has exactly one outcome",
    a_skip_has_no_reason: "every ended conversation has exactly one outcome",
    a_skip_has_the_wrong_reason: "every outcome is the right one",
    a_second_opening: "nobody got a message twice",
    an_opening_that_x_never_got: "every opening DM at X belongs to one request",
    an_opening_with_other_words: "every opening DM at X belongs to one request",
    a_second_card: "every card at X belongs to one request",
    a_card_to_somebody_else: "every card at X belongs to one request",
    a_card_whose_id_we_do_not_know: "every card at X belongs to one request",
    a_link_that_two_have: "every DM at X that asks belongs to one request",
    a_prompt_that_x_never_got: "every DM at X that asks belongs to one request",
    a_tap_that_counts_for_nothing: "every score and comment is in the results",
    a_message_to_whom_we_skipped: "skipped customers got no message",
    an_intent_without_an_outcome: "every intent to send is settled, and matches X",
    a_send_said_to_be_unsent: "every intent to send is settled, and matches X",
    a_call_without_an_intent: "X received no message without an intent to send",
    an_answer_lost: "every score and comment is in the results",
    an_answer_nobody_gave: "every score and comment is in the results",
    a_score_changed: "every score and comment is in the results",
    the_api_hides_a_score: "API and CSV show the same answers",
    the_csv_has_a_row_too_few: "API and CSV show the same answers",
    rehearsals_are_counted: "n in the summary equals what X counts",
}


@pytest.mark.parametrize(("lie", "promise"), LIES.items(), ids=lambda each: getattr(each, "__name__", None))
def test_a_false_record_is_found_under_its_promise(lie: Lie, promise: str) -> None:
    assert promise in broken(lie(agreeing()))


def test_every_promise_can_be_broken_by_a_false_record() -> None:
    assert set(LIES.values()) == set(CHECKS)


def test_a_comment_hidden_for_a_small_group_breaks_no_promise() -> None:
    memories = agreeing()
    told = {key: ShownAnswer(each.score, None, suppressed=True) for key, each in memories.told.results.items()}
    assert broken(replace(memories, told=replace(memories.told, results=told, csv=told))) == set()


def test_a_call_x_refused_unread_breaks_no_promise() -> None:
    memories = agreeing()
    refused = {**memories.truth["requests"][0], "recipient": None, "committed": None, "status": 401}
    assert broken(truth(memories, requests=[*memories.truth["requests"], refused])) == set()


def test_a_send_found_in_the_dm_list_is_the_card_it_carries() -> None:
    memories = agreeing()
    request = asked(memories)
    found = AttemptRow(request.id, "card", "sent", "dm_list", request.card_dm_id)
    rows = [
        found if (each.request_id, each.kind) == (request.id, "card") else each for each in memories.ledger.attempts
    ]
    assert broken(ledger(memories, attempts=rows)) == set()
