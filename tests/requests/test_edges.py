"""Exactly when each rule of the ledger begins and ends to hold: ownership, due times, ends."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from structlog.testing import capture_logs

from service.db import EPOCH, batch_deletion, reading, writing
from service.models import feedback_request, send_attempt, transition
from service.requests import first_rows, forget, leases, restored, rows, seals, sends, writer
from service.requests import queries as ledger
from service.requests.leases import Lease
from service.requests.outcomes import Advance, Postpone, Stop
from service.requests.request import Alternative, Request
from service.requests.restored import Restore
from service.requests.retry import RetryPolicy
from service.requests.writer import Writer
from service.states import Kind, State
from service.telemetry import counters
from tests.support import START, request_of, request_row

TICK, MINUTE, HOUR, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WRITER = Writer("w", RetryPolicy(max_attempts=12, give_up_after=3 * DAY))
fr, snd = feedback_request.c, send_attempt.c


@pytest.fixture
def db(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


def put(db: Engine, **columns: Any) -> str:
    row = request_row(START, **{"id": f"fr_{len(ids(db))}", "conversation_id": f"c-{len(ids(db))}", **columns})
    with writing(db) as connection:
        connection.execute(sa.insert(feedback_request).values(row))
    return str(row["id"])


def ids(db: Engine, *where: sa.ColumnElement[bool]) -> Sequence[str]:
    with reading(db) as connection:
        return connection.scalars(sa.select(fr.id).where(*where).order_by(fr.id)).all()


def intend(db: Engine, request_id: str, at: datetime = START, **columns: Any) -> str:
    row = {
        "id": f"sa_{request_id}_{at:%H%M%S%f}_{columns.get('kind', 'dm')}", "request_id": request_id,
        "account": "acme", "x_user_id": "501", "kind": Kind.OPENING, "intended_at": at, **columns,
    }  # fmt: skip
    with writing(db) as connection:
        connection.execute(sa.insert(send_attempt).values(row))
    return str(row["id"])


def outcomes(db: Engine) -> dict[str, tuple[Any, ...]]:
    with reading(db) as connection:
        found = connection.execute(sa.select(snd.id, snd.outcome, snd.evidence, snd.x_id))
        return {row.id: (row.outcome, row.evidence, row.x_id) for row in found}


# --- who works on what


def test_a_request_is_due_at_its_exact_moment_for_its_own_account(db: Engine) -> None:
    due, _, _ = put(db), put(db, scheduled_at=START + TICK), put(db, account="other")
    with writing(db) as connection:
        taken = leases.take_due(connection, "acme", 9, Lease("ls_1", START + MINUTE), START)
        asked = {"among": ["acme", "other", "third"], "far": START + HOUR, "now": START}
        assert connection.scalars(leases.DUE, asked).all() == ["other"], "what is leased is nobody else's"
    assert [(each.id, each.lease_token) for each in taken] == [(due, "ls_1")]


@pytest.fixture(autouse=True)
def accounts(db: Engine) -> None:
    from service.accounts import standing

    with writing(db) as connection:
        standing.enrol(connection, ["acme", "other", "third"], START)


def test_begun_requests_come_first_then_the_longest_waiting(db: Engine) -> None:
    young, old = put(db, scheduled_at=START - MINUTE), put(db, scheduled_at=START - HOUR)
    begun = put(db, state=State.DM_SENT, dm_sent_at=START)
    with writing(db) as connection:
        taken = leases.take_due(connection, "acme", 9, Lease("ls_1", START + MINUTE), START)
    assert [each.id for each in taken] == [begun, old, young]


@pytest.mark.parametrize(
    ("until", "free"),
    [
        (None, True),
        (START, True),
        (START + TICK, False),
        (START + 11 * MINUTE, False),
        (START + 11 * MINUTE + TICK, True),
    ],
)
def test_a_lease_holds_until_its_end_unless_implausibly_long(db: Engine, until: datetime | None, free: bool) -> None:
    """A lease of a minute, and ten by which clocks may differ: further ahead it is of a clock set back since."""
    put(db, lease_until=until, lease_token="ls_0")
    with writing(db) as connection:
        assert len(leases.take_due(connection, "acme", 9, Lease("ls_1", START + MINUTE), START)) == free


# --- whose it is


def test_the_person_is_forgotten_in_every_request_and_nobody_else(db: Engine) -> None:
    open_, ended = put(db), put(db, state=State.CARD_SENT, outcome_at=START, x_handle="ada")
    other = put(db, x_user_id="777", x_handle="eve")
    attempts = [intend(db, each, x_user_id=whom) for each, whom in ((open_, "501"), (other, "777"))]
    with writing(db) as connection:
        assert forget.handles_of(connection, "501") == {"ada"}
        assert forget.erase(connection, "501", WRITER, START) == 2
    assert ids(db, fr.erased_at.is_not(None)) == [open_, ended]
    with reading(db) as connection:
        assert connection.scalar(sa.select(fr.state).where(fr.id == open_)) == State.UNKNOWN  # one was on its way
        whom = dict(connection.execute(sa.select(snd.id, snd.x_user_id)).all())
    assert (whom[attempts[0]] == "501", whom[attempts[1]]) == (False, "777")


def test_identities_and_history_are_over_when_they_are_older_not_as_old(db: Engine) -> None:
    row = {"state": State.CARD_SENT}
    old, _ = put(db, outcome_at=START - TICK, **row), put(db, outcome_at=START, **row)
    line = {"request_id": old, "from_state": "received", "to_state": "skipped", "event": "stopped", "actor": "w"}
    with writing(db) as connection:
        connection.execute(sa.insert(transition), [{**line, "at": START - TICK}, {**line, "at": START}])
        assert over(connection, forget.without_identity(START, hash_key="k", writer=WRITER, now=START)) == 1
        assert over(connection, forget.history(START)) == 1


def test_a_request_that_waits_for_ever_ends_with_its_identity(db: Engine) -> None:
    """Nobody takes up what is of an account that is held."""
    waits = {"state": State.IDENTIFIED, "x_user_id": "501", "ended_at": START - 3 * DAY}
    old, _ = put(db, stale_at=START - TICK, **waits), put(db, stale_at=START, **waits)
    opened = put(db, **{**waits, "state": State.DM_SENT})
    intend(db, opened)  # nobody knows whether its card arrived
    batch_deletion.forget(db, forget.without_identity(START, hash_key="k", writer=WRITER, now=START))
    with reading(db) as connection:
        ended = connection.execute(sa.select(fr.id, fr.state, fr.reason, fr.outcome_at).where(fr.x_user_id.is_(None)))
        assert ended.all() == [(old, "skipped", "stale", START), (opened, "unknown", "unclear_send", START)]


def over(connection: Connection, overdue: Any) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(overdue.table).where(overdue.old)) or 0


# --- what is known of a send


def test_an_outcome_is_recorded_once_for_its_own_send(db: Engine) -> None:
    request_id = put(db)
    one, other = intend(db, request_id), intend(db, request_id, START + MINUTE)
    with writing(db) as connection:
        assert sends.settle(connection, one, "sent", "answer", START, "9")
        assert not sends.settle(connection, one, "not_sent", "refused", START)
    assert outcomes(db) == {one: ("sent", "answer", "9"), other: (None, None, None)}
    with writing(db) as connection:
        sends.end_unclear(connection, request_id, START)
    assert outcomes(db) == {one: ("sent", "answer", "9"), other: ("unknown", None, None)}


@pytest.mark.parametrize(("feedback_id", "evidence"), [("9", "feedback"), (None, "answered")])
def test_an_answer_proves_what_asked_of_its_own_request(db: Engine, feedback_id: str | None, evidence: str) -> None:
    mine, theirs = put(db), put(db)
    asked, opened = intend(db, mine, kind=Kind.ASKING), intend(db, mine)
    unsent = intend(db, mine, START + MINUTE, kind=Kind.ASKING, outcome="not_sent")
    other = intend(db, theirs, kind=Kind.ASKING)
    with writing(db) as connection:
        sends.prove(connection, mine, feedback_id, Kind.ASKING)
    found = outcomes(db)
    assert found[asked] == ("sent", evidence, feedback_id)
    assert {found[each][0] for each in (opened, other)} == {None}
    assert found[unsent][0] == "not_sent"


def test_the_doubtful_send_is_another_one_of_the_same_message(db: Engine) -> None:
    mine, theirs = put(db), put(db)
    first = intend(db, mine, outcome="not_sent", evidence="dm_list")
    intend(db, mine, START + TICK, kind=Kind.ASKING, outcome="not_sent", evidence="dm_list")
    intend(db, theirs, START + TICK, outcome="not_sent", evidence="dm_list")
    again = intend(db, mine, START + MINUTE)
    with writing(db) as connection:
        found = sends.doubtful_before(connection, again)
        assert found is not None
        assert found.id == first
        sends.arrived_after_all(connection, first, START)
    assert [each for each, (outcome, *_) in outcomes(db).items() if outcome == "sent"] == [first]


def test_unclear_sends_are_found_by_request_account_and_kind(db: Engine) -> None:
    mine, theirs = put(db), put(db, account="other")
    thanks = intend(db, mine, START - HOUR, kind=Kind.THANKS)
    late = intend(db, mine, kind=Kind.THANKS)
    opened = intend(db, mine, START - DAY)
    elsewhere = intend(db, theirs, START - 2 * HOUR, kind=Kind.THANKS, account="other")
    with writing(db) as connection:
        assert sends.oldest_open(connection, "acme", Kind.THANKS) == START - HOUR
        assert [sends.is_unclear(connection, each) for each in (mine, theirs, "fr_9")] == [True, True, False]
        assert [sends.may_have_arrived(connection, theirs, kind) for kind in (Kind.THANKS, Kind.ASKING)] == [
            True,
            False,
        ]
        sends.give_up(connection, "acme", Kind.THANKS, START, START)
        assert sends.may_have_arrived(connection, mine, Kind.THANKS), "given up is not unsent"
    found = outcomes(db)
    assert [found[each][0] for each in (thanks, late, opened, elsewhere)] == ["unknown", None, None, None]
    with writing(db) as connection:
        assert not sends.settle(connection, thanks, "sent", "answer", START)
        assert sends.settle(connection, opened, "not_sent", "refused", START)
        assert not sends.may_have_arrived(connection, mine, Kind.OPENING)


# --- a ledger put back from a backup


@pytest.mark.parametrize(("received", "known"), [(START - HOUR, START - HOUR), (START + HOUR, START)])
def test_a_restore_knows_until_the_newest_moment_in_it_and_never_beyond_now(
    db: Engine, received: datetime, known: datetime
) -> None:
    put(db, received_at=START - DAY)
    put(db, received_at=received)
    with writing(db) as connection:
        assert restored.begin(connection, START) == Restore(known, START)
        assert restored.restores(connection) == (Restore(known, START),)


def test_an_empty_ledger_knows_nothing(db: Engine) -> None:
    with writing(db) as connection:
        assert restored.begin(connection, START) == Restore(EPOCH, START)


@pytest.mark.parametrize(
    ("ended", "intended", "kind", "lost"),
    [
        (START - 3 * HOUR, None, Kind.OPENING, START - HOUR),
        (START - MINUTE, None, Kind.OPENING, START - MINUTE),
        (START, None, Kind.OPENING, START),
        (START + TICK, None, Kind.OPENING, None),
        (START - 3 * HOUR, START - HOUR, Kind.OPENING, None),
        (START - 3 * HOUR, START - HOUR - TICK, Kind.OPENING, START - HOUR),
        (START - 3 * HOUR, START - HOUR, Kind.ASKING, START - HOUR),
    ],
)
def test_possibly_sent_messages_are_those_without_an_attempt_since_the_restore(
    db: Engine, ended: datetime, intended: datetime | None, kind: Kind, lost: datetime | None
) -> None:
    """The backup is an hour old, and was put back at noon. Somebody else's attempt tells nothing."""
    request_id, other = put(db, ended_at=ended), put(db)
    intend(db, other)
    if intended is not None:
        intend(db, request_id, intended, kind=kind)
    asked = request_of(START, id=request_id, ended_at=ended)
    with reading(db) as connection:
        found = restored.lost_since(connection, [Restore(START - HOUR, START)], asked, Kind.OPENING)
    assert found == lost


# --- requests as classes and rows


@pytest.mark.parametrize(
    ("state", "dm_sent_at", "opening_text", "kind"),
    [
        (State.DM_ALLOWED, None, "Hi.", Kind.OPENING),
        (State.DM_ALLOWED, None, None, Kind.ASKING),
        (State.DM_ALLOWED, START, "Hi.", Kind.ASKING),
        (State.DM_SENT, None, "Hi.", Kind.ASKING),
    ],
)
def test_the_opening_comes_next_where_there_is_one_and_it_has_not_gone(
    state: State, dm_sent_at: datetime | None, opening_text: str | None, kind: Kind
) -> None:
    asked = request_of(START, state=state, dm_sent_at=dm_sent_at, opening_text=opening_text, card_text="How?")
    assert asked.next_message is kind
    assert (asked.text_of(Kind.OPENING), asked.text_of(Kind.ASKING)) == (str(opening_text), "How?")


def test_one_unreadable_alternative_of_two_is_named() -> None:
    from service.at_rest.unreadable import TEXT

    ways = [{"way": "page", "text": "a"}, {"way": "quick_reply", "text": TEXT}]
    asked = request_of(START, alternatives=ways, card_text=TEXT)
    assert list(asked.unreadable) == ["card_text", "alternatives"]
    assert list(request_of(START, alternatives=ways[:1]).unreadable) == []


def test_a_row_without_a_way_is_a_card_and_the_last_alternative_leaves_none() -> None:
    asked = request_of(START, way=None, alternatives=None)
    assert (asked.way, asked.alternatives) == ("card", ())
    two = request_of(START, id=asked.id, way="page", alternatives=[{"way": "chat", "text": "a"}])
    assert two.alternatives == (Alternative("chat", "a"),)
    assert rows.changes_of(asked, two) == {"way": "page", "alternatives": [{"way": "chat", "text": "a"}]}
    assert rows.changes_of(two, asked) == {"way": "card", "alternatives": None}


# --- what readers and the history are told


def test_waiting_for_the_same_reason_is_recorded_once(db: Engine) -> None:
    request_id = put(db)
    told: list[Request] = []
    with writing(db) as connection:
        waits = [
            Postpone(START + MINUTE, "delay"),
            Postpone(START + HOUR, "delay"),
            Postpone(START + DAY, "quiet_hours"),
        ]
        for outcome in (*waits, Stop(State.SKIPPED, "stale")):
            request = ledger.locked(connection, request_id)
            assert request is not None
            told.append(writer.write(connection, request, outcome, START, WRITER))
        lines = connection.execute(sa.select(transition.c.event, transition.c.reason).order_by(transition.c.id)).all()
    assert [tuple(each) for each in lines] == [
        ("postponed", "delay"), ("postponed", "quiet_hours"), ("stopped", "stale"),
    ]  # fmt: skip
    assert [each.scheduled_at for each in told[:3]] == [START + MINUTE, START + HOUR, START + DAY]


def test_a_lease_is_no_visible_change(db: Engine) -> None:
    request_id = put(db, updated_at=START - DAY)
    with writing(db) as connection:
        request = ledger.locked(connection, request_id)
        assert request is not None
        writer.store(connection, request, leases.taken(request, Lease("ls_1", START)), START)
        assert connection.scalar(sa.select(fr.updated_at)) == START - DAY
        writer.write(connection, request, Advance(State.IDENTIFIED), START, WRITER)
        assert connection.scalar(sa.select(fr.updated_at)) == START


def test_numbers_follow_each_other_without_a_gap(db: Engine) -> None:
    with writing(db) as connection:
        before = seals.last(connection)
        assert [list(seals.take_numbers(connection, n, START)) for n in (3, 1)] == [
            [before + 1, before + 2, before + 3], [before + 4],
        ]  # fmt: skip
        assert seals.last(connection) == before + 4


def test_copied_requests_become_visible_once(db: Engine) -> None:
    put(db, sealed=-3)
    put(db, sealed=0)
    put(db, sealed=-2, account="other")
    with writing(db) as connection:
        assert [seals.let_in(connection, ["acme"]) for _ in range(2)] == [True, False]
    assert ids(db, fr.sealed.is_(None)) == ["fr_0"]


# --- what stands open


def test_waiting_requests_are_found_per_account(db: Engine) -> None:
    put(db, reason="daily_limit")
    with reading(db) as connection:
        asked = [("acme", "daily_limit"), ("acme", "delay"), ("other", "daily_limit")]
        assert [ledger.waits_since(connection, *each) is not None for each in asked] == [True, False, False]


def test_overdue_requests_of_unserved_accounts_are_found_at_their_exact_moment(db: Engine) -> None:
    stale, _ = put(db, account="gone", stale_at=START), put(db, account="gone", stale_at=START + TICK)
    old = put(db, account="gone", ended_at=START - DAY)
    put(db, account="gone", ended_at=START - DAY + TICK)
    put(db, stale_at=START)
    with reading(db) as connection:
        found = ledger.overdue_elsewhere(connection, ["acme"], START - DAY, START, MINUTE, 9)
    assert sorted(found) == [stale, old]


def test_a_request_begins_as_what_it_is(db: Engine) -> None:
    new = first_rows.NewRequest(
        "fr_new", "crm", "acme", "c-new", START, START, "wd", "501", None, "bridge", None, None, [], None, None, None,
        None, None, START, START,
    )  # fmt: skip
    with writing(db) as connection:
        first_rows.open_all(connection, [new])
        request = ledger.locked(connection, "fr_new")
    assert request is not None
    assert (request.state, request.attempts, request.can_dm_asked, request.test) == (State.RECEIVED, 0, 0, False)


def test_an_end_is_counted_once_with_its_reason_and_a_card_with_its_time(db: Engine) -> None:
    counters.PROCESS_COUNTS.begin_anew()
    asked = [put(db), put(db, state=State.DM_SENT, ended_at=START - MINUTE)]
    ends = [Stop(State.SKIPPED, "stale"), Advance(State.CARD_SENT)]
    for request_id, outcome in zip(asked, ends, strict=True):
        with writing(db) as connection:
            request = ledger.locked(connection, request_id)
            assert request is not None
            ended = writer.write(connection, request, outcome, START, WRITER)
            writer.record_outcome(connection, ended, Stop(State.UNKNOWN, "unclear_send"), START, WRITER)
    told = {(name, *labels): numbers for (name, labels), numbers in counters.PROCESS_COUNTS.so_far().items()}
    assert {key: numbers[0] for key, numbers in told.items() if key[0] == "requests_ended"} == {
        ("requests_ended", "acme", "skipped", "stale"): 1, ("requests_ended", "acme", "card_sent", ""): 1,
    }  # fmt: skip
    assert told["end_to_card_seconds", "acme"][-1] == 60


def test_an_end_is_logged_once_it_is_committed_and_never_if_it_is_rolled_back(db: Engine) -> None:
    lost, kept = put(db), put(db)
    with capture_logs() as lines:
        for request_id in (lost, kept):
            with suppress(ZeroDivisionError), writing(db) as connection:
                request = ledger.locked(connection, request_id)
                assert request is not None
                writer.write(connection, request, Stop(State.SKIPPED, "stale"), START, WRITER)
                assert lines == []
                assert 1 // (request_id == kept)
    assert [(line["event"], line["request_id"], line["reason"]) for line in lines] == [("request_ended", kept, "stale")]
