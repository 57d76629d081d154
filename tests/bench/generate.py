"""Fills a migrated database with a plausible ledger of any size, directly into the tables, within minutes.

    python -m tests.bench generate --database postgresql://… --rows 10000000

Requests are spread evenly over `--months`, newest last; some are skipped, some answered, some of those with a comment.
Indexes are dropped while it loads and made again. Roll-ups have to be built afterwards: `dm-feedback results recount`.
The same seed makes the same ledger, except that it ends now.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import click
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import migrations
from service.db import open_engine
from tests.bench.rolled_up import roll_up

SECOND = 10**6
MONTH = int(30.4 * 86400) * SECOND
AT_ONCE = 20_000
WORDS = (
    "thanks", "quick", "slow", "again", "refund", "waited", "polite", "never", "resolved", "delivery", "app", "login",
    "flight", "bag", "great", "helpful", "rude", "price", "late", "bill",
)  # fmt: skip
SKIPS = ("cannot_dm", "cooldown", "no_x_identity")
CSAT = [score for score, share in enumerate((8, 6, 12, 30, 44), start=1) for _ in range(share)]
NPS = [score for score, share in enumerate((4, 1, 1, 2, 2, 5, 6, 12, 22, 20, 25)) for _ in range(share)]

REQUEST = (
    "id", "source", "account", "conversation_id", "ended_at", "received_at", "delivery_id", "x_user_id",
    "identity_trust", "agent_id", "team_id", "tags", "language", "campaign", "type", "question_variant_id", "test",
    "state", "reason", "attempts", "scheduled_at", "can_dm_asked", "dm_event_id", "dm_sent_at", "feedback_id",
    "card_dm_id", "card_sent_at", "outcome_at", "updated_at", "sealed",
)  # fmt: skip
RESULT = (
    "request_id", "feedback_id", "score", "score_at", "text", "text_at", "x_updated_at", "first_seen_at",
    "first_channel", "update_count", "anomalies", "updated_at",
)  # fmt: skip
CONVERSATION = ("source", "conversation_id", "seen_at")
DELIVERY = ("id", "source", "dedupe_key", "received_at", "content_type", "headers", "query", "body", "key_index")
ITEM = ("delivery_id", "reading", "position", "read_at", "outcome", "conversation_id", "request_id")
TABLES = {
    "feedback_request": REQUEST,
    "result": RESULT,
    "conversation": CONVERSATION,
    "webhook_delivery": DELIVERY,
    "delivery_item": ITEM,
}
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Plan:
    """What the ledger holds."""

    rows: int
    answered: float
    commented: float
    accounts: int
    agents: int
    months: float
    seed: int
    raw: bool
    now: int
    rolled_up: bool = False


@click.command()
@click.option("--database", required=True, help="sqlite:///file or postgresql://…; migrated first")
@click.option("--rows", default=100_000, show_default=True)
@click.option("--answered", default=0.35, show_default=True, help="share of all requests")
@click.option("--commented", default=0.4, show_default=True, help="share of the answers")
@click.option("--accounts", default=3, show_default=True)
@click.option("--agents", default=240, show_default=True, help="in teams of twenty")
@click.option("--months", default=24.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--rolled-up", is_flag=True, help="sealed, and with roll-ups made at once: for reading only")
@click.option("--raw/--no-raw", default=False, help="with the stored deliveries and their items")
def main(database: str, **given: Any) -> None:
    """Fill a database with a plausible ledger."""
    engine = open_engine(database)
    migrations.upgrade(engine)
    began = time.monotonic()
    plan = Plan(now=time.time_ns() // 1000, **given)
    fill(engine, plan, print_progress=True)
    engine.dispose()
    print(f"{given['rows']} requests in {time.monotonic() - began:.0f} s")


def fill(engine: Engine, plan: Plan, *, print_progress: bool = False) -> None:
    """Write the ledger of `plan` into a migrated database that has none."""
    raw = engine.raw_connection()
    cursor = raw.cursor()
    sqlite = engine.dialect.name == "sqlite"
    indexes = _without_indexes(cursor, sqlite=sqlite)
    done = 0
    for rows in _portions(plan):
        _load_sqlite(cursor, rows) if sqlite else _load_postgresql(cursor, rows)
        raw.commit()
        done += len(rows["feedback_request"])
        if print_progress and done % (50 * AT_ONCE) == 0:
            print(f"{done} requests", flush=True)
    for statement in indexes:
        cursor.execute(statement)
    cursor.execute("ANALYZE")
    raw.commit()
    raw.close()
    if plan.rolled_up:
        roll_up(engine, ZoneInfo("UTC"), plan.months, plan.rows)
    _settle(engine, plan)


def _without_indexes(cursor: Any, *, sqlite: bool) -> list[str]:
    """Drop the plain indexes of the filled tables; return the statements that create them again."""
    names = ", ".join(f"'{name}'" for name in TABLES)
    if sqlite:
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("PRAGMA synchronous=OFF")
        made = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({names})"
    else:
        cursor.execute("SET session_replication_role = replica")  # foreign keys are true by construction
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        made = (
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({names}) AND schemaname = current_schema()"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
    cursor.execute(made)
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [statement for _, statement in found]


def _load_sqlite(cursor: Any, rows: Rows) -> None:
    cursor.execute("BEGIN")
    for table, columns in TABLES.items():
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows[table])


def _load_postgresql(cursor: Any, rows: Rows) -> None:
    for table, columns in TABLES.items():
        if rows[table]:
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows[table]:
                    copy.write_row(row)


def _settle(engine: Engine, plan: Plan) -> None:
    """Enrol the accounts and update the planner's statistics."""
    with engine.begin() as connection:
        for number in range(plan.accounts):
            connection.execute(
                sa.text("INSERT INTO account_state (account, updated_at) VALUES (:account, :now)"),
                {"account": f"acme{number}", "now": plan.now},
            )
    raw = engine.raw_connection()
    if engine.dialect.name == "sqlite":
        raw.cursor().execute("ANALYZE")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        raw.driver_connection.autocommit = True  # type: ignore[union-attr]
        raw.cursor().execute("SET statement_timeout = 0")
        raw.cursor().execute("VACUUM (ANALYZE)")
    raw.invalidate()


def _portions(plan: Plan) -> Iterator[Rows]:
    rnd = random.Random(plan.seed)
    for start in range(0, plan.rows, AT_ONCE):
        rows: Rows = {name: [] for name in TABLES}
        for number in range(start, min(start + AT_ONCE, plan.rows)):
            _add(rows, plan, number, rnd)
        yield rows


def _add(rows: Rows, plan: Plan, number: int, rnd: random.Random) -> None:
    """One conversation: its request and, by chance, its answer."""
    span = int(plan.months * MONTH)
    ended = plan.now - span + span * number // plan.rows + int(rnd.random() * SECOND)
    request_id = f"fr_{ended // 1000:012x}{number:016x}"
    sent = rnd.random() < 0.85
    rows["feedback_request"].append(_request(plan, number, ended, request_id, sent, rnd))
    if sent and rnd.random() < plan.answered / 0.85:
        rows["result"].append(_result(plan, number, ended, request_id, rnd))
    if plan.raw:
        delivery_id, conversation_id = f"whd_{ended // 1000:012x}{number:016x}", f"c-{number}"
        body = b'{"type": "conversation.ended", "data": {"conversation_id": "%d"}}' % number
        rows["conversation"].append(("crm", conversation_id, ended))
        digest = f"{rnd.getrandbits(256):064x}"
        rows["webhook_delivery"].append(
            (delivery_id, "crm", digest, ended + SECOND, "application/json", "{}", "{}", body, 0)
        )
        rows["delivery_item"].append((delivery_id, 0, 0, ended + SECOND, "accepted", conversation_id, request_id))


def _request(plan: Plan, number: int, ended: int, request_id: str, sent: bool, rnd: random.Random) -> tuple[Any, ...]:
    agent = int(rnd.random() * plan.agents)
    csat = number % 4 != 0
    card = (
        (str(10**17 + number), ended + 60 * SECOND, str(2 * 10**17 + number), str(3 * 10**17 + number),
         ended + 100 * SECOND)
        if sent else (None,) * 5
    )  # fmt: skip
    return (
        request_id, "crm", f"acme{number % plan.accounts}", f"c-{number}", ended, ended + SECOND,
        f"whd_{ended // 1000:012x}{number:016x}", str(5_000_000_000 + int(rnd.random() * plan.rows)),
        "vendor_verified", f"agent-{agent}", f"team-{agent // 20}", "[]", "en" if number % 5 else "es", "care",
        "csat" if csat else "nps", 12 if csat else 0, False, "card_sent" if sent else "skipped",
        None if sent else SKIPS[number % 3], 0, ended, 1, *card, ended + 120 * SECOND, ended + 120 * SECOND,
        number + 1 if plan.rolled_up else None,
    )  # fmt: skip


def _result(plan: Plan, number: int, ended: int, request_id: str, rnd: random.Random) -> tuple[Any, ...]:
    at = min(ended + 100 * SECOND + int(rnd.expovariate(1 / 7200) * SECOND), plan.now)
    scores = CSAT if number % 4 else NPS
    text = None
    if rnd.random() < plan.commented:
        text = " ".join(WORDS[int(rnd.random() * len(WORDS))] for _ in range(3 + int(rnd.random() * 20)))
    return (
        request_id, str(2 * 10**17 + number), scores[int(rnd.random() * len(scores))], at, text,
        at + 20 * SECOND if text else None, at, at + SECOND, "webhook", 1, 0, at + 2 * SECOND,
    )  # fmt: skip
