"""A ledger with answers, an application that serves it, and clients with keys."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import web
from service.at_rest.columns import encrypting
from service.auth import Guard, Reader, keys
from service.db import EPOCH, Micros, insert, writing
from service.ids import new_id
from service.models import feedback_request, poll_window, result, transition
from service.models import naming as named
from service.reports.api import register as api
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.reports.disclosure.closing import close_due
from service.requests.seals import touch
from service.settings import Settings
from service.web.docs.error_catalogue import known
from service.web.docs.pages import HTTP_CODES
from tests.filled_ledgers import poured
from tests.support import Clock, read, tree

NOW = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
ADMIN = Reader("k", "test", "admin", ())
ACCOUNT = tree()["accounts"]["acme"]


def settings_of(**changes: Any) -> Settings:
    built = tree(**changes)
    built["accounts"]["other"] = {**ACCOUNT, "user_id": "3434343434", "screen_name": "othercare"}
    built["sources"]["crm"]["account"] = "acme"
    built["sources"]["crm"]["conversation_url"] = "https://crm.example/c/{conversation_id}"
    return read(built)


def name_everybody(engine: Engine, answers: int = 0) -> None:
    """Name whoever has so many answers; 0: all have been here long enough, whatever small group they are in now."""
    whose = (feedback_request.c.account, naming.KIND.label("kind"), naming.NAME.label("name"))
    joined = feedback_request.outerjoin(result, result.c.request_id == feedback_request.c.id)
    with writing(engine) as connection:
        everybody = sa.select(*whose, result.c.score).select_from(joined).where(naming.NAME.is_not(None)).subquery()
        who = (everybody.c.account, everybody.c.kind, everybody.c.name)
        those = sa.select(*who, sa.literal(EPOCH, Micros())).group_by(*who)
        those = those.having(sa.func.count(everybody.c.score) >= answers)
        row = insert(connection, named).from_select(["account", "kind", "name", "named_at"], those)
        known = ["account", "kind", "name"]
        connection.execute(row.on_conflict_do_update(index_elements=known, set_={"named_at": EPOCH}))


@dataclass
class World:
    """What is put in is told of once somebody looks, by a client or at the engine."""

    ledger: Engine
    settings: Settings = field(default_factory=settings_of)
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    number: int = 0
    untold: list[datetime] = field(default_factory=list)
    served: tuple[Settings, flask.Flask] | None = None

    @property
    def engine(self) -> Engine:
        self.told()
        return self.ledger

    def told(self) -> None:
        if self.untold:
            self.tell(max(self.untold))

    def app(self) -> flask.Flask:
        app = flask.Flask("test", static_folder=None)
        app.before_request(self.told)
        guard = Guard(self.engine, self.clock, self.settings.web.requests_per_minute)
        built = web.setup(app, self.settings.web)
        built.register_blueprint(api.blueprint(self.settings, self.engine, guard, self.clock))
        return app

    def key(self, role: str = "supervisor", *accounts: str) -> str:
        with writing(self.engine) as connection:
            return keys.create(connection, f"{role} key", role, accounts, self.clock.now)

    def client(self, role: str = "supervisor", *accounts: str) -> "Client":
        """One with a key of its own, of the application that serves all of them while the settings are these."""
        if self.served is None or self.served[0] is not self.settings:
            self.served = (self.settings, self.app())
        return Client(self.served[1], self.key(role, *accounts))

    def begun(self, name: str, fill: Callable[["World"], None]) -> "World":
        """Have in the ledger what `fill` puts there."""

        def filled() -> tuple[int, datetime]:
            fill(self)
            self.told()
            return self.number, self.clock.now

        self.number, self.clock.now = poured(self.engine, name, filled)
        return self

    def add(
        self,
        n: int = 1,
        *,
        score: int | None = None,
        text: str | None = None,
        days_ago: float = 3,
        state: str = "card_sent",
        kind: str | None = "csat",
        **columns: Any,
    ) -> list[str]:
        """Put `n` conversations into the ledger, with what their customers answered."""
        ended = self.clock.now - timedelta(days=days_ago)
        requests, results, steps = [], [], []
        for _ in range(n):
            self.number += 1
            at = ended + timedelta(seconds=self.number)
            sent = at + timedelta(minutes=1) if state == "card_sent" else None
            row = {
                "id": new_id("fr", at),
                "source": "crm",
                "account": "acme",
                "conversation_id": f"c-{self.number}",
                "ended_at": at,
                "received_at": at,
                "delivery_id": "wd",
                "identity_trust": "bridge",
                "agent_id": "ann",
                "team_id": "red",
                "tags": [],
                "language": "en",
                "campaign": "care",
                "type": kind,
                "question_variant_id": 1,
                "display_name": "Acme",
                "test": False,
                "state": state,
                "reason": None,
                "attempts": 0,
                "scheduled_at": at,
                "can_dm_asked": 0,
                "card_sent_at": sent,
                "updated_at": sent or at,
                **columns,
            }
            requests.append(row)
            steps.append(
                {
                    "request_id": row["id"],
                    "at": at,
                    "from_state": "received",
                    "to_state": state,
                    "event": "advanced",
                    "reason": None,
                    "detail": None,
                    "actor": "w",
                }
            )
            if score is not None or text is not None:
                answered = at + timedelta(minutes=10)
                results.append(
                    {
                        "request_id": row["id"],
                        "feedback_id": f"9{self.number}",
                        "score": score,
                        "score_at": answered if score is not None else None,
                        "text": text,
                        "text_at": answered + timedelta(minutes=1) if text is not None else None,
                        "x_updated_at": answered,
                        "first_seen_at": answered,
                        "first_channel": "webhook",
                        "update_count": 1,
                        "anomalies": 0,
                        "updated_at": answered + timedelta(minutes=2),
                    }
                )
        with writing(self.ledger) as connection:
            connection.execute(sa.insert(feedback_request), requests)
            connection.execute(sa.insert(transition), steps)
            if results:
                rows = [encrypting(result, each, each["request_id"]) for each in results]
                connection.execute(sa.insert(result), rows)
        self.untold += [each["updated_at"] for each in (*requests, *results)]
        return [str(row["id"]) for row in requests]

    def tell(self, now: datetime | None = None) -> None:
        """Do what the worker does each second: number what has changed, and name who may be named."""
        self.untold.clear()
        at = now or self.clock.now
        while seal(self.ledger, self.settings, at) + naming.follow(self.ledger, self.settings, at):
            pass

    def set_result(self, request_id: str, **columns: Any) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.update(result).where(result.c.request_id == request_id).values(columns))
            touch(connection, [request_id])
        self.untold.append(self.clock.now)

    def released(self) -> None:
        """Close every release that is due, as the worker does."""
        while close_due(self.engine, self.settings, self.clock.now):
            pass

    def read_until(self, account: str, until: datetime) -> None:
        window = {"account": account, "from_time": until - timedelta(hours=6), "to_time": until, "pages": 1}
        with writing(self.engine) as connection:
            connection.execute(sa.insert(poll_window).values(**window, events=0, found_missing=0, done_at=until))


@dataclass
class Client:
    app: flask.Flask
    key: str | None

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        own = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self.app.test_client().get(path, query_string=query or None, headers={**own, **(headers or {})})

    def json(self, path: str, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()

    def refused(self, path: str, status: int, **query: Any) -> str:
        """The code of a refusal."""
        answer = self.get(path, **query)
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert answer.content_type == "application/problem+json"
        problem = answer.get_json()
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["X-Request-Id"]
        assert problem["detail"].endswith(".")
        assert problem["type"] == f"/docs/problems/{problem['code']}"
        assert problem["code"] in known(HTTP_CODES), "its type resolves"
        return str(problem["code"])
