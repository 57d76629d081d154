"""What each answer of a CRM makes of a request, and until when it is asked again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.crm_api.look_up_result import CrmCall, LookUpResult
from service.db import reading, writing
from service.models import look_up, source_state
from service.outreach import crm_lookups
from service.requests.outcomes import Learnt, Note, Stop
from service.requests.restored import Restore
from service.sources import call_counts, holds, waiting
from service.sources.lookup_desk import Desk
from service.states import State
from tests.outreach.test_unclear import ready
from tests.support import START, World, request_of, settings_of

TICK, SECOND, MINUTE, HOUR = (timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "minutes", "hours"))
CARE = settings_of(campaigns__care__stale_after="24h").campaigns
CALL = CrmCall("/people/4711", "/people/{customer_ref}", 404, SECOND)


# --- what was found


@pytest.mark.parametrize(
    ("looked", "trust"),
    [
        (LookUpResult(x_user_id="501", trust="vendor_verified", language="de"), "vendor_verified"),
        (LookUpResult(x_handle="ann", trust="crm_entered"), "crm_entered"),
        (LookUpResult(x_user_id="501", on_x=True), "crm_entered"),
    ],
)
def test_an_id_or_handle_identifies_the_customer(looked: LookUpResult, trust: str) -> None:
    learnt = Learnt(
        x_user_id=looked.x_user_id, x_handle=looked.x_handle, identity_trust=trust, language=looked.language
    )  # fmt: skip
    assert crm_lookups._outcome(looked) == Note("looked_up", learnt)
    assert crm_lookups._word(crm_lookups._outcome(looked)) == "found"


@pytest.mark.parametrize("named", [{}, {"x_user_id": "501"}])
def test_a_conversation_that_was_elsewhere_is_skipped_whoever_it_was_with(named: dict[str, str]) -> None:
    told = crm_lookups._outcome(LookUpResult(**named, on_x=False, channel="email"))
    assert isinstance(told, Stop)
    assert (told.reason, told.learnt.channel, crm_lookups._word(told)) == ("channel", "email", "channel")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "looked at nothing"),
        ((CALL,), "looked at /people/{customer_ref} (404)"),
        ((replace(CALL, status=None, note="too slow"),), "looked at /people/{customer_ref} (too slow)"),
        ((replace(CALL, step="/a"), replace(CALL, step="/b")), "looked at /a (404), /b (404)"),
    ],
)
def test_nobody_found_records_the_calls(asked: tuple[CrmCall, ...], said: str) -> None:
    told = crm_lookups._outcome(LookUpResult(asked=asked))
    assert isinstance(told, Stop)
    assert (told.end, told.reason, told.detail) == (State.SKIPPED, "no_x_identity", said)
    assert told.learnt.identity_trust is None
    assert crm_lookups._word(told) == "nobody"


@pytest.mark.parametrize(
    ("asked", "why"),
    [((), "refused"), ((replace(CALL, status=None),), "refused"), ((CALL, replace(CALL, status=401)), "refused_401")],
)
def test_a_hold_is_named_by_the_last_answer(asked: tuple[CrmCall, ...], why: str) -> None:
    assert crm_lookups._why(LookUpResult(asked=asked, problem="refused")) == why


# --- who is looked up, and until when


@pytest.mark.parametrize(
    ("columns", "nobody"),
    [
        ({}, True),
        ({"x_user_id": "501"}, False),
        ({"x_handle": "ann"}, False),
        ({"state": State.IDENTIFIED}, False),
        ({"erased_at": START}, False),
    ],
)
def test_only_customers_without_identity_are_looked_up(columns: dict[str, Any], nobody: bool) -> None:
    asked = request_of(START, **{"x_user_id": None, "reason": "look_up", **columns})
    assert crm_lookups._is_nobody(asked) is nobody
    assert crm_lookups._waits(asked) is nobody
    assert not crm_lookups._waits(replace(asked, reason="delay"))


@pytest.mark.parametrize(
    ("stale_at", "until"),
    [(None, START + 24 * HOUR), (START + HOUR, START + 24 * HOUR), (START + 48 * HOUR, START + 48 * HOUR)],
)
def test_it_is_worth_asking_as_long_as_any_campaign_might_take_it_or_a_person_wants_it(
    stale_at: datetime | None, until: datetime
) -> None:
    short = replace(CARE[0], stale_after=HOUR)
    assert crm_lookups._until(request_of(START, stale_at=stale_at), (short, *CARE), ()) == until


def test_after_a_restore_it_is_worth_asking_from_then_on() -> None:
    restores = [Restore(START, START + 30 * HOUR), Restore(START, START - HOUR)]
    asked = request_of(START, stale_at=None)
    assert crm_lookups._until(asked, CARE, restores) == START + 54 * HOUR


# --- in the database


def nothing(*_: object) -> LookUpResult:
    raise AssertionError("nobody is asked here")


DESK = Desk("crm", nothing, calls=2, at_once=3, per_minute=60, on_x=frozenset({"twitter"}))


@pytest.fixture
def desked(world: World) -> World:
    world.place = replace(world.place, desks={"crm": DESK})
    with writing(world.engine) as connection:
        holds.enrol(connection, ["crm"], world.clock.now)
    return world


def parked(world: World, **columns: Any) -> Any:
    request_id = world.ended(**{"x_user_id": None, "customer_ref": "4711", **columns})
    with writing(world.engine) as connection:
        request = crm_lookups.locked(connection, request_id)
        assert request is not None
        return crm_lookups.wanted(connection, world.place, request, world.clock.now)


@pytest.mark.parametrize(("ago", "reason"), [(24 * HOUR - TICK, "look_up"), (24 * HOUR, "stale")])
def test_old_conversations_are_not_looked_up(desked: World, ago: timedelta, reason: str) -> None:
    assert parked(desked, ended_at=desked.clock.now - ago).reason == reason


@pytest.mark.parametrize(("columns", "parks"), [
    ({}, True), ({"channel": "Twitter"}, True), ({"channel": "email"}, False), ({"source": "other"}, None),
    ({"x_user_id": "501"}, None),
])  # fmt: skip
def test_a_request_waits_for_a_look_up_if_its_source_has_an_api(
    desked: World, columns: dict[str, Any], parks: bool | None
) -> None:
    told = parked(desked, **columns)
    assert (told and told.reason) == {True: "look_up", False: "channel", None: None}[parks]
    with reading(desked.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(look_up)) == int(parks is True)


def test_a_retried_request_without_identity_is_looked_up_again(desked: World) -> None:
    """Its campaign was chosen before; it waits for its customer all the same."""
    request_id = ready(desked, x_user_id=None, state=State.RECEIVED, customer_ref="4711")
    desked.run()
    assert desked.request(request_id).reason == "look_up"


def put_back(world: World, problem: str, attempts: int, again_in: timedelta | None = None) -> Any:
    """The row of a look-up that brought nothing, and how its source stands."""
    parked(world)
    with writing(world.engine) as connection:
        [first] = waiting.next_due(connection, "crm", world.clock.now, 1)
        taken = waiting.take(connection, replace(first, attempts=attempts), world.clock.now)
        stands = holds.lock(connection, DESK.source)
        looked = LookUpResult(problem=problem, again_in=again_in)
        crm_lookups._put_back(connection, DESK, stands, taken, looked, world.clock.now)
    with reading(world.engine) as connection:
        source = connection.execute(sa.select(source_state)).one()
        return connection.execute(sa.select(look_up)).one(), source


def test_a_refusing_source_is_held_and_the_customer_stays_queued(desked: World) -> None:
    row, source = put_back(desked, "refused", attempts=4)
    assert (source.hold_reason, row.due_at, row.attempts) == ("refused", desked.clock.now, 4)


@pytest.mark.parametrize(("attempts", "least", "most"), [(0, 4 * SECOND, 6 * SECOND), (9, 30 * MINUTE, 30 * MINUTE)])
def test_an_absent_crm_is_retried_with_a_backoff_of_half_an_hour_at_most(
    desked: World, attempts: int, least: timedelta, most: timedelta
) -> None:
    row, source = put_back(desked, "away", attempts)
    assert least <= row.due_at - desked.clock.now <= most
    assert (row.attempts, source.away_since, source.paused_until) == (attempts + 1, desked.clock.now, None)


@pytest.mark.parametrize("again_in", [None, 90 * SECOND])
def test_a_rate_limit_pauses_as_long_as_it_says_or_by_default(desked: World, again_in: timedelta | None) -> None:
    row, source = put_back(desked, "limited", 0, again_in)
    pause = source.paused_until - desked.clock.now
    assert pause == again_in if again_in else 4 * SECOND <= pause <= 6 * SECOND
    assert (row.due_at, row.attempts) == (desked.clock.now, 1)


@pytest.mark.parametrize(("on_x", "kept"), [(None, True), (True, True), (False, False)])
def test_an_answer_is_kept_for_the_customer_s_next_conversation_unless_it_was_elsewhere(
    desked: World, on_x: bool | None, kept: bool
) -> None:
    assert parked(desked).reason == "look_up"
    desked.run()
    with writing(desked.engine) as connection:
        taken = crm_lookups._take(connection, desked.place, DESK, desked.clock.now)
        assert taken is not None
        told = LookUpResult(x_user_id="501", on_x=on_x)
        crm_lookups._record(connection, desked.place, DESK, taken, told, desked.clock.now)
        again = crm_lookups._remembered(connection, desked.place, DESK, taken.request, desked.clock.now)
    assert (again is not None) is kept
    with reading(desked.engine) as connection:
        word = "found" if kept else "channel"
        assert call_counts.since(connection, desked.clock.now - HOUR) == {"crm": {word: 1}}


def test_a_customer_without_an_id_is_looked_up_each_time(desked: World) -> None:
    assert crm_lookups._customer(desked.place, DESK, request_of(START, customer_ref=None)) is None
    assert crm_lookups._customer(desked.place, DESK, request_of(START, customer_ref="4711")) is not None
    of_each = replace(DESK, of_conversation=True)
    assert crm_lookups._customer(desked.place, of_each, request_of(START, customer_ref="4711")) is None
