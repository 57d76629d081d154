"""The whole application with a test client, a clock that tests set, and keys."""

import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.at_rest.columns import bound, encrypting
from service.auth import keys
from service.db import reading, writing
from service.models import access_log, feedback_request, result, result_update
from service.settings import Settings
from tests.intake.signers import Outgoing, standard
from tests.support import Clock, settings_of


@dataclass
class App:
    engine: Engine
    settings: Settings = field(default_factory=settings_of)
    clock: Clock = field(default_factory=Clock)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = create_app(self.settings, self.engine, self.clock).test_client()

    def key(self, role: str = "admin", *accounts: str, name: str = "ada") -> str:
        with writing(self.engine) as connection:
            return keys.create(connection, name, role, accounts, self.clock.now)

    def call(self, method: str, path: str, key: str | None = None, json: Any = None, **more: Any) -> Any:
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, json=json, **more)

    def refused(self, status: int, method: str, path: str, key: str | None = None, json: Any = None) -> str:
        """The code of a refusal."""
        answer = self.call(method, path, key, json)
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert answer.content_type == "application/problem+json"
        problem = answer.get_json()
        assert problem["detail"].endswith(".")
        return str(problem["code"])

    def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        with reading(self.engine) as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key)))

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(row.actor, row.action, row.detail) for row in self.rows(access_log)]


def deliver(app: App, conversation_id: str, **data: Any) -> str:
    """Report an ended conversation; return the request's id."""
    answer = told(app, conversation_id, **data)
    assert answer["accepted"] == 1, answer
    with reading(app.engine) as connection:
        wanted = sa.select(feedback_request.c.id).where(feedback_request.c.conversation_id == conversation_id)
        return str(connection.scalar(wanted))


def told(app: App, conversation_id: str, **data: Any) -> dict[str, Any]:
    """Report an ended conversation as the CRM does, signed; return our answer."""
    at = app.clock.now.isoformat()
    event = {"type": "conversation.ended", "timestamp": at, "data": {"conversation_id": conversation_id, **data}}
    out = Outgoing("", json.dumps(event).encode(), {"webhook-id": f"msg-{conversation_id}"}, app.clock.now)
    standard(out)
    answer = app.client.post("/webhooks/crm/crm", data=out.body, headers=out.headers, content_type="application/json")
    return dict(answer.get_json())


def answered(app: App, request_id: str, *, score: int | None = 4, text: str | None = "Jane was kind") -> None:
    """Store the card and the answer as outreach and results would."""
    now = app.clock.now
    feedback_id = str(int(request_id[-12:], 16))
    with writing(app.engine) as connection:
        connection.execute(
            sa.update(feedback_request)
            .where(feedback_request.c.id == request_id)
            .values(
                state="card_sent", feedback_id=feedback_id, card_sent_at=now, outcome_at=now, campaign="care",
                type="csat", card_text=bound("How did we do?", request_id), dm_event_id="dm-1", card_dm_id="dm-2",
                page_hash=feedback_id.zfill(64),
                opening_text=sa.literal("Thanks, ") + feedback_request.c.x_handle,
            )
        )  # fmt: skip
        said = {"request_id": request_id, "feedback_id": feedback_id, "score": score, "text": text}
        times = {"score_at": now if score is not None else None, "text_at": now if text is not None else None}
        seen = {"x_updated_at": now, "updated_at": now, "first_seen_at": now, "first_channel": "webhook"}
        row = encrypting(result, {**said, **times, **seen, "update_count": 1, "anomalies": 0}, request_id)
        connection.execute(sa.insert(result).values(row))
        update = {"digest": "d" * 64, "x_updated_at": now, "channel": "webhook", "seen_at": now, "verdict": "applied"}
        told = encrypting(result_update, {**said, **times, **update}, request_id, "card", now)
        connection.execute(sa.insert(result_update).values(told))
