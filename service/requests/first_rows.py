"""New requests: conversations that intake has judged become rows, written together.

The one insert into `feedback_request`. Intake holds the conversations' locks; the unique key is the last guard.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.engine import Connection

from service.bulk import BulkInsert
from service.db import once_committed
from service.models import feedback_request
from service.states import State
from service.telemetry import traces


class NewRequest(NamedTuple):
    """A request's first row, in the order it is written; a tuple, because there are thousands of them."""

    id: str
    source: str
    account: str
    conversation_id: str
    ended_at: datetime
    received_at: datetime
    delivery_id: str
    x_user_id: str | None
    x_handle: str | None
    identity_trust: str
    agent_id: str | None
    team_id: str | None
    tags: list[str]
    language: str | None
    channel: str | None
    customer_ref: str | None
    tenant: str | None
    handled_by: str | None
    scheduled_at: datetime
    updated_at: datetime
    test: bool = False
    state: str = State.RECEIVED.value
    attempts: int = 0
    can_dm_asked: int = 0


NEW = BulkInsert(tuple(feedback_request.c[name] for name in NewRequest._fields))


def open_all(connection: Connection, requests: Sequence[NewRequest]) -> None:
    """Write the rows of requests that begin."""
    NEW.run(connection, requests)
    if traces.LISTENER.hear is not None:
        once_committed(connection, lambda: _trace(requests))


def _trace(requests: Sequence[NewRequest]) -> None:
    for each in requests:
        traces.first(
            each.id, "conversation received", each.received_at, {"account": each.account, "source": each.source}
        )
