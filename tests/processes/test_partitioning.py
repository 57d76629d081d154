"""Web and worker go on while tables are partitioned by a command that is killed between its steps."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.db.partitioned import CUT_BY, partitioned_tables
from service.models import delivery_key, feedback_request, webhook_delivery
from tests.processes import deliveries
from tests.processes.children import cli, run_cli, until
from tests.processes.site import Site
from tests.processes.x import X

OF_BEFORE = """INSERT INTO webhook_delivery
    (id, source, dedupe_key, received_at, content_type, headers, query, body, key_index)
SELECT 'whd_' || lpad(to_hex(at), 12, '0') || lpad(n::text, 16, '0'), 'crm', n, at * 1000, '', '{}', '{}', '{}', 0
FROM (SELECT n, (extract(epoch FROM now()) * 1000)::bigint - n * 1000 AS at FROM generate_series(1, 30000) AS n)"""
"""Deliveries, one a second: their keys take a while to write, so that there is a middle."""
MOST = 60
WITHIN_S = 180
BEGUN = (
    "SELECT FROM pg_constraint WHERE conname = 'ck_transition_room'",
    "SELECT FROM pg_class WHERE relname = 'access_log_rest'",
    "SELECT FROM pg_trigger WHERE tgname = 'keep_key'",
    "SELECT FROM pg_class WHERE relname = 'webhook_delivery_rest'",
)
"""What the database shows in the middle of four steps."""


def shows(engine: Engine, fact: str) -> bool:
    with reading(engine) as connection:
        return connection.exec_driver_sql(fact).first() is not None


def number(engine: Engine, query: sa.Select[Any]) -> int:
    with reading(engine) as connection:
        return int(connection.scalar(query) or 0)


@pytest.mark.timeout(900)
def test_none_is_lost_and_none_is_asked_twice(
    site_of: Callable[..., Site], postgresql_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(postgresql_url)
    engine, words = engine_of(site), ("--config", str(site.config), "db", "partition")
    with writing(engine) as connection:
        connection.exec_driver_sql(OF_BEFORE)
    with (
        cli("web", site.directory, "--config", str(site.config), "web"),
        cli("worker", site.directory, "--config", str(site.config), "worker"),
    ):
        with deliveries.telling(site, MOST, times=2) as accepted:
            until(lambda: accepted, WITHIN_S, "the CRM is heard")
            for step, fact in enumerate(BEGUN):
                with cli(f"partition-{step}", site.directory, *words) as command:
                    until(lambda: shows(engine, fact) or not command.running, WITHIN_S, fact)  # noqa: B023 - called within the turn
                    command.kill()
            assert any(run_cli(*words).returncode == 0 for _ in range(5)), "a busy machine may ask for it again"
            with reading(engine) as connection:
                assert partitioned_tables(connection) == set(CUT_BY)
            before = len(accepted)
            until(lambda: len(accepted) > before or len(accepted) == MOST, WITHIN_S, "it goes on after it")
        fr, dlk = feedback_request.c, delivery_key.c
        asked = sa.select(sa.func.count()).select_from(feedback_request).where(fr.state == "card_sent")
        until(lambda: number(engine, asked) == len(accepted), WITHIN_S, "everybody was asked")
        for name in accepted[:3]:
            assert deliveries.deliver(site, name) == 200
    assert x.sent("card") == x.sent("dm") == len(accepted)
    keys = sa.select(sa.func.count()).select_from(delivery_key)
    unknown = ~sa.exists().where(
        dlk.source == webhook_delivery.c.source, dlk.dedupe_key == webhook_delivery.c.dedupe_key
    )
    assert number(engine, sa.select(sa.func.count()).select_from(webhook_delivery).where(unknown)) == 0
    assert number(engine, keys) == number(engine, sa.select(sa.func.count()).select_from(webhook_delivery))
