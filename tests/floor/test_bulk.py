"""Many rows in one statement: every value comes back unchanged, and what does not fit is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from service.bulk import BulkInsert, BulkSelect
from service.db import reading, writing
from service.models import conversation, webhook_delivery
from tests.support import START

d = webhook_delivery.c
COLUMNS = (d.id, d.source, d.dedupe_key, d.received_at, d.content_type, d.headers, d.query, d.body, d.key_index)
STORE = BulkInsert(COLUMNS, "ON CONFLICT (source, dedupe_key) DO NOTHING")
FIND = BulkSelect(
    "SELECT d.source, d.dedupe_key, d.id FROM {wanted} webhook_delivery AS d"
    " ON d.source = wanted.a AND d.dedupe_key = wanted.b"
)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30)
MOMENTS = st.integers(-(10**12), 10**12).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=s))
ROWS = st.lists(
    st.tuples(
        TEXTS, MOMENTS, st.dictionaries(TEXTS, TEXTS, max_size=3), st.none() | st.binary(max_size=40),
        st.none() | st.integers(0, 2**31 - 1),
    ),
    max_size=6,
)  # fmt: skip


def delivery(
    number: int, text: str = "", at: datetime = START, headers: Any = None, body: Any = b"x"
) -> tuple[Any, ...]:
    return (f"whd_{number}", "crm", f"key-{number}", at, text, headers or {}, {}, body, None)


@pytest.mark.unpartitioned
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_value_comes_back_as_it_went_in(engine: Engine, given_rows: list[tuple[Any, ...]]) -> None:
    rows = [
        (f"whd_{n}", "crm", f"key-{n}", at, text, headers, {"n": str(n)}, body, index)
        for n, (text, at, headers, body, index) in enumerate(given_rows)
    ]
    with writing(engine) as connection:
        assert STORE.run(connection, rows) == len(rows)
        found = connection.execute(sa.select(*COLUMNS).order_by(d.id)).all()
        connection.rollback()
    assert [tuple(each) for each in found] == sorted(rows)


@pytest.mark.unpartitioned
def test_a_row_that_is_there_already_is_left_and_the_others_go_in(engine: Engine) -> None:
    with writing(engine) as connection:
        assert STORE.run(connection, [delivery(1), delivery(2)]) == 2
        again = [("other", *delivery(2)[1:]), delivery(3), ("twice", *delivery(3)[1:])]
        assert STORE.run(connection, again) == 1
        found = FIND.rows(connection, [("crm", "key-2"), ("crm", "key-3"), ("crm", "nobody"), ("other", "key-2")])
    assert sorted(found) == [("crm", "key-2", "whd_2"), ("crm", "key-3", "whd_3")]


def test_no_rows_insert_nothing(engine: Engine) -> None:
    with reading(engine) as connection:
        assert STORE.run(connection, []) == 0
        assert FIND.rows(connection, []) == []


def test_what_is_too_long_for_its_column_is_refused_and_never_cut(postgresql_engine: Engine) -> None:
    with pytest.raises(sa.exc.DataError), writing(postgresql_engine) as connection:
        STORE.run(connection, [delivery(1, text="x" * 201)])


def test_rows_go_in_in_their_order_and_may_change_what_is_there(engine: Engine) -> None:
    upsert = BulkInsert(
        (conversation.c.source, conversation.c.conversation_id, conversation.c.seen_at),
        "ON CONFLICT (source, conversation_id) DO UPDATE SET seen_at = excluded.seen_at",
    )
    with writing(engine) as connection:
        for minutes in (0, 5):
            at = START + timedelta(minutes=minutes)
            assert upsert.run(connection, [("crm", "c-1", at), ("crm", "c-2", at)]) == 2
        seen = connection.scalars(sa.select(conversation.c.seen_at)).all()
    assert seen == [START + timedelta(minutes=5)] * 2
