"""What a reading of X's list proves of an unclear send, and exactly when the list is read again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.accounts import list_lease
from service.accounts.dm_list import EVER, Listing
from service.db import reading, writing
from service.models import account_state
from service.outreach import unclear
from service.outreach.unclear import Proof, UnclearSend, attach_once, look_up_once
from service.requests import sends
from service.requests.outcomes import Advance, Learnt, Retry, Stop
from service.requests.request import Attempt
from service.states import UNCLEAR, Kind, State
from service.ways.links import Links
from service.x_api import DirectMessage, DmPage, RateLimited, XAnswer
from tests.outreach.test_unclear import appeared, died, ready
from tests.support import START, World, request_of, settings_of

TICK, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
ACME = replace(settings_of().accounts["acme"], list_lag=3 * MINUTE, signature_tolerance=5 * MINUTE)
OURS = DirectMessage("77", ACME.user_id, "501", "Hi.", "Hi.", START - MINUTE)
WHOLE = Listing((), EVER, readable=True, read_at=START + 5 * MINUTE)
NO_PLACE: Any = None


def unclear_send(kind: Kind = Kind.OPENING, **columns: Any) -> UnclearSend:
    """A message that X answered unclearly at noon: absence is proof five minutes after."""
    row = {"state": State.DM_ALLOWED, "opening_text": "Hi.", "card_text": "Hi.", "reason": UNCLEAR, **columns}
    attempt = Attempt("sa_1", "fr_1", "acme", "501", kind, START - MINUTE, START)
    return unclear._opened(request_of(START, **row), attempt, ACME, Links("https://survey.example", "a key"), START)


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is concluded of a send, without writing it."""
    monkeypatch.setattr(unclear, "_conclude", lambda _place, _each, proof, _now: proof)
    return lambda each, listing, now=START + 5 * MINUTE: unclear._clear_up(NO_PLACE, each, listing, now)


@pytest.mark.parametrize(
    ("created", "at"), [(START - MINUTE, START - MINUTE), (START + 9 * MINUTE, START + 5 * MINUTE)]
)
@pytest.mark.parametrize("kind", [Kind.OPENING, Kind.ASKING])
def test_a_message_in_the_list_has_arrived_and_not_later_than_now(
    proven: Any, kind: Kind, created: datetime, at: datetime
) -> None:
    found = proven(unclear_send(kind), replace(WHOLE, messages=(replace(OURS, created_at=created),)))
    known = (
        Advance(State.DM_SENT, Learnt(dm_event_id="77", dm_sent_at=at))
        if kind is Kind.OPENING
        else Advance(State.CARD_SENT, Learnt(card_dm_id="77", card_sent_at=at))
    )
    assert found == Proof(known, "sent", "dm_list", "77")


def test_absence_is_proof_from_its_exact_moment_in_a_list_read_far_enough(proven: Any) -> None:
    each, unsent = unclear_send(), Proof(Retry("proven_unsent", "X's DM list does not have it."), "not_sent", "dm_list")
    assert proven(each, WHOLE) == unsent
    assert proven(each, replace(WHOLE, read_at=START + 5 * MINUTE - TICK)) is False
    assert proven(each, replace(WHOLE, readable=False)) is False
    assert proven(each, replace(WHOLE, back_to=each.wanted.not_before)) is False
    assert proven(each, replace(WHOLE, back_to=each.wanted.not_before - TICK)) == unsent
    for text in ("hi", ""):
        alike = replace(OURS, text=text, raw_text=text)
        assert proven(each, replace(WHOLE, messages=(alike,))).evidence == "alike"


def test_an_unprovable_send_is_given_up_at_its_exact_moment(proven: Any) -> None:
    blind, each = replace(WHOLE, readable=False), unclear_send()
    over = each.gives_up_at
    assert over is not None
    assert proven(each, blind, over - TICK) is False
    assert proven(each, blind, over) == Proof(Stop(State.UNKNOWN, "unclear_send", over_says()), "unknown")
    assert proven(unclear_send(reason="daily_limit"), blind, over) is False


def over_says() -> str:
    return "X could not tell in time whether the message arrived."


# -- how a look ends


class X:
    """X's list: one page, or an error."""

    def __init__(self, page: DmPage | None = None) -> None:
        self.page, self.asked = page, 0

    def list_dms(self, _cursor: str | None = None) -> XAnswer[DmPage]:
        self.asked += 1
        if self.page is None:
            raise RateLimited("Too soon.", reason="rate_limited", reset_at=None)
        return XAnswer(self.page, None)


def looked(world: World, x: Any) -> Any:
    """The account's row after a look."""
    look_up_once(world.place, world.settings.accounts["acme"], x, world.clock)
    with reading(world.engine) as connection:
        return connection.execute(sa.select(account_state)).one()


@pytest.fixture
def waiting(world_of: Any) -> World:
    """Somebody died in a call eleven minutes ago, so X's list is looked at: it lags by a minute and a half."""
    world: World = world_of(accounts__acme__list_lag="90s", accounts__acme__signature_tolerance="5m")
    died(world, ready(world), "dm")
    with writing(world.engine) as connection:
        connection.execute(sa.update(account_state).values(x_away_since=world.clock.now))
    world.clock.forward(minutes=11)
    return world


def test_a_list_read_far_enough_is_not_read_again_without_reason(waiting: World) -> None:
    x = X(DmPage((), None))
    row = looked(waiting, x)
    assert (row.looked_at, row.lookup_lease_until, row.x_away_since) == (waiting.clock.now, None, None)
    assert x.asked == 1


def test_a_list_that_was_cut_short_is_read_again_after_a_third_of_its_lag(waiting: World) -> None:
    row = looked(waiting, X())
    assert (row.looked_at, row.lookup_lease_until) == (None, waiting.clock.now + MINUTE / 2)
    assert row.x_away_since is not None, "X has answered with nothing"


def test_of_a_long_lag_a_third_is_a_lease_at_most(world_of: Any) -> None:
    world: World = world_of(accounts__acme__list_lag="1h", worker__lease="60s")
    died(world, ready(world), "dm")
    world.clock.forward(hours=1)
    assert looked(world, X()).lookup_lease_until == world.clock.now + MINUTE


def test_a_list_that_could_not_be_read_whole_is_read_again_after_its_lag(waiting: World) -> None:
    undated = DmPage((DirectMessage("1", "501", ACME.user_id),), None)
    assert looked(waiting, X(undated)).lookup_lease_until == waiting.clock.now + 1.5 * MINUTE


def test_one_reader_at_a_time_for_two_leases(waiting: World) -> None:
    with writing(waiting.engine) as connection:
        list_lease.begin(connection, "acme", waiting.settings.worker.lease * 2, waiting.clock.now)
    x = X(DmPage((), None))
    for seconds, asked in ((119, 0), (1, 1)):
        waiting.clock.forward(seconds=seconds)
        looked(waiting, x)
        assert x.asked == asked


def test_a_reader_with_a_long_lease_is_alone_too(world_of: Any) -> None:
    world: World = world_of(worker__lease="10m")
    died(world, ready(world), "dm")
    world.clock.forward(minutes=30)
    with writing(world.engine) as connection:
        list_lease.begin(connection, "acme", world.settings.worker.lease * 2, world.clock.now)
    x = X(DmPage((), None))
    for minutes, asked in ((0, 0), (20, 1)):
        world.clock.forward(minutes=minutes)
        looked(world, x)
        assert x.asked == asked


def test_each_page_extends_the_readers_lease_to_two(waiting: World) -> None:
    lease, now, until = waiting.settings.worker.lease, waiting.clock.now, list[datetime | None]()

    class Watched(X):
        def list_dms(self, _cursor: str | None = None) -> XAnswer[DmPage]:
            with reading(waiting.engine) as connection:
                until.append(connection.scalar(sa.select(account_state.c.lookup_lease_until)))
            return super().list_dms()

    looked(waiting, Watched(DmPage((), None)))
    assert until == [now + lease * 2]


def test_the_list_is_read_beyond_the_oldest_of_all_that_is_looked_for(world_of: Any) -> None:
    """Five minutes of a signature's life and five to see what must be there: to ten minutes before it."""
    world: World = world_of(accounts__acme__list_lag="3m", accounts__acme__signature_tolerance="5m")
    died(world, ready(world), "dm")
    world.clock.forward(minutes=30)
    died(world, ready(world, conversation_id="c-2", x_user_id="502"), "dm")
    world.clock.forward(minutes=11)

    class Pages(X):
        def list_dms(self, _cursor: str | None = None) -> XAnswer[DmPage]:
            self.asked += 1
            at = (START + 20 * MINUTE, START - 8 * MINUTE, START - 11 * MINUTE, START - 99 * MINUTE)[self.asked - 1]
            return XAnswer(
                DmPage((DirectMessage(str(self.asked), "9", ACME.user_id, created_at=at),), f"c{self.asked}"), None
            )

    x: Any = Pages()
    looked(world, x)
    assert x.asked == 3


@pytest.mark.parametrize(
    ("second", "ends"),
    [
        (replace(WHOLE, read_at=START + MINUTE), (START, None)),
        (replace(WHOLE, readable=False), (None, START + 3 * MINUTE)),
        (replace(WHOLE, back_to=START + MINUTE, pages=0), (None, START + MINUTE)),
    ],
)
def test_of_several_lists_each_must_have_been_read_far_enough(world: World, second: Listing, ends: Any) -> None:
    with writing(world.engine) as connection:
        token = list_lease.begin(connection, "acme", 2 * MINUTE, START)
        connection.execute(sa.update(account_state).values(x_away_since=START))
    assert token is not None
    found = [(unclear_send(), replace(WHOLE, pages=1)), (unclear_send(), second)]
    unclear._end_look(world.place, ACME, token, found, START)
    with reading(world.engine) as connection:
        row = connection.execute(sa.select(account_state)).one()
    assert (row.looked_at, row.lookup_lease_until, row.x_away_since) == (*ends, None)


@pytest.mark.parametrize(
    ("behind", "ends"), [(timedelta(0), (True, None)), (MINUTE, (False, MINUTE)), (9 * MINUTE, (False, ACME.list_lag))]
)
def test_a_list_that_x_dates_before_an_absence_is_proof_is_read_again_so_much_later(
    world: World, behind: timedelta, ends: Any
) -> None:
    proof, now = START + 5 * MINUTE, START + 5 * MINUTE + TICK
    with writing(world.engine) as connection:
        token = list_lease.begin(connection, "acme", 2 * MINUTE, now)
    assert token is not None
    each = unclear_send()
    assert each.settles_at == proof
    unclear._end_look(world.place, ACME, token, [(each, replace(WHOLE, pages=1, read_at=now - behind))], now)
    with reading(world.engine) as connection:
        row = connection.execute(sa.select(account_state)).one()
    looked, again = ends
    assert row.looked_at == (now if looked else None)
    assert row.lookup_lease_until == (None if again is None else now + again)


def test_a_look_that_waits_for_a_list_that_lags_long_is_no_clock_set_back(world: World) -> None:
    lag, lease = timedelta(hours=1), 2 * MINUTE
    with writing(world.engine) as connection:
        token = list_lease.begin(connection, "acme", lease, START)
        assert token is not None
        list_lease.end_short(connection, "acme", token, START + lag)
        assert list_lease.begin(connection, "acme", lease, START + MINUTE, lag) is None
        assert list_lease.begin(connection, "acme", lease, START + lag, lag) is not None


@pytest.mark.parametrize("meanwhile", ["it ended", "somebody was quicker"])
def test_an_outcome_is_recorded_once_and_for_open_requests(world: World, meanwhile: str) -> None:
    ended = {"state": State.SKIPPED, "reason": "cancelled", "outcome_at": START}
    request_id = ready(world, **(ended if meanwhile == "it ended" else {}))
    died(world, request_id, "dm")
    [attempt] = world.attempts(request_id)
    if meanwhile != "it ended":
        with writing(world.engine) as connection:
            sends.settle(connection, attempt.id, "not_sent", "never_begun", START)
    known = Attempt(attempt.id, request_id, "acme", "501", Kind.OPENING, START, None)
    each = replace(unclear_send(), request=request_of(START, id=request_id), attempt=known)
    before, proof = world.request(request_id), Proof(Advance(State.DM_SENT, Learnt(dm_event_id="7")), "sent", "dm_list")
    assert unclear._conclude(world.place, each, proof, START) is (meanwhile == "it ended")
    assert world.request(request_id) == before


# -- what appears later


@pytest.mark.parametrize("opening", ["Hi.", "Hi. {page}"])
@pytest.mark.parametrize("state", [State.UNKNOWN, State.CARD_SENT])
def test_a_card_that_appears_is_attached_once(world: World, state: State, opening: str) -> None:
    request_id = ready(world, outcome_at=START, state=state, opening_text=opening)
    appeared(world, request_id, "777")
    assert attach_once(world.place, START) == 1
    row = world.request(request_id)
    assert (row.state, row.feedback_id) == (State.CARD_SENT, "777")
    assert attach_once(world.place, START) == 0


@pytest.mark.parametrize(
    "columns",
    [
        {"state": State.UNKNOWN, "erased_at": START},
        {"state": State.CARD_SENT, "feedback_id": "5"},
        {"state": State.SKIPPED},
    ],
)
def test_requests_erased_attached_or_retried_meanwhile_stay(
    world: World, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    request_id = ready(world, outcome_at=START, **columns)
    monkeypatch.setattr(unclear, "unproven", lambda *_: [(request_of(START, id=request_id), "777")])
    before = world.request(request_id)
    attach_once(world.place, START)
    assert world.request(request_id) == before
