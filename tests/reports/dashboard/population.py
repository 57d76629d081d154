"""Two months of a service, drawn with a fixed seed: teams, agents, skips, unknowns, tests, a team that is too small."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.auth import keys
from service.db import reading, writing
from service.ids import new_id
from service.models import (
    account_state,
    feedback_request,
    poll_window,
    result,
    result_update,
    transition,
    webhook_delivery,
)
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.reports.disclosure.closing import close_due
from service.settings import Settings
from service.states import Skip
from tests.filled_ledgers import poured
from tests.support import tree

DAYS = 60
ROSTER = {
    "Billing": ("Amira Haddad", "Ben Okafor", "Chiara Rossi"),
    "Delivery": ("Dmitri Volkov", "Elif Kaya", "Femke de Vries"),
    "Returns": ("Mateusz Nowak", "Noor Bakker"),
    "Technical": ("Gustav Lindqvist", "Hana Suzuki", "Ines Moreau", "Jonas Weber"),
    "Loyalty desk": ("Kwame Mensah", "Lena Fischer"),
}
SMALL, FEW = "Loyalty desk", 4
WEIGHTS = {"Billing": 32, "Delivery": 28, "Returns": 9, "Technical": 30, "Loyalty desk": 2}
LEANING = {"Billing": 0.78, "Delivery": 0.55, "Returns": 0.66, "Technical": 0.86, "Loyalty desk": 0.7}
OUTCOMES = {
    ("card_sent", None): 740,
    ("skipped", Skip.COOLDOWN): 62,
    ("skipped", Skip.SAMPLED_OUT): 55,
    ("skipped", Skip.CANNOT_DM): 48,
    ("skipped", Skip.NO_X_IDENTITY): 21,
    ("skipped", Skip.REOPENED): 17,
    ("skipped", Skip.OPTED_OUT): 9,
    ("failed", "message_refused"): 14,
    ("unknown", "not_found_in_time"): 6,
}
PRAISE = (
    "Fast and friendly, and the refund was on my card the next morning. Thank you.",
    "Explained it so that I understood it. First time in years.",
    "Solved in ten minutes on a Sunday.",
    "Very patient with me, I must have asked the same thing three times.",
    "Kept me posted until the parcel turned up.",
)
BLAME = (
    "I had to tell the whole story four times, to four people.",
    "Closed my case before anything was solved.",
    "The parcel is still not here and nobody could say where it is.",
    "Polite, but in the end it did not help.\nI had to find the answer in a forum.",
    "Waited two days for an answer that was a link to your help page.",
)


@dataclass
class Population:
    """What the tests need to know of it."""

    now: datetime
    keys: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    commented: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    """Answers of the desk whose answers are too few."""
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def store(self, connection: Connection) -> None:
        for table in (feedback_request, transition, result, result_update):
            columns = {name for row in self.rows[table.name] for name in row}
            complete = [dict.fromkeys(columns) | row for row in self.rows[table.name]]
            connection.execute(sa.insert(table), complete)
        self.rows.clear()


def settings_tree(url: str, **changes: Any) -> dict[str, Any]:
    built = tree(web__secure_cookies=False, database__url=url, service__time_zone="Europe/Berlin")
    built["accounts"]["acmepay"] = built["accounts"]["acme"] | {"user_id": "3434343434343", "screen_name": "acmepay"}
    built["sources"]["crm"]["account"] = "acme"
    loyal = built["campaigns"]["care"] | {"type": "nps", "teams": ["Technical"]}
    built["campaigns"] = {"loyalty": loyal, **built["campaigns"]}
    for name, value in changes.items():
        section, _, key = name.partition("__")
        built[section][key] = value
    return built


def populate(engine: Engine, now: datetime, size: int = 1300, seed: int = 7) -> Population:
    """Fill the database and return the keys to read it with."""
    lots = random.Random(seed)
    population = Population(now)
    with writing(engine) as connection:
        _deliveries(connection, now)
        for number in range(size):
            _conversation(lots, population, number)
        population.store(connection)
        _accounts(connection, now)
        for role in ("admin", "supervisor", "analyst"):
            population.keys[role] = keys.create(connection, f"Robin {role.title()}", role, [], now)
        population.keys["acmepay only"] = keys.create(connection, "Pat Pay", "supervisor", ["acmepay"], now)
    return population


def named_long_ago(engine: Engine, settings: Settings, now: datetime) -> None:
    """Number and name as the worker does; the clocks of the rows stay, as if it had happened with the answers."""
    tables = ((feedback_request, "id"), (result, "request_id"))
    with reading(engine) as connection:
        before = [
            connection.execute(sa.select(table.c[key].label("this"), table.c.updated_at.label("at"))).mappings().all()
            for table, key in tables
        ]
    while seal(engine, settings, now) or naming.follow(engine, settings, now):
        pass
    with writing(engine) as connection:
        for (table, key), rows in zip(tables, before, strict=True):
            back = sa.update(table).where(table.c[key] == sa.bindparam("this"))
            connection.execute(back.values(updated_at=sa.bindparam("at")), [dict(row) for row in rows])


def released(engine: Engine, settings: Settings, now: datetime) -> None:
    """Close every release that is due in the population, as the worker does."""

    def close() -> None:
        while close_due(engine, settings, now):
            pass

    poured(engine, "population, released", close)


def _conversation(lots: random.Random, population: Population, number: int) -> None:
    now = population.now
    team = lots.choices(list(ROSTER), [WEIGHTS[name] for name in ROSTER])[0]
    ended = now - timedelta(days=DAYS * lots.random() ** 1.1, minutes=30)
    state, reason = lots.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
    type_ = "nps" if team == "Technical" else "csat"
    small = team == SMALL
    test = number % 90 == 0 and not small
    agent = ROSTER[team][len(population.small) % 2] if small else lots.choice(ROSTER[team])
    sent = ended + timedelta(minutes=lots.randint(1, 9))
    request_id = new_id("fr", ended)
    asked = state in {"card_sent", "unknown", "failed"} or reason == Skip.CANNOT_DM
    delivered = state == "card_sent"
    row = {
        "id": request_id,
        "source": "crm",
        "account": "acme" if number % 6 or small else "acmepay",
        "conversation_id": f"conv-{number:05d}",
        "ended_at": ended,
        "received_at": ended + timedelta(seconds=2),
        "delivery_id": "wd_population",
        "x_user_id": str(70_000_000 + number),
        "x_handle": f"customer{number}",
        "identity_trust": "bridge",
        "agent_id": agent,
        "team_id": team,
        "tags": ["vip"] if number % 17 == 0 else [],
        "language": "en",
        "channel": "x_dm",
        "campaign": ("loyalty" if type_ == "nps" else "care") if asked else None,
        "type": type_ if asked else None,
        "question_variant_id": 1 if asked else None,
        "test": test,
        "state": state,
        "reason": reason,
        "attempts": 0,
        "scheduled_at": sent,
        "can_dm_asked": 1,
        "dm_sent_at": sent if delivered else None,
        "feedback_id": str(9_000_000_000_000_000 + number) if delivered else None,
        "card_sent_at": sent if delivered else None,
        "outcome_at": sent,
        "updated_at": sent,
    }
    population.rows["feedback_request"].append(row)
    population.requests.append(request_id)
    _life(population, row, sent)
    answers = len(population.small) < FEW if small else lots.random() < 0.46
    if delivered and answers:
        _answer(lots, population, row, team)


def _answer(lots: random.Random, population: Population, row: dict[str, Any], team: str) -> None:
    happy = lots.random() < LEANING[team]
    if row["type"] == "nps":
        score = lots.choice((8, 9, 9, 10, 10, 10)) if happy else lots.choice((0, 2, 4, 5, 6, 6, 7))
    else:
        score = lots.choice((4, 5, 5)) if happy else lots.choice((1, 2, 2, 3, 3))
    at = row["card_sent_at"] + timedelta(minutes=lots.randint(1, 60 * 30))
    if at >= population.now:
        return
    text = lots.choice(PRAISE if happy else BLAME) if lots.random() < 0.55 else None
    text_at = at + timedelta(minutes=lots.randint(1, 30)) if text else None
    updated = text_at or at
    answer = {"score": score, "score_at": at, "text": text, "text_at": text_at, "x_updated_at": updated}
    ids = {"request_id": row["id"], "feedback_id": row["feedback_id"]}
    population.rows["result"].append(
        dict(
            **ids,
            **answer,
            first_seen_at=at + timedelta(seconds=3),
            first_channel="webhook" if lots.random() < 0.95 else "events",
            update_count=2 if text else 1,
            anomalies=0,
            updated_at=updated + timedelta(seconds=3),
        )
    )
    for part, digest in _updates(answer, row["id"]):
        seen = {"digest": digest, "channel": "webhook", "seen_at": part["x_updated_at"], "verdict": "applied"}
        population.rows["result_update"].append(ids | part | seen)
    if team == SMALL:
        population.small.append(row["id"])
    if text and not row["test"]:
        population.commented.append(row["id"])


def _updates(answer: dict[str, Any], request_id: str) -> Iterator[tuple[dict[str, Any], str]]:
    yield answer | {"text": None, "text_at": None, "x_updated_at": answer["score_at"]}, f"{request_id}-score"
    if answer["text"] is not None:
        yield answer, f"{request_id}-text"


def _life(population: Population, row: dict[str, Any], at: datetime) -> None:
    steps = [
        ("received", "identified"),
        ("identified", "dm_allowed"),
        ("dm_allowed", "dm_sent"),
        ("dm_sent", "card_sent"),
    ]
    if row["state"] != "card_sent":
        steps = [("received", row["state"])]
    for number, (before, after) in enumerate(steps):
        line = {
            "request_id": row["id"],
            "at": at - timedelta(seconds=4 - number),
            "from_state": before,
            "to_state": after,
            "event": "advanced" if row["state"] == "card_sent" else "stopped",
            "reason": row["reason"] if after == row["state"] else None,
            "actor": "worker-1",
        }
        population.rows["transition"].append(line)


def _deliveries(connection: Connection, now: datetime) -> None:
    connection.execute(
        sa.insert(webhook_delivery).values(
            id="wd_population",
            source="crm",
            dedupe_key="population",
            received_at=now,
            content_type="application/json",
            headers={},
            query={},
            body=None,
        )
    )


def _accounts(connection: Connection, now: datetime) -> None:
    """acme works and is known whole up to this morning; acmepay is held by X and its answers have a gap."""
    connection.execute(sa.insert(account_state).values(account="acme", updated_at=now))
    connection.execute(
        sa.insert(account_state).values(
            account="acmepay",
            hold_code=326,
            hold_reason="account_locked",
            held_at=now - timedelta(hours=7),
            updated_at=now,
        )
    )
    start = now - timedelta(days=DAYS + 1)
    for name, end in (("acme", now - timedelta(hours=2)), ("acmepay", now - timedelta(days=3))):
        connection.execute(
            sa.insert(poll_window).values(
                account=name, from_time=start, to_time=end, pages=12, events=400, found_missing=3, done_at=end
            )
        )
