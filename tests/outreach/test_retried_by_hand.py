"""Where a request continues that a person retries, and whom nobody may write to any more."""

from datetime import timedelta
from typing import Any

import pytest

from service.errors import Conflict
from service.outreach import by_hand
from service.states import State
from tests.outreach.test_unclear import ready
from tests.support import START, World, request_of

TEXTS = {"opening_text": "Hi.", "card_text": "How?"}


@pytest.mark.parametrize(
    ("columns", "to"),
    [
        ({**TEXTS, "can_dm": True}, State.DM_ALLOWED),
        ({**TEXTS, "can_dm": True, "reason": "cannot_dm"}, State.RECEIVED),
        ({**TEXTS, "can_dm": None}, State.RECEIVED),
        ({**TEXTS, "can_dm": False}, State.RECEIVED),
        ({**TEXTS, "dm_sent_at": START}, State.DM_SENT),
        ({**TEXTS, "dm_sent_at": START, "can_dm": True, "reason": "cannot_dm"}, State.DM_SENT),
        ({**TEXTS, "dm_sent_at": START, "x_user_id": None}, State.RECEIVED),
        ({**TEXTS, "can_dm": True, "x_user_id": None}, State.RECEIVED),
        ({"can_dm": True, "dm_sent_at": START}, State.RECEIVED),
    ],
)
def test_a_retry_continues_from_the_furthest_complete_state(columns: dict[str, Any], to: State) -> None:
    assert by_hand._furthest(request_of(START, **{"state": State.FAILED, **columns})) is to


NOBODY = {"x_user_id": None, "x_handle": None}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({}, None),
        ({"erased_at": START}, "erased"),
        ({**NOBODY, "person": "hash"}, "identity_forgotten"),
        ({**NOBODY, "campaign": "care"}, "identity_forgotten"),
        ({**NOBODY, "campaign": "care", "card_text": "How?"}, None),
        (NOBODY, None),
        ({**NOBODY, "person": "hash", "reason": "no_x_identity"}, None),
        ({**NOBODY, "person": "hash", "x_handle": "ada"}, None),
        ({"person": "hash", "campaign": "care"}, None),
    ],
)
def test_a_pruned_identity_differs_from_a_missing_one(columns: dict[str, Any], code: str | None) -> None:
    asked = request_of(START, **{"state": State.FAILED, **columns})
    if code is None:
        return by_hand._demand_somebody(asked)
    with pytest.raises(Conflict) as refused:
        by_hand._demand_somebody(asked)
    assert refused.value.code == code
    return None


@pytest.mark.parametrize(("columns", "code"), [
    ({"state": State.FAILED, "reason": "no_x_identity"}, "identity_not_missing"),
    ({"state": State.SKIPPED, "reason": "cannot_dm"}, "identity_not_missing"),
    ({"state": State.SKIPPED, "reason": "no_x_identity", "erased_at": START}, "identity_not_missing"),
])  # fmt: skip
def test_only_a_missing_identity_is_completed(world: World, columns: dict[str, Any], code: str) -> None:
    request_id = ready(world, **columns)
    with pytest.raises(Conflict) as refused:
        by_hand.complete(world.place, request_id, "501", by="ana", now=START)
    assert refused.value.code == code


def test_a_retried_request_is_not_stale_for_a_day(world: World) -> None:
    skipped = {"state": State.SKIPPED, "outcome_at": START, "ended_at": START - timedelta(days=9)}
    retried = ready(world, **skipped, reason="cancelled")
    by_hand.retry(world.place, retried, by="ana", accept_second_message=False, now=START)
    completed = ready(world, conversation_id="c-2", **skipped, reason="no_x_identity")
    by_hand.complete(world.place, completed, "501", by="ana", now=START)
    assert [world.request(each).stale_at for each in (retried, completed)] == [START + timedelta(days=1)] * 2


@pytest.mark.parametrize(("lease_ends", "code"), [(timedelta(microseconds=1), "in_flight"), (timedelta(0), None)])
def test_a_call_is_under_way_until_its_lease_is_over(world: World, lease_ends: timedelta, code: str | None) -> None:
    request_id = ready(world, lease_token="ls_x", lease_until=START + lease_ends)
    if code is None:
        assert by_hand.cancel(world.place, request_id, by="ana", now=START) is State.SKIPPED
        return
    with pytest.raises(Conflict) as refused:
        by_hand.cancel(world.place, request_id, by="ana", now=START)
    assert refused.value.code == code
