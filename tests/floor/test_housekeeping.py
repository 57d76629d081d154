"""Retention: each kind of data has its own age; a dry run counts the same and changes nothing."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.auth import keys, log_access, sessions
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.models import (
    access_log,
    feedback_request,
    metadata,
    poll_window,
    refresh,
    result,
    result_update,
    retention_run,
    send_attempt,
    session,
    transition,
    webhook_delivery,
    worker_seen,
    x_identity,
)
from service.outreach.context import Workplace
from service.privacy import housekeeping
from service.settings import Settings
from service.worker import chores
from tests.floor.app import App, answered, deliver, told
from tests.support import START, settings_of

KEPT = {"deliveries": 30, "identities": 180, "texts": 730, "history": 365, "access_log": 730}
SETTINGS = settings_of(
    privacy={
        "keep_deliveries": "30d",
        "keep_texts": "730d",
        "keep_identities": "180d",
        "keep_history": "365d",
        "keep_access_log": "730d",
    }
)


def populated(engine: Engine, settings: Settings = SETTINGS) -> datetime:
    """One of everything that is ever forgotten, all of one moment, which is returned."""
    app = App(engine, settings)
    open_key(engine, settings.service.secret_key)
    request_id = deliver(app, "c-1", x_user_id="7717", x_handle="jane_doe", agent_id="ann")
    answered(app, request_id, score=2, text="first words")
    at = app.clock.now
    with writing(engine) as connection:
        log_access(connection, "ada", "export.file", {}, at)
        attempt = {"id": "sa_1", "request_id": request_id, "account": "acme", "x_user_id": "7717", "kind": "card"}
        connection.execute(sa.insert(send_attempt).values(**attempt, intended_at=at, outcome="sent"))
        step = {"request_id": request_id, "at": at, "from_state": "received", "to_state": "card_sent", "actor": "w"}
        connection.execute(sa.insert(transition).values(**step, event="advanced"))
        connection.execute(sa.insert(x_identity).values(handle="jane_doe", x_user_id="7717", seen_at=at))
        first = connection.execute(sa.select(result_update)).one()._asdict()
        newer = {**first, "x_updated_at": at + timedelta(seconds=1), "digest": "e" * 64, "text": "last words"}
        del newer["id"]
        connection.execute(sa.insert(result_update).values(newer))
        asked = {"request_id": request_id, "account": "acme", "feedback_id": first["feedback_id"], "checks": 8}
        connection.execute(sa.insert(refresh).values(asked))
        for hours in (0, 6):
            window = {"account": "acme", "from_time": at + timedelta(hours=hours), "done_at": at}
            until = at + timedelta(hours=hours + 6)
            connection.execute(
                sa.insert(poll_window).values(**window, to_time=until, pages=1, events=0, found_missing=0)
            )
        connection.execute(sa.insert(worker_seen).values(name="w", started_at=at, seen_at=at))
        reader = keys.find(connection, keys.create(connection, "ada", "admin", [], at), at)
        sessions.begin(connection, reader, at)
    return at


def everything(engine: Engine) -> Mapping[str, list[tuple[object, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


def one(engine: Engine, table: sa.Table) -> sa.Row:
    with reading(engine) as connection:
        return connection.execute(sa.select(table)).one()


def pruned(engine: Engine, now: datetime, settings: Settings = SETTINGS) -> dict[str, int]:
    """What went, the zeros left out."""
    counts = housekeeping.prune(engine, settings, now, dry_run=False)
    return {name: count for name, count in counts.items() if count}


@pytest.mark.unpartitioned
@pytest.mark.parametrize("days", [0, 731])
def test_a_dry_run_counts_the_same_and_changes_nothing(engine: Engine, days: int) -> None:
    dry_and_wet_agree(engine, days)


@pytest.mark.parametrize("days", [29, 31, 181, 366])
def test_a_dry_run_counts_the_same_at_every_age(sqlite_engine: Engine, days: int) -> None:
    dry_and_wet_agree(sqlite_engine, days)


def test_a_dry_run_before_anything_else_makes_no_key(engine: Engine) -> None:
    before = everything(engine)
    housekeeping.prune(engine, SETTINGS, START, dry_run=True)
    assert everything(engine) == before


def dry_and_wet_agree(engine: Engine, days: int) -> None:
    now = populated(engine) + timedelta(days=days)
    before = everything(engine)
    dry = housekeeping.prune(engine, SETTINGS, now, dry_run=True)
    assert everything(engine) == before
    assert housekeeping.prune(engine, SETTINGS, now, dry_run=False) == dry
    assert (sum(dry.values()) > 0) is (days > 30)
    assert set(housekeeping.prune(engine, SETTINGS, now, dry_run=True).values()) == {0}, "nothing is left to forget"


@pytest.mark.parametrize(("kind", "days"), KEPT.items())
def test_every_kind_is_deleted_at_its_own_age(sqlite_engine: Engine, kind: str, days: int) -> None:
    at = populated(sqlite_engine)
    assert pruned(sqlite_engine, at + timedelta(days=days)).get(kind, 0) == 0
    assert pruned(sqlite_engine, at + timedelta(days=days, seconds=1))[kind] == 1


def test_a_raw_delivery_loses_its_contents_and_stays_a_duplicate(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    assert pruned(sqlite_engine, at + timedelta(days=31)) == {"deliveries": 1}
    row = one(sqlite_engine, webhook_delivery)
    assert (row.body, row.headers, row.query) == (None, {}, {})
    said = {"x_user_id": "7717", "x_handle": "jane_doe", "agent_id": "ann"}
    assert told(App(sqlite_engine), "c-1", **said)["duplicate"] == 1


def test_an_identity_goes_and_the_request_stays_in_the_count(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    assert pruned(sqlite_engine, at + timedelta(days=181))["identities"] == 1
    row = one(sqlite_engine, feedback_request)
    assert (row.x_user_id, row.x_handle, row.customer_ref, row.opening_text) == (None, None, None, None)
    assert (row.state, row.agent_id, row.erased_at) == ("card_sent", "ann", None)
    assert one(sqlite_engine, send_attempt).x_user_id == ""
    assert everything(sqlite_engine)["x_identity"] == []
    kept = one(sqlite_engine, result)
    assert (kept.score, kept.text) == (2, "first words")


def test_a_text_goes_and_its_score_and_date_stay(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    pruned(sqlite_engine, at + timedelta(days=731))
    row = one(sqlite_engine, result)
    assert (row.score, row.text, row.text_at) == (2, None, at)
    with reading(sqlite_engine) as connection:
        assert set(connection.scalars(sa.select(result_update.c.text))) == {None}


def test_the_newest_update_and_window_of_the_history_stay(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    went = pruned(sqlite_engine, at + timedelta(days=366))
    assert {name: went[name] for name in ("history", "updates", "refresh", "poll_windows")} == dict.fromkeys(
        ("history", "updates", "refresh", "poll_windows"), 1
    )
    with reading(sqlite_engine) as connection:
        kept = connection.scalars(sa.select(result_update.c.text).order_by(result_update.c.id)).all()
    assert kept == [None, "last words"], "an empty line keeps the digest: the same news again is no news"
    assert one(sqlite_engine, poll_window).from_time == at + timedelta(hours=6)


def test_the_access_log_is_deleted_last(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    assert "access_log" not in pruned(sqlite_engine, at + timedelta(days=730))
    assert pruned(sqlite_engine, at + timedelta(days=731))["access_log"] == 1
    assert everything(sqlite_engine)[access_log.name] == []


def test_ended_sessions_and_workers_are_removed_too(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    pruned(sqlite_engine, at + timedelta(hours=11))
    assert len(everything(sqlite_engine)[session.name]) == len(everything(sqlite_engine)[worker_seen.name]) == 1
    pruned(sqlite_engine, at + timedelta(hours=25))
    assert everything(sqlite_engine)[session.name] == everything(sqlite_engine)[worker_seen.name] == []


def test_each_cleaning_task_fails_on_its_own(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at = populated(sqlite_engine)

    def away(_connection: Connection, _now: datetime) -> None:
        raise sa.exc.OperationalError("DELETE", {}, Exception("database is locked"))

    monkeypatch.setitem(housekeeping.CLEARED, "sessions", away)
    with pytest.raises(sa.exc.OperationalError):
        pruned(sqlite_engine, at + timedelta(hours=25))
    assert len(everything(sqlite_engine)[session.name]) == 1
    assert everything(sqlite_engine)[worker_seen.name] == []


def test_kinds_of_data_that_no_longer_exist_are_not_reported(sqlite_engine: Engine) -> None:
    """A ledger that was copied out of partitions has none; an alert would tell of them for ever."""
    at = populated(sqlite_engine)
    with writing(sqlite_engine) as connection:
        connection.execute(sa.insert(retention_run).values(kind="partitions", finished_at=at, rows=1))
    pruned(sqlite_engine, at + timedelta(hours=1))
    with reading(sqlite_engine) as connection:
        told = set(connection.scalars(sa.select(retention_run.c.kind)))
    assert told > set(KEPT)
    assert "partitions" not in told


class Rounds(threading.Event):
    """So many rounds of a loop, without waiting."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - an Event has one
        self.left -= 1
        return self.left < 0


def forgotten_at(engine: Engine) -> datetime | None:
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.max(retention_run.c.finished_at)))


def test_one_of_several_workers_runs_retention_each_hour(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    for worker, minutes, then in (("a", 0, 0), ("b", 1, 0), ("a", 60, 60), ("b", 119, 60), ("b", 59, 59)):
        place = Workplace.open(sqlite_engine, SETTINGS, worker)
        now = at + timedelta(minutes=minutes)
        chores.forget_what_is_old(place, lambda now=now: now, Rounds(1))
        assert forgotten_at(sqlite_engine) == at + timedelta(minutes=then), (worker, minutes)


def test_a_failed_deletion_is_retried_within_the_hour(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at, tries = populated(sqlite_engine), []

    def fails(*_given: object, **_how: object) -> None:
        tries.append(1)
        housekeeping._note(sqlite_engine, "deliveries", 1, at)  # the others have had their turn
        raise sa.exc.OperationalError("", {}, Exception("database is locked"))

    monkeypatch.setattr(housekeeping, "prune", fails)
    chores.forget_what_is_old(Workplace.open(sqlite_engine, SETTINGS, "a"), lambda: at, Rounds(3))
    assert len(tries) == 3


def test_a_stopped_worker_deletes_nothing(sqlite_engine: Engine) -> None:
    at = populated(sqlite_engine)
    housekeeping.prune(sqlite_engine, SETTINGS, at + timedelta(hours=25), dry_run=False, stop=lambda: True)
    assert len(everything(sqlite_engine)[session.name]) == 1


def test_an_identity_is_kept_as_long_as_the_longest_cool_down_needs_it(sqlite_engine: Engine) -> None:
    settings = settings_of(privacy__keep_identities="1d", campaigns__care__cooldown="90d")
    at = populated(sqlite_engine, settings)
    assert "identities" not in pruned(sqlite_engine, at + timedelta(days=90), settings)
    assert pruned(sqlite_engine, at + timedelta(days=91), settings)["identities"] == 1


def test_the_longest_possible_retention_works(sqlite_engine: Engine) -> None:
    settings = settings_of(privacy=dict.fromkeys(SETTINGS.privacy.__slots__[:5], "36500d"))
    populated(sqlite_engine, settings)
    assert pruned(sqlite_engine, START + timedelta(days=3650), settings) == {}


def test_the_order_of_the_table_of_retentions_is_that_of_the_settings() -> None:
    assert {f"keep_{name}" for name in (*KEPT, "repeats")} == {  # those are tests/partitions'
        each for each in SETTINGS.privacy.__slots__ if each.startswith("keep_")
    }
