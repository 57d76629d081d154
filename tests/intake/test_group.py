"""Many deliveries in one commit: each is treated as if alone, and none suffers from another's fault."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from service.db import open_engine, reading, writing
from service.errors import Unavailable
from service.intake.inbox.accept import AcceptedDelivery, arrive
from service.intake.inbox.group import commit
from service.intake.inbox.stored import ArrivedDelivery
from service.intake.mapping.readings import read
from service.intake.verify.verifier import Verified
from service.models import conversation, delivery_item, feedback_request, reopening, webhook_delivery
from tests.intake.app import define, post

DEFINITION = define("token", events={"split": "@"})


def event(kind: str, name: str, minute: int, now: datetime) -> dict[str, Any]:
    at = (now - timedelta(hours=3) + timedelta(minutes=minute)).isoformat()
    return {"event": kind, "conversation_id": name, "ended_at": at, "reopened_at": at, "x_user_id": "12"}


def delivery(now: datetime, *events: dict[str, Any], number: int = 0) -> ArrivedDelivery:
    """As it stands after it was verified and read; `number` makes equal bytes two deliveries."""
    inbound = post([{**each, "event_id": f"{number}-{n}"} for n, each in enumerate(events)])
    return arrive(DEFINITION, inbound, Verified(0, "static"), read(DEFINITION, inbound, now), now)


def counts(outcomes: list[AcceptedDelivery | Exception]) -> list[int]:
    return [each.counts["accepted"] for each in outcomes if isinstance(each, AcceptedDelivery)]


def test_a_group_is_stored_in_one_commit(engine: Engine, now: datetime) -> None:
    commits: list[object] = []
    sa.event.listen(engine, "commit", lambda _c: commits.append(1))
    group = [delivery(now, event("conversation.ended", f"c-{n}", 0, now), number=n) for n in range(20)]
    assert counts(commit(engine, group)) == [1] * 20
    assert len(commits) == 1


def test_the_same_delivery_twice_in_a_group_is_stored_once(engine: Engine, now: datetime) -> None:
    ended = event("conversation.ended", "c-1", 0, now)
    first, second = commit(engine, [delivery(now, ended), delivery(now, ended)])
    assert isinstance(first, AcceptedDelivery)
    assert isinstance(second, AcceptedDelivery)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.delivery_id == second.delivery_id


def test_deliveries_about_one_conversation_are_judged_in_their_order(engine: Engine, now: datetime) -> None:
    told = (
        ("conversation.ended", 0),
        ("conversation.ended", 9),
        ("conversation.reopened", 5),
        ("conversation.ended", 7),
    )
    group = [delivery(now, event(kind, "c-1", minute, now), number=n) for n, (kind, minute) in enumerate(told)]
    assert counts(commit(engine, group)) == [1, 0, 1, 0]
    with reading(engine) as connection:
        said = connection.execute(
            sa.select(delivery_item.c.outcome, delivery_item.c.reason).order_by(delivery_item.c.id)
        ).all()
    assert [tuple(each) for each in said] == [
        ("accepted", None),
        ("duplicate", "same_conversation"),
        ("reopened", None),
        ("accepted", "late_reopening"),
        ("duplicate", "same_conversation"),
    ]


def broken(now: datetime, number: int) -> ArrivedDelivery:
    """A delivery no database takes: its source has a name that is longer than its column, or no name at all."""
    made = delivery(now, event("conversation.ended", f"bad-{number}", 0, now), number=number)
    return replace(made, told=replace(made.told, definition=replace(DEFINITION, name=None)))  # type: ignore[arg-type]


def test_one_that_cannot_be_stored_does_not_affect_the_others(engine: Engine, now: datetime) -> None:
    good = [delivery(now, event("conversation.ended", f"c-{n}", 0, now), number=n) for n in range(4)]
    outcomes = commit(engine, [good[0], good[1], broken(now, 9), good[2], good[3]])
    assert counts(outcomes) == [1] * 4
    assert isinstance(outcomes[2], Exception)
    assert not isinstance(outcomes[2], Unavailable)
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(webhook_delivery)) == 4


def test_an_outage_is_waited_for_once_per_group(tmp_path: Path, now: datetime) -> None:
    engine, tries = open_engine(f"sqlite:///{tmp_path}/empty.db"), []
    sa.event.listen(engine, "begin", lambda _c: tries.append(1))
    group = [delivery(now, event("conversation.ended", f"c-{n}", 0, now), number=n) for n in range(20)]
    outcomes = commit(engine, group)
    assert {each.code for each in outcomes if isinstance(each, Unavailable)} == {"store_unavailable"}
    assert len(outcomes) == 20
    assert len(tries) == 2
    engine.dispose()


TELLING = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["conversation.ended", "conversation.reopened"]),
            st.sampled_from(["c-1", "c-2", "c-3"]),
            st.integers(0, 6),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TELLING)
def test_a_group_ends_as_the_same_deliveries_one_after_the_other(
    sqlite_engine: Engine, telling: list[list[tuple[str, str, int]]]
) -> None:
    now = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    group = [delivery(now, *(event(*each, now) for each in told), number=n) for n, told in enumerate(telling)]
    together = (counts(commit(sqlite_engine, group)), standing(sqlite_engine))
    clear(sqlite_engine)
    alone = [commit(sqlite_engine, [each])[0] for each in group]
    assert (counts(alone), standing(sqlite_engine)) == together
    clear(sqlite_engine)


def standing(engine: Engine) -> list[tuple[Any, ...]]:
    f = feedback_request.c
    with reading(engine) as connection:
        found = connection.execute(sa.select(f.conversation_id, f.ended_at, f.delivery_id)).all()
    return sorted(tuple(each) for each in found)


def clear(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in (delivery_item, feedback_request, reopening, conversation, webhook_delivery):
            connection.execute(sa.delete(table))


# -- work does not grow faster than what is told


def statements(engine: Engine, arrived: ArrivedDelivery) -> int:
    seen: list[str] = []

    def watch(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", watch)
    [outcome] = commit(engine, [arrived])
    sa.event.remove(engine, "before_cursor_execute", watch)
    assert isinstance(outcome, AcceptedDelivery)
    return len(seen)


@pytest.mark.parametrize("pairs", [1, 64, 500])
def test_ends_and_reopenings_of_one_conversation_cost_no_statement_each(
    pairs: int, engine: Engine, now: datetime
) -> None:
    told = [
        event(kind, "c-1", 0, now) | {at: (now - timedelta(hours=3) + timedelta(seconds=2 * n + odd)).isoformat()}
        for n in range(pairs)
        for odd, (kind, at) in enumerate([("conversation.ended", "ended_at"), ("conversation.reopened", "reopened_at")])
    ]
    assert statements(engine, delivery(now, *told)) <= 12
    assert len(standing(engine)) == pairs


@pytest.mark.parametrize("deliveries", [1, 12])
def test_ends_accepted_by_late_reopenings_cost_two_statements_a_delivery(
    deliveries: int, engine: Engine, now: datetime
) -> None:
    """300 ends that looked like one, told in turn by some deliveries, and then a reopening between each two of them."""
    seconds = [now - timedelta(hours=3) + timedelta(seconds=2 * n) for n in range(300)]
    ends = [event("conversation.ended", "c-1", 0, now) | {"ended_at": at.isoformat()} for at in seconds]
    for number in range(deliveries):
        commit(engine, [delivery(now, *ends[number::deliveries], number=number)])
    assert len(standing(engine)) == 1
    between = [
        event("conversation.reopened", "c-1", 0, now) | {"reopened_at": (at + timedelta(seconds=1)).isoformat()}
        for at in seconds
    ]
    assert statements(engine, delivery(now, *between, number=deliveries)) <= 12 + 2 * deliveries
    assert len(standing(engine)) == 300


def test_a_database_that_takes_no_writes_says_so(engine: Engine, now: datetime) -> None:
    setting = "PRAGMA query_only=1" if engine.dialect.name == "sqlite" else "SET default_transaction_read_only = on"
    sa.event.listen(engine, "connect", lambda raw, _: raw.cursor().execute(setting))
    engine.dispose()
    outcomes = commit(
        engine, [delivery(now, event("conversation.ended", f"c-{n}", 0, now), number=n) for n in range(3)]
    )
    assert {each.code for each in outcomes if isinstance(each, Unavailable)} == {"store_unavailable"}
    assert {str(each) for each in outcomes} == {
        "The delivery could not be stored: the database accepts no writes. Send it again."
    }
