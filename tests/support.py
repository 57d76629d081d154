"""What outreach and story tests share: settings that work, a clock that tests set, X in the same process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any

import flask
import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.accounts import standing
from service.at_rest.columns import encrypting
from service.db import reading, writing
from service.ids import new_id, person
from service.models import feedback_request, opt_out, reopening, send_attempt, transition
from service.outreach.context import Workplace
from service.outreach.run import Clock as AnyClock
from service.outreach.run import Runner
from service.outreach.unclear import attach_once, look_up_once
from service.requests import rows
from service.requests.request import Request
from service.sandbox import Assumptions, SandboxConfig, create_sandbox, schedule, truth
from service.sandbox import BusinessAccount as SandboxAccount
from service.settings import Settings, from_tree
from service.x_api import Credentials, XClient

START = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
SOURCE_KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
# a second account, for settings_of(accounts__other=OTHER)
OTHER = {"user_id": "2", "consumer_key": "k", "consumer_secret": "s", "token": "t", "token_secret": "u"}
READ: dict[str, Settings] = {}


def tree(**changes: Any) -> dict[str, Any]:
    """A settings file as a dict; `changes` are dotted paths with `__` for the dot."""
    built: dict[str, Any] = {
        "service": {"secret_key": "0123456789abcdef0123456789abcdef-test"},
        "database": {},
        "web": {},
        "worker": {"concurrency": 4},
        "privacy": {},
        "reports": {},
        "accounts": {
            "acme": {
                "user_id": "1212121212121",
                "screen_name": "acmecare",
                "base_url": "http://sandbox.test",
                "consumer_key": "ck-acme",
                "consumer_secret": "cs-acme",
                "token": "1212121212121-t-acme",
                "token_secret": "ts-acme",
                "webhook_user": "x",
                "webhook_password": "a-long-random-password-1",
            }
        },
        "sources": {"crm": {"preset": "standard", "keys": [SOURCE_KEY]}},
        "campaigns": {
            "care": {
                "type": "csat",
                "question_variant_id": 1,
                "privacy_url": "https://acme.example/privacy",
                "texts": {"en": {"opening": "Thanks for writing to {screen_name}.", "card": "How did we do?"}},
            }
        },
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = built
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return built


def settings_of(**changes: Any) -> Settings:
    return read(tree(**changes))


def read(written: Mapping[str, Any]) -> Settings:
    """The settings of a tree; they are frozen, so that tests with the same share them."""
    key = repr(written)
    if key not in READ:
        READ[key] = from_tree(written, {})
    return READ[key]


@dataclass
class Clock:
    """A clock that only a test moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass
class World:
    """A service's outreach and the X it writes to, on one clock."""

    engine: Engine
    settings: Settings
    clock: Clock = field(default_factory=Clock)
    assumptions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        switches = {"list_lag_s": 0, "oauth_clock": "sandbox", "webhooks": False, **self.assumptions}
        config = SandboxConfig(
            accounts=tuple(_sandbox_account(each) for each in self.settings.accounts.values()),
            assumptions=Assumptions().merged(switches),
            speed=0,
            start_at_s=self.clock.now.timestamp(),
        )
        self.x_app: flask.Flask = create_sandbox(config)
        self.x = self.x_app.test_client()
        self.place = Workplace.open(self.engine, self.settings, "test-worker")
        self.clients = {name: self.client(name) for name in self.settings.accounts}
        with writing(self.engine) as connection:
            standing.enrol(connection, self.settings.accounts, self.clock.now)

    def client(self, name: str, transport: httpx.BaseTransport | None = None) -> XClient:
        a = self.settings.accounts[name]
        return XClient(
            Credentials(a.consumer_key, a.consumer_secret, a.token or "", a.token_secret or ""),
            base_url=a.base_url,
            clock=self.clock,
            transport=transport or Dropping(httpx.WSGITransport(app=self.x_app)),
        )

    def control(self, path: str, body: Mapping[str, Any] | None = None, method: str = "POST") -> Any:
        answer = self.x.open(f"/_control{path}", method=method, json=body)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json()

    def customers(self, *profiles: Mapping[str, Any]) -> None:
        self.control("/customers", {"customers": [dict(each) for each in profiles]})

    def fault(self, **rule: Any) -> None:
        self.control("/faults", rule)

    def truth(self) -> Any:
        """All that X knows, as GET /_control/truth tells it."""
        schedule.settle(self.x_app.extensions["sandbox"])
        return truth.truth(self.x_app.extensions["sandbox"], {})

    def forward(self, **span: float) -> None:
        self.clock.forward(**span)
        later(self.x_app, timedelta(**span))

    def run(self) -> int:
        return work(self.place, self.clients, self.clock)

    def turns(self, n: int, **span: float) -> None:
        """Several turns of the worker, and so much time after each."""
        for _ in range(n):
            self.run()
            self.forward(**span)

    def later(self, n: int, **span: float) -> None:
        """Several turns of the worker, and so much time before each."""
        for _ in range(n):
            self.forward(**span)
            self.run()

    def ended(self, conversation_id: str = "c-1", **columns: Any) -> str:
        """Put an ended conversation into the ledger, as intake does, and return the request's id."""
        row = request_row(self.clock.now, conversation_id=conversation_id, **columns)
        with writing(self.engine) as connection:
            connection.execute(sa.insert(feedback_request).values(encrypting(feedback_request, row, row["id"])))
        return str(row["id"])

    def reopened(self, conversation_id: str, at: datetime) -> None:
        with writing(self.engine) as connection:
            connection.execute(
                sa.insert(reopening).values(
                    source="crm", conversation_id=conversation_id, reopened_at=at, delivery_id="wd_test"
                )
            )

    def request(self, request_id: str) -> sa.Row[Any]:
        with reading(self.engine) as connection:
            return connection.execute(sa.select(feedback_request).where(feedback_request.c.id == request_id)).one()

    def history(self, request_id: str) -> list[tuple[str, str, str | None]]:
        t = transition.c
        with reading(self.engine) as connection:
            rows = connection.execute(
                sa.select(t.to_state, t.event, t.reason).where(t.request_id == request_id).order_by(t.id)
            )
            return [tuple(row) for row in rows]

    def attempts(self, request_id: str) -> list[sa.Row[Any]]:
        a = send_attempt.c
        with reading(self.engine) as connection:
            return list(
                connection.execute(
                    sa.select(send_attempt).where(a.request_id == request_id).order_by(a.intended_at, a.id)
                )
            )

    def set(self, request_id: str, **columns: Any) -> None:
        with writing(self.engine) as connection:
            values = encrypting(feedback_request, columns, request_id)
            connection.execute(sa.update(feedback_request).where(feedback_request.c.id == request_id).values(values))


def later(x_app: flask.Flask, span: timedelta) -> None:
    """Move X's clock as POST /_control/clock does, which most of a test's turns begin with."""
    x = x_app.extensions["sandbox"]
    with x.lock:
        x.clock.advance(span.total_seconds())
        schedule.settle(x)


def work(place: Workplace, clients: Mapping[str, XClient], clock: AnyClock) -> int:
    """Turn the worker's own runner until nothing is due, then look once where it looks; return how much was done."""
    runner, turns = Runner(place, clients, clock), 0
    while runner.turn(timedelta(seconds=60)):
        turns += 1
    runner.stop(timedelta(0))
    accounts = place.settings.accounts
    looked = sum(look_up_once(place, accounts[name], client, clock) for name, client in clients.items())
    return turns + looked + attach_once(place, clock())


class Dropping(httpx.BaseTransport):
    """In one process there is no socket to cut: what the sandbox marks as dropped becomes the client's own error."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._inner.handle_request(request)
        except ConnectionError as error:
            raise httpx.ReadError(str(error), request=request) from error


class Dated(Dropping):
    """An X whose answers bear its own time, as over a network."""

    def __init__(self, world: World) -> None:
        super().__init__(httpx.WSGITransport(app=world.x_app))
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        found = super().handle_request(request)
        now_s = self._world.x.get("/_control/clock").get_json()["now_ms"] / 1000
        found.headers["date"] = formatdate(now_s, usegmt=True)
        return found


def request_row(now: datetime, **columns: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": new_id("fr", now),
        "source": "crm",
        "account": "acme",
        "conversation_id": "c-1",
        "ended_at": now,
        "received_at": now,
        "delivery_id": "wd_test",
        "x_user_id": "501",
        "x_handle": None,
        "identity_trust": "bridge",
        "agent_id": "agent-1",
        "team_id": "team-1",
        "tags": [],
        "test": False,
        "state": "received",
        "attempts": 0,
        "scheduled_at": now,
        "can_dm_asked": 0,
        "updated_at": now,
    }
    return row | columns


def request_of(now: datetime, **columns: Any) -> Request:
    """A request as the room that reads would make it."""
    row = request_row(now, **columns)
    return rows.request_of([row.get(name) for name in rows.NAMES])


def _sandbox_account(account: Any) -> SandboxAccount:
    return SandboxAccount(
        name=account.name,
        user_id=account.user_id,
        screen_name=account.screen_name,
        consumer_key=account.consumer_key,
        consumer_secret=account.consumer_secret,
        token=account.token,
        token_secret=account.token_secret,
        client_id=account.client_id,
        client_secret=account.client_secret,
    )


def is_opted_out(connection: sa.Connection, x_user_id: str, *, hash_key: str, account: str) -> bool:
    """Whether the list holds this person for the account, or for all of them."""
    o = opt_out.c
    found = sa.select(o.person).where(o.person == person(hash_key, x_user_id), o.account.in_([account, "*"]))
    return connection.scalar(found.limit(1)) is not None


def snowflake_ms(snowflake: int) -> int:
    """The millisecond inside an id of X."""
    return (snowflake >> 22) + 1_288_834_974_657
