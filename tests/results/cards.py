"""What the tests of results are built from: settings, requests in the ledger, X's JSON in all its spellings."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from service.db import reading, writing
from service.models import feedback_request, result, result_update, stray_feedback
from service.results.card import take_in
from service.x_api.cards import parse_feedback
from tests.support import read

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
US = "1212121212121"
_numbers = itertools.count(1)

TREE = {
    "service": {"secret_key": "0123456789abcdef0123456789abcdef"},
    "database": {"url": "sqlite:///unused.db"},
    "accounts": {
        "shop": {
            "user_id": US,
            "consumer_key": "sandbox-consumer-key",
            "consumer_secret": "sandbox-consumer-secret",
            "token": "1212121212121-sandbox-token",
            "token_secret": "sandbox-token-secret",
            "webhook_user": "x",
            "webhook_password": "a-long-random-password",
        }
    },
    "sources": {"crm": {"preset": "generic"}},
    "campaigns": {
        "care": {
            "type": "csat",
            "privacy_url": "https://shop.example/p",
            "texts": {"en": {"opening": "Hi", "card": "How?"}},
        }
    },
}


def settings(**account):
    tree = {**TREE, "accounts": {"shop": {**TREE["accounts"]["shop"], **account}}}
    return read(tree)


def shop(**changes):
    return replace(settings().accounts["shop"], **changes)


def number():
    return next(_numbers)


def request(engine, **changes):
    """A request whose card is at X; returns its row as a dict."""
    n = number()
    row = {
        "id": f"fr_{n}",
        "source": "crm",
        "account": "shop",
        "conversation_id": f"c{n}",
        "ended_at": NOW - HOUR,
        "received_at": NOW - HOUR,
        "delivery_id": "d1",
        "x_user_id": str(500_000 + n),
        "identity_trust": "vendor_verified",
        "tags": [],
        "type": "csat",
        "test": False,
        "state": "card_sent",
        "attempts": 0,
        "scheduled_at": NOW - HOUR,
        "can_dm_asked": 0,
        "feedback_id": f"9{n:06}",
        "card_dm_id": f"8{n:06}",
        "card_sent_at": NOW - HOUR,
        "updated_at": NOW - HOUR,
        **changes,
    }
    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request).values(row))
    return row


def x_date(when, collapsed=False):
    return when.astimezone(UTC).strftime("%a%b%d%H:%M:%S%z%Y" if collapsed else "%a %b %d %H:%M:%S %z %Y")


def snapshot(row, updated_at, score=None, score_at=None, text=None, text_at=None, **changes):
    """A card as X shows it, as JSON. Answers are dated with the update unless said otherwise."""
    response = {}
    if score is not None:
        response["score"] = {"value": score, "created_at": x_date(score_at or updated_at)}
    if text is not None:
        response["text"] = {"value": text, "created_at": x_date(text_at or updated_at)}
    body = {
        "id": row["feedback_id"],
        "type": "csat",
        "test": False,
        "dm_id": row["card_dm_id"],
        "from_user_id": US,
        "to_user_id": row["x_user_id"],
        "external_id": row["id"],
        "question_variant_id": "3",
        "privacy_url": "https://shop.example/p",
        "created_at": x_date(NOW - HOUR),
        "updated_at": x_date(updated_at),
        **({"response": response} if response else {}),
        **changes,
    }
    return {key: value for key, value in body.items() if value is not None}


def event(body, event_type="feedback.updated"):
    return {"event_type": event_type, "created_at": body.get("updated_at"), "feedback": body}


def take(engine, body, channel="webhook", now=NOW, account=None):
    with writing(engine) as connection:
        return take_in(connection, account or shop(), [parse_feedback(body)], channel, now)[0]


def result_of(engine, row):
    with reading(engine) as connection:
        found = connection.execute(sa.select(result).where(result.c.request_id == row["id"])).mappings().first()
    return None if found is None else dict(found)


def history_of(engine, row):
    with reading(engine) as connection:
        kept = sa.select(result_update).where(result_update.c.request_id == row["id"]).order_by(result_update.c.id)
        return [dict(each) for each in connection.execute(kept).mappings()]


def strays(engine):
    with reading(engine) as connection:
        return sorted(connection.scalars(sa.select(stray_feedback.c.feedback_id)))


def answer_of(engine, row):
    """What the customer answered, as reports see it."""
    found = result_of(engine, row)
    return None if found is None else (found["score"], found["score_at"], found["text"], found["text_at"])
