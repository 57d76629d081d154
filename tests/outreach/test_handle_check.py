"""A handle typed into the CRM: only somebody who wrote to the account is asked, within the DM list's few calls."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.accounts import task_leases
from service.customers import contacts
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.ids import person
from service.models import contact
from service.outreach import handle_check
from service.privacy import housekeeping
from service.requests.outcomes import Postpone, Stop
from service.states import State
from service.x_api import DirectMessage, DmPage, XAnswer
from tests.support import SOURCE_KEY, START, Dropping, World, request_of

TYPED: dict[str, Any] = {"x_user_id": None, "x_handle": "ada", "identity_trust": "crm_entered"}


def read(world: World) -> int:
    return handle_check.read_once(world.place, world.settings.accounts["acme"], world.clients["acme"], world.clock)


def on(world: World, **span: float) -> None:
    world.forward(**span)
    world.run()
    read(world)


def lists(world: World) -> int:
    asked: list[dict[str, Any]] = world.truth()["requests"]
    return sum(each["endpoint"] == "direct_messages/events/list" for each in asked)


def wrote(world: World, user_id: str = "501") -> None:
    world.control(f"/customers/{user_id}/dm", {"text": "my parcel is lost"})


def test_a_customer_who_wrote_to_the_account_is_asked(world: World) -> None:
    wrote(world)
    world.forward(minutes=5)
    request_id = world.ended(**TYPED)
    for _ in range(4):
        on(world, minutes=1)
    assert world.request(request_id).state == "card_sent"
    with reading(world.engine) as connection:
        kept = connection.execute(sa.select(contact)).one()
    assert "501" not in (kept.person, kept.account)


def test_the_list_is_read_back_to_the_oldest_conversation_that_waits(world_of: Callable[..., World]) -> None:
    world = world_of(campaigns__care__stale_after="20d")
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    wrote(world)
    world.forward(minutes=5)
    request_id = world.ended(**TYPED)
    world.forward(days=9)
    for _ in range(4):
        on(world, minutes=1)
    assert world.request(request_id).state == "card_sent"


def test_a_reading_that_did_not_go_back_far_enough_proves_nothing_of_an_older_conversation(
    world_of: Callable[..., World],
) -> None:
    world = world_of({"list_short_pages": True}, campaigns__care__stale_after="20d")
    world.customers(
        {"user_id": "501", "screen_name": "ada", "can_dm": True},
        *({"user_id": n, "screen_name": f"u{n}"} for n in ("502", "999")),
    )
    wrote(world)
    ended_at = world.clock.now + timedelta(minutes=5)
    world.forward(days=1)
    for _ in range(20):
        wrote(world, "999")
    world.forward(days=8)
    younger = world.ended("c-2", **{**TYPED, "x_handle": "u502"})
    for _ in range(6):
        on(world, minutes=1)
    assert world.request(younger).reason == "not_confirmed"
    older = world.ended(ended_at=ended_at, **TYPED)
    for _ in range(6):
        on(world, minutes=1)
    assert world.request(older).state == "card_sent"


def test_a_customer_who_never_wrote_is_not_asked(world: World) -> None:
    world.customers({"user_id": "502"})
    wrote(world, "502")
    request_id = world.ended(**TYPED)
    for _ in range(10):
        on(world, minutes=1)
    found = world.request(request_id)
    assert (found.state, found.reason) == ("skipped", "not_confirmed")
    assert world.attempts(request_id) == []


class Empty(Dropping):
    """An X whose list comes out empty, as in an outage."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events/list.json"):
            return httpx.Response(200, json={"events": []}, request=request)
        return super().handle_request(request)


def test_a_list_that_hides_what_we_sent_proves_of_nobody_that_they_never_wrote(world: World) -> None:
    world.customers({"user_id": "502", "can_dm": True})
    world.ended("c-2", x_user_id="502")
    for _ in range(10):
        on(world, minutes=1)
    well = world.clients["acme"]
    world.clients["acme"] = world.client("acme", Empty(httpx.WSGITransport(app=world.x_app)))
    wrote(world)
    request_id = world.ended(ended_at=world.clock.now, **TYPED)
    for _ in range(60):
        on(world, minutes=1)
    assert (world.request(request_id).state, world.request(request_id).reason) == ("identified", "confirming")
    world.clients["acme"] = well
    for _ in range(5):
        on(world, minutes=1)
    assert world.request(request_id).state == "card_sent"


def test_a_message_before_the_conversation_confirms_nobody(world: World) -> None:
    wrote(world)
    world.forward(days=8)
    request_id = world.ended(**TYPED)
    for _ in range(10):
        on(world, minutes=1)
    assert world.request(request_id).reason == "not_confirmed"


def test_a_list_that_lags_is_waited_for(world_of: Callable[..., World]) -> None:
    world = world_of({"list_lag_s": 120})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    wrote(world)
    request_id = world.ended(**TYPED)
    on(world, minutes=1.5)
    on(world, seconds=20)
    assert world.request(request_id).reason == "confirming"
    for _ in range(4):
        on(world, minutes=1)
    assert world.request(request_id).state == "card_sent"


@pytest.mark.parametrize("columns", [{"identity_trust": "bridge"}, {"identity_trust": "vendor_verified"}])
def test_an_identity_from_the_vendor_needs_no_proof(world: World, columns: dict[str, Any]) -> None:
    request_id = world.ended(**{**TYPED, **columns})
    on(world, minutes=2)
    assert (world.request(request_id).state, lists(world)) == ("card_sent", 0)


def test_a_source_may_skip_the_check(world_of: Callable[..., World]) -> None:
    world = world_of(sources__crm__confirm="none")
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended(**TYPED)
    on(world, minutes=2)
    assert world.request(request_id).state == "card_sent"


def test_one_reading_serves_all_who_wait_and_none_is_made_otherwise(world: World) -> None:
    world.customers(*({"user_id": str(n), "screen_name": f"u{n}", "can_dm": True} for n in range(600, 606)))
    assert read(world) == 0
    for n in range(600, 606):
        wrote(world, str(n))
    asked = [world.ended(f"c-{n}", **{**TYPED, "x_handle": f"u{n}"}) for n in range(600, 606)]
    for _ in range(6):
        on(world, minutes=1)
    assert {world.request(each).state for each in asked} == {"card_sent"}
    assert lists(world) == 1


def test_a_busy_accounts_list_is_read_through_over_many_turns(world_of: Callable[..., World]) -> None:
    """Whoever wrote is found however far back, and of whoever did not that is said, not that the time was over."""
    world = world_of({"list_lag_s": 0, "list_short_pages": True})
    world.customers(*({"user_id": str(n), "screen_name": f"u{n}", "can_dm": True} for n in (501, 502, 503)))
    wrote(world, "501")
    for _ in range(200):
        wrote(world, "503")
    world.forward(minutes=5)
    far_back, never = (world.ended(f"c-{n}", **{**TYPED, "x_handle": f"u{n}"}) for n in (501, 502))
    for _ in range(90):
        on(world, minutes=1)
    assert world.request(far_back).state == "card_sent"
    assert (world.request(never).state, world.request(never).reason) == ("skipped", "not_confirmed")


def test_without_calls_left_the_list_is_not_tried_constantly(world: World) -> None:
    world.customers({"user_id": "502"})
    request_id = world.ended(**TYPED)
    on(world, minutes=1)
    with writing(world.engine) as connection:
        task_leases.set_moment(connection, "acme", "confirm", world.clock.now + timedelta(minutes=5))
    world.set(request_id, scheduled_at=world.clock.now)
    world.run()
    assert world.request(request_id).scheduled_at > world.clock.now + timedelta(minutes=5)


def test_unclear_sends_keep_their_share_of_calls(world_of: Callable[..., World]) -> None:
    world = world_of(accounts__acme__lookups_per_window=3)
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended(**TYPED)
    for _ in range(14):
        on(world, minutes=1)
    assert lists(world) <= 2
    assert world.request(request_id).reason in {"confirming", "not_confirmed"}


def test_a_refused_reading_confirms_nobody_and_is_repeated(world: World) -> None:
    wrote(world)
    request_id = world.ended(**TYPED)
    world.fault(endpoint="direct_messages/events/list", fault="status", status=503, times=2)
    for _ in range(8):
        on(world, minutes=1)
    assert world.request(request_id).state == "card_sent"


def test_erasing_a_person_forgets_that_they_wrote(world: World) -> None:
    wrote(world)
    world.ended(**TYPED)
    for _ in range(4):
        on(world, minutes=1)
    counts = housekeeping.erase(world.engine, world.settings, "501", by="sue", now=world.clock.now)
    assert counts["contacts"] == 1
    with writing(world.engine) as connection:  # X's list still shows it to whoever reads it next
        key = open_key(world.engine, world.settings.service.secret_key)
        contacts.note(connection, "acme", [("501", world.clock.now), ("502", world.clock.now)], hash_key=key)
        assert len(connection.execute(sa.select(contact)).all()) == 1


def test_old_contacts_are_forgotten(world: World) -> None:
    wrote(world)
    world.ended(**TYPED)
    for _ in range(3):
        on(world, minutes=1)
    later = world.clock.now + contacts.KEPT
    housekeeping.prune(world.engine, world.settings, later, dry_run=False)
    with reading(world.engine) as connection:
        assert connection.execute(sa.select(contact)).all() == []


def test_without_a_dm_list_typed_handles_are_not_asked(world: World) -> None:
    account = replace(world.settings.accounts["acme"], client_id="app-1")
    request = request_of(world.clock.now, identity_trust="crm_entered", state=State.IDENTIFIED)
    with reading(world.engine) as connection:
        outcome = handle_check.unconfirmed(connection, world.place, request, account, world.clock.now)
    assert isinstance(outcome, Stop)
    assert (outcome.reason, "confirm = 'none'" in (outcome.detail or "")) == ("not_confirmed", True)


# -- to the microsecond

TICK, MINUTE, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=1)
AGAIN = timedelta(seconds=30)


@pytest.fixture
def lagging(world_of: Callable[..., World]) -> World:
    return world_of(accounts__acme__list_lag="3m", accounts__acme__window="15m")


def said(
    world: World, *, wrote_at: Any = None, back_to: Any = None, read_at: Any = None, reads_at: Any = None,
    **columns: Any,
) -> Any:  # fmt: skip
    """What becomes of a request of a typed handle that ended just now, with what is known of the list."""
    with writing(world.engine) as connection:
        if wrote_at is not None:
            contacts.note(connection, "acme", [("501", wrote_at)], hash_key=world.place.hash_key)
        for name, at in (("confirm_read", read_at), ("confirm_back_to", back_to), ("confirm", reads_at)):
            if at is not None:
                task_leases.set_moment(connection, "acme", name, at)
    request = request_of(START, **{"identity_trust": "crm_entered", "state": State.IDENTIFIED, **columns})
    with reading(world.engine) as connection:
        return handle_check.unconfirmed(connection, world.place, request, world.settings.accounts["acme"], START)


@pytest.mark.parametrize(
    "columns", [{"identity_trust": "bridge"}, {"state": State.DM_ALLOWED}, {"state": State.RECEIVED}, {"source": "x"}]
)
def test_other_requests_do_not_wait(lagging: World, columns: dict[str, Any]) -> None:
    assert said(lagging, **columns) is None


@pytest.mark.parametrize(("wrote_at", "confirmed"), [(START - 7 * DAY, True), (START - 7 * DAY - TICK, False)])
def test_a_message_within_a_week_before_the_end_confirms(lagging: World, wrote_at: datetime, confirmed: bool) -> None:
    assert (said(lagging, wrote_at=wrote_at) is None) is confirmed


@pytest.mark.parametrize(
    ("ended_at", "read_at", "over"),
    [
        (START - 3 * MINUTE, START, True),
        (START - 3 * MINUTE + TICK, START, False),
        (START - 5 * MINUTE, START - 2 * MINUTE, True),
        (START - 5 * MINUTE, START - 2 * MINUTE - TICK, False),
        (START - DAY, START + TICK, False),
        (START - DAY, None, False),
    ],
)
def test_a_list_read_late_enough_proves_that_nobody_wrote(
    lagging: World, ended_at: datetime, read_at: datetime | None, over: bool
) -> None:
    """A reading still to come is of a clock that has been put right since."""
    told = said(lagging, ended_at=ended_at, back_to=START - 30 * DAY, read_at=read_at)
    assert isinstance(told, Stop if over else Postpone)
    assert told.reason == ("not_confirmed" if over else "confirming")


@pytest.mark.parametrize(("back_to", "over"), [(START - 8 * DAY, True), (START - 8 * DAY + TICK, False), (None, False)])
def test_a_list_read_back_far_enough_proves_that_nobody_wrote(lagging: World, back_to: Any, over: bool) -> None:
    told = said(lagging, ended_at=START - DAY, back_to=back_to, read_at=START)
    assert isinstance(told, Stop if over else Postpone)


@pytest.mark.parametrize(
    ("reads_at", "until"),
    [
        (None, START),
        (START - DAY, START),
        (START + 5 * MINUTE, START + 5 * MINUTE),
        (START + DAY, START + 15 * MINUTE),
    ],
)
def test_waiting_requests_are_due_soon_after_the_next_reading(lagging: World, reads_at: Any, until: datetime) -> None:
    assert said(lagging, reads_at=reads_at) == Postpone(until + AGAIN, "confirming")


class OnePage:
    """X's list, and how often it was asked."""

    def __init__(self, *messages: DirectMessage) -> None:
        self.page, self.asked = DmPage(messages, None), 0

    def list_dms(self, _cursor: str | None = None) -> XAnswer[DmPage]:
        self.asked += 1
        return XAnswer(self.page, None)


def test_dated_messages_of_others_are_noted_and_the_next_page_read_in_a_minute(lagging: World) -> None:
    us = lagging.settings.accounts["acme"].user_id
    x: Any = OnePage(
        DirectMessage("1", "501", created_at=START), DirectMessage("2", us, created_at=START),
        DirectMessage("3", None, created_at=START), DirectMessage("4", "502"),
    )  # fmt: skip
    account = lagging.settings.accounts["acme"]
    assert (handle_check.read_once(lagging.place, account, x, lagging.clock), x.asked) == (0, 0), "nobody waits"
    lagging.ended(reason="confirming")
    assert handle_check.read_once(lagging.place, account, x, lagging.clock) == 1
    with reading(lagging.engine) as connection:
        [kept] = connection.execute(sa.select(contact)).all()
        assert task_leases.moment(connection, "acme", "confirm") == START + MINUTE
    assert (kept.person, kept.wrote_at) == (person(lagging.place.hash_key, "501"), START)
    lagging.clock.forward(seconds=59)
    assert (handle_check.read_once(lagging.place, account, x, lagging.clock), x.asked) == (0, 1)


def test_a_list_without_calls_left_is_read_when_a_third_of_the_window_is_over(world_of: Callable[..., World]) -> None:
    world = world_of(accounts__acme__lookups_per_window=3, accounts__acme__window="15m")
    world.ended(reason="confirming")
    x: Any = OnePage()
    x.page = DmPage((DirectMessage("1", "502", created_at=START),), "more")
    handle_check.read_once(world.place, world.settings.accounts["acme"], x, world.clock)
    with reading(world.engine) as connection:
        assert task_leases.moment(connection, "acme", "confirm") == START + 5 * MINUTE


def test_one_source_that_types_handles_is_enough(world_of: Callable[..., World]) -> None:
    world = world_of(sources__other={"preset": "standard", "keys": [SOURCE_KEY], "confirm": "none"})
    world.ended(reason="confirming")
    x: Any = OnePage()
    handle_check.read_once(world.place, world.settings.accounts["acme"], x, world.clock)
    assert x.asked == 1


def test_where_no_source_types_handles_no_list_is_read(world_of: Callable[..., World]) -> None:
    world = world_of(sources__crm__confirm="none")
    world.ended(reason="confirming")
    x: Any = OnePage()
    assert (handle_check.read_once(world.place, world.settings.accounts["acme"], x, world.clock), x.asked) == (0, 0)
