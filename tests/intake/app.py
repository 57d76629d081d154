"""A small web application with intake alone, and senders that speak to it as CRMs do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import flask
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from service.intake.definition.load import load_definitions
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound, make_inbound
from service.intake.fast_path import with_fast_path
from service.intake.reception import Reception
from service.intake.routes import blueprint
from service.intake.verify import Refused, Verified
from service.intake.verify import verify as verdict_of
from service.models import delivery_item, feedback_request, reopening, webhook_delivery
from service.settings import Settings, Source
from service.web.headers import register_headers
from service.web.problems import register_errors
from tests.intake.signers import SECRET, SENDERS, Outgoing
from tests.support import read

PUBLIC_URL = "https://feedback.example.com"
ACCOUNT = {"consumer_key": "k", "consumer_secret": "s", "token": "t", "token_secret": "u", "user_id": "1"}
CAMPAIGN = {
    "type": "csat",
    "privacy_url": "https://example.com/privacy",
    "opening": False,
    "texts": {"en": {"card": "Hi"}},
}


def settings_with(sources: Mapping[str, Any], **web: Any) -> Settings:
    """Settings as an operator would write them, with two X accounts."""
    tree: dict[str, Any] = {
        "service": {"secret_key": "0123456789abcdef0123456789abcdef", "public_url": PUBLIC_URL},
        "accounts": {"acme": ACCOUNT, "acme_de": {**ACCOUNT, "user_id": "2"}},
        "sources": {name: {"account": "acme", **given} for name, given in sources.items()},
        "campaigns": {"all": CAMPAIGN},
    }
    return read({**tree, "web": web} if web else tree)


def source(preset: str | None = "token", *keys: str, name: str = "crm", **definition: Any) -> Source:
    """A source as the settings hand it over."""
    return Source(name, "acme", preset, keys or (SECRET,), None, None, definition, None, "none")


def define(preset: str | None = "token", *keys: str, **definition: Any) -> Definition:
    """One compiled definition."""
    return load_definitions({"crm": source(preset, *keys, **definition)})["crm"]


def verify(definition: Definition, inbound: Inbound, now: datetime) -> Verified | Refused:
    """Whether the request is the source's."""
    return verdict_of(definition.verifiers, inbound, now)


def post(body: bytes | Any, headers: Mapping[str, str] | None = None, query: str = "", name: str = "crm") -> Inbound:
    """A request to the source `crm`, without a web server."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = list({"content-type": "application/json", **(headers or {})}.items())
    return make_inbound("POST", PUBLIC_URL, f"/webhooks/crm/{name}", query, pairs, raw)


@dataclass
class App:
    """The app, its database and its clock."""

    settings: Settings
    engine: Engine
    now: datetime
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        app = flask.Flask("intake-only")
        definitions = load_definitions(self.settings.sources, self.settings.accounts)
        reception = Reception(self.settings, self.engine, definitions, lambda: self.now)
        app.register_blueprint(blueprint(reception))
        app.wsgi_app = with_fast_path(reception, app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation does
        register_headers(app)
        register_errors(app)
        self.client = app.test_client()

    def send(
        self,
        name: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[Outgoing], None] | None = None,
        query: str = "",
    ) -> TestResponse:
        """Sign and post, at the app's own time."""
        path = f"/webhooks/crm/{name}"
        out = Outgoing(PUBLIC_URL + path, body, dict(headers or {}), self.now, query)
        (sign or SENDERS[name].sign)(out)
        target = f"{path}?{out.query}" if out.query else path
        return self.client.post(target, data=out.body, headers=out.headers)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(table.c.id)).all())

    @property
    def requests(self) -> list[Any]:
        return self.rows(feedback_request)

    @property
    def items(self) -> list[Any]:
        return self.rows(delivery_item)

    @property
    def deliveries(self) -> list[Any]:
        return self.rows(webhook_delivery)

    @property
    def reopenings(self) -> list[Any]:
        return self.rows(reopening)

    def later(self, **span: float) -> None:
        from datetime import timedelta

        self.now += timedelta(**span)


def token_app(engine: Engine, now: datetime, **more: Any) -> App:
    """A app with one source of preset token, called `token`."""
    return App(settings_with({"token": {"preset": "token", "keys": [SECRET], **more}}), engine, now)


def ended(conversation_id: str = "c-1", at: str = "2026-11-22T11:00:00Z", **more: Any) -> bytes:
    """A token event of an ended conversation."""
    event = {"event": "conversation.ended", "conversation_id": conversation_id, "ended_at": at, **more}
    return json.dumps(event).encode()


def reopened(conversation_id: str = "c-1", at: str = "2026-11-22T11:10:00Z", **more: Any) -> bytes:
    """A token event of a reopened conversation."""
    event = {"event": "conversation.reopened", "conversation_id": conversation_id, "reopened_at": at, **more}
    return json.dumps(event).encode()
