"""A ledger on PostgreSQL whose tables are partitioned, and what its partitions hold."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service.db import reading
from service.db.partitioned import partitioned_tables
from service.partitions import conversion
from service.partitions.catalog import partitions
from service.partitions.cuts import cuts
from tests.floor.app import App
from tests.intake.signers import Outgoing, standard
from tests.support import settings_of

SETTINGS = settings_of(
    privacy={"keep_deliveries": "30d", "keep_history": "365d", "keep_access_log": "730d", "keep_repeats": "90d"}
)
CUTS = cuts(SETTINGS.privacy)


def nobody(_table: str, _rows: int) -> None:
    """Ignores the progress."""


def turn(engine: Engine, now: datetime) -> list[str]:
    return list(conversion.turn(engine, SETTINGS.privacy, now, nobody))


def in_pieces(engine: Engine) -> frozenset[str]:
    """Which tables are partitioned."""
    with reading(engine) as connection:
        return partitioned_tables(connection)


def pieces(engine: Engine, table: str) -> dict[str, int]:
    """How many rows each partition of a table has, oldest first."""
    with reading(engine) as connection:
        return {
            each.name.removeprefix(f"{table}_"): connection.exec_driver_sql(
                f"SELECT count(*) FROM {each.name}"
            ).scalar_one()
            for each in partitions(connection, CUTS[table])
        }


def retold(app: App, conversation_id: str, at: datetime, **data: Any) -> dict[str, Any]:
    """Report an end at a moment: the same bytes whenever they are sent."""
    told = {
        "type": "conversation.ended",
        "timestamp": at.isoformat(),
        "data": {"conversation_id": conversation_id, **data},
    }
    out = Outgoing("", json.dumps(told).encode(), {"webhook-id": f"msg-{conversation_id}"}, app.clock.now)
    standard(out)
    answer = app.client.post("/webhooks/crm/crm", data=out.body, headers=out.headers, content_type="application/json")
    return dict(answer.get_json())


def rows(engine: Engine, table: str) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements of the block."""
    found: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    yield found
    event.remove(engine, "before_cursor_execute", hear)


def scalar(engine: Engine, statement: str) -> Any:
    with reading(engine) as connection:
        return connection.scalar(sa.text(statement))
