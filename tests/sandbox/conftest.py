"""A sandbox with a fixed clock, and a business account that signs with oauthlib."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from oauthlib.oauth1 import Client

from service.sandbox import Assumptions, BusinessAccount, SandboxConfig, create_sandbox, demo_account

BASE = "http://x.test"
START_S = 1_790_000_000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OTHER = replace(
    demo_account(), name="Other", user_id="99", screen_name="other", token="99-token", token_secret="other-secret"
)


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any
    raw: bytes

    @property
    def code(self):
        return self.body["errors"][0]["code"]


@dataclass
class Business:
    """Calls X as one account; `sandbox` is a Flask test client."""

    sandbox: Any
    account: BusinessAccount
    now_s: list = field(default_factory=lambda: [START_S])

    def signed(self, method, path, query=None, form=None, headers=None, **changes):
        keys = {
            "client_key": self.account.consumer_key,
            "client_secret": self.account.consumer_secret,
            "resource_owner_key": self.account.token,
            "resource_owner_secret": self.account.token_secret,
            "timestamp": str(int(self.now_s[0])),
            **changes,
        }
        url = BASE + path + ("?" + urlencode(query) if query else "")
        body = urlencode(form) if form is not None else None
        return Client(**keys).sign(url, method, body, {**(FORM if form is not None else {}), **(headers or {})})

    def get(self, path, **query):
        url, headers, _ = self.signed("GET", f"/1.1/{path}.json", query)
        return self.send("GET", url, headers)

    def post(self, path, query=None, **form):
        url, headers, body = self.signed("POST", f"/1.1/{path}.json", query, form)
        return self.send("POST", url, headers, body)

    def post_json(self, path, body):
        url, headers, _ = self.signed("POST", f"/1.1/{path}.json")
        return self.send("POST", url, headers | {"Content-Type": "application/json"}, json.dumps(body))

    def send(self, method, url, headers, body=None):
        given = self.sandbox.open(url, method=method, headers=headers, data=body)
        return Answer(given.status_code, given.headers, given.get_json(silent=True), given.data)

    def dm(self, recipient, text="hello"):
        return self.post_json("direct_messages/events/new", message(recipient, text))

    def card(self, recipient, **changes):
        return self.post("feedback/create", **(card_form(recipient) | changes))


def message(recipient, text="hello"):
    inner = {"target": {"recipient_id": recipient}, "message_data": {"text": text}}
    return {"event": {"type": "message_create", "message_create": inner}}


def card_form(recipient):
    return {
        "type": "csat",
        "to_user_id": recipient,
        "message": "How did we do?",
        "privacy_url": "https://business.example/privacy",
        "external_id": "ticket_5555",
    }


@dataclass
class Control:
    sandbox: Any

    def get(self, path="", **query):
        return self.sandbox.get(f"/_control{path}", base_url=BASE, query_string=query).get_json()

    def post(self, path, **body):
        given = self.sandbox.post(f"/_control{path}", base_url=BASE, json=body)
        assert given.status_code == 200, given.data
        return given.get_json()

    def switch(self, **assumptions):
        given = self.sandbox.put("/_control/assumptions", base_url=BASE, json=assumptions)
        assert given.status_code == 200, given.data

    def customer(self, user_id, **profile):
        self.post("/customers", customers=[{"user_id": user_id, **profile}])

    def advance(self, seconds):
        return self.post("/clock", advance_s=seconds)["now_ms"]

    def fault(self, fault, **rule):
        return self.post("/faults", fault=fault, **rule)["ids"][0]

    def truth(self, **query):
        return self.get("/truth", **query)


@pytest.fixture
def wall():
    return [START_S]


@pytest.fixture
def app(wall):
    config = SandboxConfig(
        accounts=(demo_account(), OTHER),
        assumptions=Assumptions(list_lag_s=0),
        speed=0,
        start_at_s=START_S,
    )
    return create_sandbox(config, wall=lambda: wall[0])


@pytest.fixture
def x(app, wall):
    return Business(app.test_client(), demo_account(), wall)


@pytest.fixture
def other(app, wall):
    return Business(app.test_client(), OTHER, wall)


@pytest.fixture
def control(app):
    control = Control(app.test_client())
    control.customer("501", screen_name="ada")
    return control


@pytest.fixture
def card_form_501():
    return card_form("501")
