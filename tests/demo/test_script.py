"""The script contains every case the demo promises to show."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from service.cli.demo import CROWD
from service.demo import cast, script
from service.states import Skip, State

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NEVER_IN_A_DEMO = {
    Skip.SAMPLED_OUT,
    Skip.QUOTA,
    Skip.CANCELLED,
    Skip.WITHDRAWN,
    Skip.CHANNEL,
    Skip.NOT_CONFIRMED,
}  # nobody plays these
DEMO = script.write(CROWD)
SMALL = script.write(8)


def test_the_demo_signs_at_least_sixty_ends() -> None:
    signed = [each for each in DEMO.deliveries if each.kind == "ended" and each.source == script.SIGNED]
    assert len(signed) >= 60
    assert sum(each.forged is not None for each in signed) == 2


def test_every_reason_that_can_be_shown_is_shown() -> None:
    reasons = {fate[1] for _, fate in DEMO.ends.values() if fate[0] == State.SKIPPED}
    assert reasons == set(Skip) - NEVER_IN_A_DEMO


def test_customers_behave_in_every_way() -> None:
    for written in (DEMO, SMALL):
        whys = {customer.why for customer in written.customers}
        assert {"answers with a score", "gives a score, comments later", "comments first, then gives a score",
                "answers late", "never answers", "dismisses the card",
                "gives score and comment together"} <= whys  # fmt: skip


def test_ids_and_handles_are_unique_and_x_would_take_them() -> None:
    people = DEMO.customers
    assert len({each.user_id for each in people}) == len({each.handle for each in people}) == len(people)
    assert all(len(each.handle) <= 15 and int(each.user_id) > 2**53 for each in people)


def test_message_ids_repeat_only_where_the_same_delivery_comes_again() -> None:
    times = Counter((each.source, each.message_id) for each in DEMO.deliveries if each.forged is None)
    again = Counter(each.message_id for each in DEMO.deliveries if each.note == "the same delivery again")
    assert {key[1] for key, count in times.items() if count > 1} == set(again)


def test_what_follows_an_end_is_sent_after_it() -> None:
    order = [(each.customer.number, each.kind, each.end) for each in DEMO.deliveries]
    returning = [each for each in order if each[0] == cast.RETURNING.number]
    assert returning == [(21, "ended", 1), (21, "reopened", 1), (21, "ended", 2)]
    for each in DEMO.deliveries:
        if each.kind in {"look-alike", "nonsense"} or each.forged or "duplicate" in each.answers[1]:
            number = each.customer.number
            assert order.index((number, "ended", 1)) < DEMO.deliveries.index(each)


def test_the_same_delivery_gives_the_same_bytes() -> None:
    for each in DEMO.deliveries:
        assert script.body(each, NOW) == script.body(each, NOW) != script.body(each, NOW + timedelta(seconds=1))


def test_ids_travel_as_text() -> None:
    first = json.loads(script.body(DEMO.deliveries[0], NOW))
    assert isinstance(first["data"]["x_user_id"], str)


def test_both_kinds_of_card_get_enough_answers_to_be_shown() -> None:
    for written in (DEMO, SMALL):
        scores = Counter(
            customer.account for customer, fate in written.ends.values()
            if fate[0] == State.CARD_SENT and customer.answers[0] and "rehearsal" not in customer.tags
        )  # fmt: skip
        assert min(scores[cast.CARE], scores[cast.SHOP]) >= 5
