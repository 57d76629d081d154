"""The generated ledger has as many rows as asked for, one answer in three, and every index."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import delivery_item, feedback_request, result
from service.states import State
from tests.bench.generate import Plan, fill

PLAN = Plan(
    rows=600, answered=0.35, commented=0.4, accounts=3, agents=40, months=3, seed=1, raw=True, now=1_795_000_000_000_000
)


def indexes(engine: Engine) -> set[str]:
    found = sa.inspect(engine)
    return {str(each["name"]) for table in found.get_table_names() for each in found.get_indexes(table)}


def count(engine: Engine, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def test_a_ledger_is_made_as_planned_and_its_indexes_are_there_again(engine: Engine) -> None:
    before = indexes(engine)
    fill(engine, PLAN)
    assert indexes(engine) == before
    assert count(engine, feedback_request) == count(engine, delivery_item) == PLAN.rows
    assert 0.8 * PLAN.rows < count(engine, feedback_request, feedback_request.c.state == State.CARD_SENT)
    assert 0.28 * PLAN.rows < count(engine, result) < 0.42 * PLAN.rows
    with reading(engine) as connection:
        ended = connection.scalars(sa.select(feedback_request.c.ended_at).order_by(feedback_request.c.id)).all()
    assert ended == sorted(ended)
