"""Which thread answers: a source whose keys must be fetched delays only itself, however its address is written."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast

import pytest
from sqlalchemy.engine import Engine

from service.app import create_app
from service.listening.answering import Open
from service.listening.lanes import THREADS_OF, Lanes
from service.web import slow_routes
from service.web.deferred import DeferredBody, Outcome
from tests.support import settings_of

HUB, SHOP = "/webhooks/crm/hub", "/webhooks/crm/shop"
PATIENCE_S = 120


@dataclass
class Asked:
    """A whole request, as far as lanes look at it."""

    path: str
    body: BytesIO = field(default_factory=BytesIO)


@dataclass
class Answering:
    """An application that waits for somebody wherever the hub is called, and says whom it has answered."""

    freed: threading.Event = field(default_factory=threading.Event)
    answered: dict[str, threading.Event] = field(default_factory=dict)

    def call(self, _connection: Any, request: Asked) -> None:
        if "shop" not in request.path and request.path != "/healthz":
            assert self.freed.wait(PATIENCE_S)
        self.answered[request.path].set()

    def ask(self, lanes: Lanes, path: str) -> threading.Event:
        told = self.answered.setdefault(path, threading.Event())
        lanes.dispatch(None, Asked(path))  # type: ignore[arg-type]  # it looks at the path and the size
        return told


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.freed.set()


@pytest.mark.parametrize("written", [HUB, f"{HUB}/", "/webhooks/crm/HUB", "/webhooks/crm/h%75b"])
def test_a_source_that_waits_for_published_keys_delays_nobody_else(answering: Answering, written: str) -> None:
    lanes = Lanes(answering, 1, [HUB])  # type: ignore[arg-type]  # an application, as far as lanes look at it
    hung = answering.ask(lanes, written)
    assert answering.ask(lanes, SHOP).wait(PATIENCE_S)
    assert not hung.is_set()
    answering.freed.set()
    assert hung.wait(PATIENCE_S)
    lanes.stop()


@dataclass
class Promising:
    """An application that answers nothing at once: keeps what it is told of each path, later."""

    told: dict[str, Outcome] = field(default_factory=dict)
    said: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def call(self, _connection: Any, request: Asked) -> Open:
        return Open(
            cast("Any", None), None, DeferredBody(cast("Any", None), request.path, lambda all_: [{}] * len(all_))
        )

    def settled(self, opened: Open, outcome: Outcome) -> None:
        self.told[opened.later.matter] = outcome
        self.said.release()


@pytest.mark.parametrize("written", ["/webhooks/%63rm/shop", "/%77ebhooks/crm/shop", "/under/webhooks/crm/shop"])
def test_a_deferred_answer_works_in_any_lane(written: str) -> None:
    promising = Promising()
    lanes = Lanes(cast("Any", promising), 1)
    lanes.dispatch(None, Asked(written))  # type: ignore[arg-type]  # it looks at the path and the size
    assert promising.said.acquire(timeout=PATIENCE_S)
    assert promising.told == {written: {}}
    lanes.stop()


def test_deliveries_with_an_escaped_path_use_their_own_lane(answering: Answering) -> None:
    lanes = Lanes(answering, 1, [HUB])  # type: ignore[arg-type]  # as above
    hung = [answering.ask(lanes, "/webhooks/%63rm/hub") for _ in range(THREADS_OF["/webhooks/"])]
    assert answering.ask(lanes, "/webhooks/x/shop").wait(PATIENCE_S)
    answering.freed.set()
    assert all(each.wait(PATIENCE_S) for each in hung)
    lanes.stop()


def test_liveness_is_answered_while_everything_else_waits(answering: Answering) -> None:
    lanes = Lanes(answering, 1, [HUB])  # type: ignore[arg-type]  # as above
    hung = [answering.ask(lanes, path) for path in ("/readyz", "/webhooks/x/acme", "/readyz/2", "/v1/summary", HUB)]
    assert answering.ask(lanes, "/healthz").wait(PATIENCE_S)
    assert not any(each.is_set() for each in hung)
    answering.freed.set()
    assert all(each.wait(PATIENCE_S) for each in hung)
    lanes.stop()


def test_readiness_checks_use_their_own_lane(answering: Answering) -> None:
    lanes = Lanes(answering, 1)  # type: ignore[arg-type]  # as above
    hung = [answering.ask(lanes, f"/readyz/{n}") for n in range(9)]
    assert answering.ask(lanes, "/webhooks/x/shop").wait(PATIENCE_S)
    answering.freed.set()
    assert all(each.wait(PATIENCE_S) for each in hung)
    lanes.stop()


def test_the_application_says_which_sources_verify_slowly(sqlite_engine: Engine) -> None:
    jwt = {"kind": "jwt", "jwks_url": "https://keys.example.com/jwks.json", "audience": "ours"}
    topic = {"kind": "sns", "topics": ["arn:aws:sns:eu-west-1:123456789012:ended"]}
    pinned = {"kind": "body_equals", "expression": "b.tenant", "equals": "acme"}
    told = {"events": {"ended": "b.ended"}, "map": {"conversation_id": "b.id", "ended_at": "b.at"}}
    keys = {"keys": ["a-token-of-22-characters"]}
    compact = {"kind": "hmac", "digest": "sha1", "signed": ["body_compact"], "signature": "x-signature"}
    settings = settings_of(
        sources={
            "hub": {"verify": jwt, **told},
            "amazon": {"verify": topic, **told},
            "both": {"verify": {"all_of": [jwt, pinned]}, **told},
            "front": {"verify": {"all_of": [compact, pinned]}, **keys, **told},
            "inside": {"verify": {"kind": "static", "body": "b.token"}, **keys, **told},
            "shop": {"verify": {"kind": "static", "header": "x-token"}, **keys, **told},
        }
    )
    assert slow_routes.of(create_app(settings, sqlite_engine)) == {
        f"/webhooks/crm/{name}" for name in ("hub", "amazon", "both", "front", "inside")
    }
    assert slow_routes.of(object()) == frozenset()
