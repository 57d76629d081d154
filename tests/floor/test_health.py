"""/healthz and /readyz: each dependency by name, and what to do if one is away."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service import migrations
from service.accounts import holds, standing, x_outage
from service.accounts.holds import Hold
from service.auth import Reader
from service.db import open_engine, reading, writing
from service.metrics.health import Writes, why_not_ready
from service.models import feedback_request, worker_seen
from service.reports.dashboard.account_standing import standings
from service.reports.dashboard.hindrances import hindrances
from service.sources import holds as source_standing
from service.sources import waiting
from service.x_api.codes import SIGN_IN_LOST
from tests.floor.app import App
from tests.support import OTHER, START, request_row, settings_of

LONG = timedelta(minutes=16)


def app_of(engine: Engine) -> App:
    built = App(engine, settings_of(accounts__other=OTHER, sources__crm__account="acme"))
    with writing(engine) as connection:
        standing.enrol(connection, built.settings.accounts, built.clock.now)
    return built


@pytest.fixture
def app(sqlite_engine: Engine) -> App:
    return app_of(sqlite_engine)


def worker_says_it_is_alive(app: App, **ago: float) -> None:
    at = app.clock.now - timedelta(**ago)
    with writing(app.engine) as connection:
        connection.execute(sa.insert(worker_seen).values(name=f"w{ago}", started_at=at, seen_at=at))


def ready(app: App, status: int = 200, role: str = "monitor") -> dict:
    answer = app.call("GET", "/readyz", app.key(role))
    assert answer.status_code == status
    return answer.get_json()


def test_alive_means_only_that_the_process_answers() -> None:
    app = App(open_engine("postgresql://nobody@127.0.0.1:1/nothing"))
    answer = app.call("GET", "/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_ready_names_every_dependency(engine: Engine) -> None:
    app = app_of(engine)
    worker_says_it_is_alive(app, seconds=10)
    assert ready(app) == {
        "status": "ok",
        "database": "ok",
        "schema": migrations.head(),
        "worker": "ok",
        "oldest_due_seconds": 0,
        "accounts": {"acme": {"status": "ok"}, "other": {"status": "ok"}},
        "sources": {},
    }


def test_a_source_that_refuses_us_degrades_and_says_what_to_do(engine: Engine) -> None:
    api = {"base_url": "https://crm.example", "token": "t"}
    app = App(engine, settings_of(sources__crm__api=api))
    worker_says_it_is_alive(app)
    assert ready(app)["sources"] == {"crm": {"status": "ok"}}
    now = app.clock.now
    with writing(app.engine) as connection:
        source_standing.enrol(connection, ["crm"], now)
        connection.execute(sa.insert(feedback_request).values(request_row(now, id="fr_1", x_user_id=None)))
        waiting.want(connection, "fr_1", "crm", None, now)
        source_standing.went_away(connection, "crm", now - timedelta(minutes=2))
    assert ready(app)["sources"]["crm"]["status"] == "crm_away"
    with writing(app.engine) as connection:
        source_standing.pause(connection, "crm", now + timedelta(minutes=1), now)
    assert ready(app)["sources"]["crm"]["status"] == "paused"
    with writing(app.engine) as connection:
        source_standing.hold(connection, "crm", "refused_401", now)
    report = ready(app)
    assert (report["status"], report["sources"]["crm"]) == ("degraded", {
        "status": "held",
        "reason": "refused_401",
        "waiting": 1,
        "what_to_do": "correct [sources.crm.api], restart, then run `dm-feedback sources release crm`",
    })  # fmt: skip


def test_a_held_account_degrades_and_says_what_to_do(app: App) -> None:
    worker_says_it_is_alive(app)
    with writing(app.engine) as connection:
        holds.hold(connection, "acme", Hold(326, "account_locked"), app.clock.now)
    report = ready(app)
    assert report["status"] == "degraded"
    assert report["accounts"]["acme"] == {
        "status": "held",
        "reason": "account_locked",
        "x_code": 326,
        "what_to_do": "fix the cause (at X, or the keys here, then restart), then run `dm-feedback accounts release "
        "acme`",
    }
    assert report["accounts"]["other"] == {"status": "ok"}


def test_a_lost_sign_in_is_mended_by_signing_in(app: App) -> None:
    with writing(app.engine) as connection:
        holds.hold(connection, "acme", Hold(None, SIGN_IN_LOST.reason), app.clock.now)
        [shown] = standings(connection, [("acme", "")], app.clock.now, silent=False)
    advice = ready(app)["accounts"]["acme"]["what_to_do"]
    assert advice == "run `dm-feedback accounts connect acme`, which signs it in and lets it continue"
    assert advice.replace("`", "") in shown.advice


def test_a_manual_hold_advises_nothing_at_x(app: App) -> None:
    with writing(app.engine) as connection:
        holds.hold(connection, "acme", Hold(None, "held_by_hand"), app.clock.now)
    advice = ready(app)["accounts"]["acme"]["what_to_do"]
    assert advice == "deal with the reason, then run `dm-feedback accounts release acme`"


def test_a_pause_is_shown_until_it_is_over(app: App) -> None:
    worker_says_it_is_alive(app)
    until = app.clock.now + timedelta(minutes=5)
    with writing(app.engine) as connection:
        holds.pause(connection, "other", until, app.clock.now)
    assert ready(app)["accounts"]["other"] == {"status": "paused", "until": until.isoformat()}
    app.clock.forward(minutes=5)
    assert ready(app)["accounts"]["other"] == {"status": "ok"}


def test_a_pause_from_before_the_clock_was_set_back_is_not_shown(app: App) -> None:
    worker_says_it_is_alive(app, seconds=10)
    now = app.clock.now
    with writing(app.engine) as connection:
        holds.pause(connection, "other", now + timedelta(days=3), now)
        assert not standing.lock(connection, "other", now).rests
        [shown] = standings(connection, [("other", "")], now, silent=False)
    assert shown.status == "Sending"
    assert ready(app)["accounts"]["other"] == {"status": "ok"}


def test_an_x_outage_degrades_and_says_since_when_and_how_many_wait(app: App) -> None:
    worker_says_it_is_alive(app)
    with writing(app.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(app.clock.now)))
        x_outage.began(connection, "acme", app.clock.now)
    since = app.clock.now
    assert ready(app)["accounts"]["acme"] == {"status": "ok"}
    app.clock.forward(minutes=1)
    worker_says_it_is_alive(app, seconds=1)
    report = ready(app)
    assert (report["status"], report["worker"]) == ("degraded", "ok")
    assert report["accounts"]["acme"] == {"status": "x_away", "since": since.isoformat(), "waiting": 1}
    with reading(app.engine) as connection:
        [shown] = standings(connection, [("acme", "")], app.clock.now, silent=False)
        at_once, later = (_hindrances(app, connection, app.clock.now + wait) for wait in (timedelta(), LONG))
    assert (shown.status, shown.at) == ("X does not answer", since), "the page says what /readyz says"
    assert (at_once, "X does not answer" in str(later)) == ([], True), "and at the top of each, if it lasts"


def _hindrances(app: App, connection: Connection, now: datetime) -> list[str]:
    reader = Reader("key", "ann", "supervisor", ())
    found = hindrances(connection, app.settings, reader, now)
    return [each.sentence for each in found if each.anchor == "account-acme"]


def test_a_missing_worker_is_reported(app: App) -> None:
    assert "start `dm-feedback worker`" in ready(app)["worker"]
    worker_says_it_is_alive(app, seconds=46)
    assert ready(app)["status"] == "degraded"
    worker_says_it_is_alive(app, seconds=45)
    assert ready(app)["worker"] == "ok"


def test_only_due_requests_count_for_the_oldest_age(app: App) -> None:
    rows = [("acme", 90, "received"), ("acme", 30, "dm_sent"), ("acme", 900, "card_sent"), ("other", 5000, "received")]
    with writing(app.engine) as connection:
        for number, (account, seconds, state) in enumerate(rows):
            at = app.clock.now - timedelta(seconds=seconds)
            row = request_row(at, account=account, conversation_id=f"c-{number}", state=state, scheduled_at=at)
            connection.execute(sa.insert(feedback_request).values(row))
        holds.hold(connection, "other", Hold(None, "held_by_hand"), app.clock.now)
    assert ready(app)["oldest_due_seconds"] == 90


def stranger(app: App, status: int = 200, **headers: str) -> dict:
    answer = app.call("GET", "/readyz", headers=headers)
    assert answer.status_code == status
    return answer.get_json()


def test_without_a_key_only_readiness_is_shown(app: App) -> None:
    with writing(app.engine) as connection:
        holds.hold(connection, "acme", Hold(326, "account_locked"), app.clock.now)
    assert stranger(app) == {"status": "ok"}
    assert ready(app, role="admin")["status"] == "degraded"
    assert app.refused(401, "GET", "/readyz", "dmf_0.0") == "key_invalid"
    for role in ("supervisor", "analyst", "hand_in"):
        assert app.refused(403, "GET", "/readyz", app.key(role)) == "role_not_allowed"
    assert app.refused(403, "GET", "/readyz", app.key("monitor", "acme")) == "whole_service_only"


def test_a_database_that_is_away_is_503_and_strangers_learn_neither_why_nor_its_password() -> None:
    engine = open_engine("postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    assert stranger(App(engine), 503, Authorization="Bearer dmf_0.0") == {"status": "unavailable"}
    assert told(engine) == "does not listen at that address"


def told(engine: Engine) -> str | None:
    """What the log says: without a database no key can be known."""
    return why_not_ready(engine, START, Writes(engine, lambda: START))


def test_an_empty_database_is_not_ready_and_says_how_to_upgrade(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    assert stranger(App(engine), 503) == {"status": "unavailable"}
    assert "run `dm-feedback db upgrade`" in str(told(engine))
    engine.dispose()


def test_a_database_that_takes_no_writes_is_not_ready_until_it_does_again(app: App) -> None:
    refuse = [True]

    def query_only(connection: object, *_rest: object) -> None:
        connection.cursor().execute(f"PRAGMA query_only={'ON' if refuse[0] else 'OFF'}")

    sa.event.listen(app.engine, "checkout", query_only)
    assert stranger(app, 503) == {"status": "unavailable"}
    assert "accepts no writes" in str(told(app.engine))
    refuse[0] = False
    app.clock.forward(seconds=4)
    assert stranger(app, 503) == {"status": "unavailable"}, "asked every few seconds only: strangers may ask too"
    app.clock.forward(seconds=1)
    assert stranger(app) == {"status": "ok"}


def test_a_full_database_with_room_for_a_trial_alone_is_not_ready_for_a_minute(app: App) -> None:
    """The trial renews a row in place; a delivery needs pages."""
    assert stranger(app) == {"status": "ok"}
    limit = 1  # the file as it is

    def no_room(connection: object, *_rest: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count={limit}")

    sa.event.listen(app.engine, "checkout", no_room)
    app.clock.forward(seconds=5)
    assert stranger(app) == {"status": "ok"}, "so far nobody needed more"
    with pytest.raises(sa.exc.OperationalError, match="full"), writing(app.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(app.clock.now, customer_ref="x" * 100_000)))
    assert stranger(app, 503) == {"status": "unavailable"}
    limit = 10**6
    app.clock.forward(seconds=59)
    assert stranger(app, 503) == {"status": "unavailable"}
    app.clock.forward(seconds=1)
    assert stranger(app) == {"status": "ok"}


def test_a_full_tablespace_of_postgresql_is_not_ready_for_a_minute(postgresql_engine: Engine) -> None:
    app = app_of(postgresql_engine)
    assert stranger(app) == {"status": "ok"}
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    with pytest.raises(sa.exc.OperationalError), writing(app.engine) as connection:
        connection.execute(sa.text(full))
    assert stranger(app, 503) == {"status": "unavailable"}
    app.clock.forward(seconds=60)
    assert stranger(app) == {"status": "ok"}


@pytest.mark.parametrize("revision", ["9999", "'; --"])
def test_a_schema_too_new_for_us_is_not_ready(app: App, revision: str) -> None:
    with writing(app.engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    assert stranger(app) == {"status": "ok"}, "during a rolling upgrade this code goes on"
    with writing(app.engine) as connection:
        connection.execute(sa.text("UPDATE schema_floor SET revision = :it"), {"it": revision})
    assert stranger(app, 503) == {"status": "unavailable"}
    assert "start the newer version" in str(told(app.engine))


def test_neither_customer_nor_secret_is_shown(app: App) -> None:
    worker_says_it_is_alive(app)
    with writing(app.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(app.clock.now, x_user_id="77177")))
    text = app.call("GET", "/readyz", app.key("monitor")).get_data(as_text=True)
    assert "77177" not in text
    assert app.settings.accounts["acme"].token_secret not in text
