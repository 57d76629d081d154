"""A query by id reads one partition, however old the ledger is; no other query reads a row twice."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as dialect

from service.auth.chain import acs
from service.db import reading
from service.models import access_log, delivery_item, transition, webhook_delivery
from service.partitions import upkeep
from service.requests import forget as requests
from tests.floor.app import App, deliver
from tests.partitions.partitioned import CUTS, statements

READ = re.compile(r"\bon ((?:transition|access_log|delivery_item|webhook_delivery)_(?:first|rest|\d{8}))\b")
tr, di, wd = transition.c, delivery_item.c, webhook_delivery.c


def read(app: App, query: Any, *, analyzed: bool = False) -> set[str]:
    """The pieces that a statement reads, as the database plans it, or as it went about it."""
    text = str(query.compile(dialect=dialect.dialect(), compile_kwargs={"literal_binds": True}))
    with reading(app.engine) as connection:
        how = "EXPLAIN (ANALYZE, TIMING OFF)" if analyzed else "EXPLAIN"
        lines = connection.exec_driver_sql(f"{how} {text.replace('%', '%%')}").scalars().all()
    assert lines
    return {name for line in lines if "never executed" not in line for name in READ.findall(line)}


def test_rows_of_one_id_are_read_in_its_piece(app: App) -> None:
    app.clock.forward(days=9)
    request_id = deliver(app, "c-1")
    delivery_id = app.rows(webhook_delivery)[0].id
    day = f"{app.clock.now:%Y%m%d}"
    assert read(app, sa.select(webhook_delivery).where(wd.id == delivery_id)) == {f"webhook_delivery_{day}"}
    assert read(app, sa.select(delivery_item).where(di.delivery_id == delivery_id)) == {f"delivery_item_{day}"}
    assert read(app, sa.delete(delivery_item).where(di.delivery_id == delivery_id)) == {f"delivery_item_{day}"}
    history = read(app, sa.select(transition).where(tr.request_id == request_id).order_by(tr.id))
    assert history == {"transition_20261130"}
    joined = sa.select(wd.id).join_from(delivery_item, webhook_delivery, di.delivery_id == wd.id)
    assert read(app, joined.where(di.delivery_id == delivery_id)) == {
        f"webhook_delivery_{day}",
        f"delivery_item_{day}",
    }


def test_a_line_is_sealed_in_its_month(app: App) -> None:
    sealed = sa.update(access_log).where(acs.id == 1, acs.at == app.clock.now).values(number=1)
    assert read(app, sealed) == {"access_log_first"}


def test_retention_scans_only_partitions_that_can_hold_old_rows(app: App) -> None:
    app.clock.forward(days=9)
    kind = upkeep.rest_of(requests.history, app.clock.now, CUTS["transition"])
    assert kind.among is not None
    assert read(app, sa.select(tr.id).where(kind.among)) == {"transition_first"}


def test_a_new_delivery_scans_no_partition(app: App) -> None:
    deliver(app, "c-0")
    with statements(app.engine) as found:
        deliver(app, "c-1")
    scans = re.compile(r"(FROM|JOIN|UPDATE) (transition|delivery_item|webhook_delivery)\b")
    assert [each for each in found if scans.search(each) and "INSERT" not in each] == []


@pytest.mark.parametrize("table", CUTS)
def test_a_row_is_inserted_into_its_partition(app: App, table: str) -> None:
    text = f"EXPLAIN INSERT INTO {table} SELECT * FROM {table}_rest"
    with reading(app.engine) as connection:
        lines = connection.exec_driver_sql(text).scalars().all()
    assert {name for line in lines for name in READ.findall(line)} == {f"{table}_rest"}
