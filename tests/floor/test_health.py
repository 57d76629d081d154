"""/healthz and /readyz: each dependency by name, and what to do if one is away."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import migrations
from service.accounts import holds, standing, x_outage
from service.accounts.holds import Hold
from service.db import open_engine, writing
from service.metrics.health import Writes, why_not_ready
from service.models import feedback_request, worker_seen
from service.reports.dashboard.account_standing import standings
from service.sources import holds as source_standing
from service.sources import waiting
from tests.floor.house import House
from tests.support import OTHER, START, request_row, settings_of


def house_of(engine: Engine) -> House:
    built = House(engine, settings_of(accounts__other=OTHER, sources__crm__account="acme"))
    with writing(engine) as connection:
        standing.enrol(connection, built.settings.accounts, built.clock.now)
    return built


@pytest.fixture
def house(sqlite_engine: Engine) -> House:
    return house_of(sqlite_engine)


def worker_says_it_is_alive(house: House, **ago: float) -> None:
    at = house.clock.now - timedelta(**ago)
    with writing(house.engine) as connection:
        connection.execute(sa.insert(worker_seen).values(name=f"w{ago}", started_at=at, seen_at=at))


def ready(house: House, status: int = 200, role: str = "monitor") -> dict:
    answer = house.call("GET", "/readyz", house.key(role))
    assert answer.status_code == status
    return answer.get_json()


def test_alive_means_only_that_the_process_answers() -> None:
    house = House(open_engine("postgresql://nobody@127.0.0.1:1/nothing"))
    answer = house.call("GET", "/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_ready_names_every_dependency(engine: Engine) -> None:
    house = house_of(engine)
    worker_says_it_is_alive(house, seconds=10)
    assert ready(house) == {
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
    house = House(engine, settings_of(sources__crm__api=api))
    worker_says_it_is_alive(house)
    assert ready(house)["sources"] == {"crm": {"status": "ok"}}
    now = house.clock.now
    with writing(house.engine) as connection:
        source_standing.enrol(connection, ["crm"], now)
        connection.execute(sa.insert(feedback_request).values(request_row(now, id="fr_1", x_user_id=None)))
        waiting.want(connection, "fr_1", "crm", None, now)
        source_standing.went_away(connection, "crm", now - timedelta(minutes=2))
    assert ready(house)["sources"]["crm"]["status"] == "crm_away"
    with writing(house.engine) as connection:
        source_standing.pause(connection, "crm", now + timedelta(minutes=1), now)
    assert ready(house)["sources"]["crm"]["status"] == "paused"
    with writing(house.engine) as connection:
        source_standing.hold(connection, "crm", "refused_401", now)
    report = ready(house)
    assert (report["status"], report["sources"]["crm"]) == ("degraded", {
        "status": "held",
        "reason": "refused_401",
        "waiting": 1,
        "what_to_do": "mend [sources.crm.api], restart, then run `dm-feedback sources release crm`",
    })  # fmt: skip


def test_a_held_account_degrades_and_says_what_to_do(house: House) -> None:
    worker_says_it_is_alive(house)
    with writing(house.engine) as connection:
        holds.hold(connection, "acme", Hold(326, "account_locked"), house.clock.now)
    report = ready(house)
    assert report["status"] == "degraded"
    assert report["accounts"]["acme"] == {
        "status": "held",
        "reason": "account_locked",
        "x_code": 326,
        "what_to_do": "mend it (at X, or the keys here, then restart), then run `dm-feedback accounts release acme`",
    }
    assert report["accounts"]["other"] == {"status": "ok"}


def test_a_manual_hold_advises_nothing_at_x(house: House) -> None:
    with writing(house.engine) as connection:
        holds.hold(connection, "acme", Hold(None, "held_by_hand"), house.clock.now)
    advice = ready(house)["accounts"]["acme"]["what_to_do"]
    assert advice == "see to the reason, then run `dm-feedback accounts release acme`"


def test_a_pause_is_shown_until_it_is_over(house: House) -> None:
    worker_says_it_is_alive(house)
    until = house.clock.now + timedelta(minutes=5)
    with writing(house.engine) as connection:
        holds.pause(connection, "other", until, house.clock.now)
    assert ready(house)["accounts"]["other"] == {"status": "paused", "until": until.isoformat()}
    house.clock.forward(minutes=5)
    assert ready(house)["accounts"]["other"] == {"status": "ok"}


def test_a_pause_from_before_the_clock_was_set_back_is_not_shown(house: House) -> None:
    worker_says_it_is_alive(house, seconds=10)
    now = house.clock.now
    with writing(house.engine) as connection:
        holds.pause(connection, "other", now + timedelta(days=3), now)
        assert not standing.lock(connection, "other", now).rests
        [shown] = standings(connection, [("other", "")], now, silent=False)
    assert shown.status == "sending"
    assert ready(house)["accounts"]["other"] == {"status": "ok"}


def test_an_x_outage_degrades_and_says_since_when_and_how_many_wait(house: House) -> None:
    worker_says_it_is_alive(house)
    with writing(house.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(house.clock.now)))
        x_outage.began(connection, "acme", house.clock.now)
    since = house.clock.now
    assert ready(house)["accounts"]["acme"] == {"status": "ok"}
    house.clock.forward(minutes=1)
    worker_says_it_is_alive(house, seconds=1)
    report = ready(house)
    assert (report["status"], report["worker"]) == ("degraded", "ok")
    assert report["accounts"]["acme"] == {"status": "x_away", "since": since.isoformat(), "waiting": 1}


def test_a_missing_worker_is_reported(house: House) -> None:
    assert "start `dm-feedback worker`" in ready(house)["worker"]
    worker_says_it_is_alive(house, seconds=46)
    assert ready(house)["status"] == "degraded"
    worker_says_it_is_alive(house, seconds=45)
    assert ready(house)["worker"] == "ok"


def test_only_due_requests_count_for_the_oldest_age(house: House) -> None:
    rows = [("acme", 90, "received"), ("acme", 30, "dm_sent"), ("acme", 900, "card_sent"), ("other", 5000, "received")]
    with writing(house.engine) as connection:
        for number, (account, seconds, state) in enumerate(rows):
            at = house.clock.now - timedelta(seconds=seconds)
            row = request_row(at, account=account, conversation_id=f"c-{number}", state=state, scheduled_at=at)
            connection.execute(sa.insert(feedback_request).values(row))
        holds.hold(connection, "other", Hold(None, "held_by_hand"), house.clock.now)
    assert ready(house)["oldest_due_seconds"] == 90


def stranger(house: House, status: int = 200, **headers: str) -> dict:
    answer = house.call("GET", "/readyz", headers=headers)
    assert answer.status_code == status
    return answer.get_json()


def test_without_a_key_only_readiness_is_shown(house: House) -> None:
    with writing(house.engine) as connection:
        holds.hold(connection, "acme", Hold(326, "account_locked"), house.clock.now)
    assert stranger(house) == {"status": "ok"}
    assert ready(house, role="admin")["status"] == "degraded"
    assert house.refused(401, "GET", "/readyz", "dmf_0.0") == "key_invalid"
    for role in ("supervisor", "analyst", "hand_in"):
        assert house.refused(403, "GET", "/readyz", house.key(role)) == "role_not_allowed"
    assert house.refused(403, "GET", "/readyz", house.key("monitor", "acme")) == "whole_service_only"


def test_a_database_that_is_away_is_503_and_strangers_learn_neither_why_nor_its_password() -> None:
    engine = open_engine("postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    assert stranger(House(engine), 503, Authorization="Bearer dmf_0.0") == {"status": "unavailable"}
    assert told(engine) == "does not listen at that address"


def told(engine: Engine) -> str | None:
    """What the log says: without a database no key can be known."""
    return why_not_ready(engine, START, Writes(engine))


def test_an_empty_database_is_not_ready_and_says_how_to_upgrade(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    assert stranger(House(engine), 503) == {"status": "unavailable"}
    assert "run `dm-feedback db upgrade`" in str(told(engine))
    engine.dispose()


def test_a_database_that_takes_no_writes_is_not_ready_until_it_does_again(house: House) -> None:
    refuse = [True]

    def query_only(connection: object, *_rest: object) -> None:
        connection.cursor().execute(f"PRAGMA query_only={'ON' if refuse[0] else 'OFF'}")

    sa.event.listen(house.engine, "checkout", query_only)
    assert stranger(house, 503) == {"status": "unavailable"}
    assert "takes no writes" in str(told(house.engine))
    refuse[0] = False
    house.clock.forward(seconds=4)
    assert stranger(house, 503) == {"status": "unavailable"}, "asked every few seconds only: strangers may ask too"
    house.clock.forward(seconds=1)
    assert stranger(house) == {"status": "ok"}


@pytest.mark.parametrize("revision", ["9999", "'; --"])
def test_a_schema_too_new_for_us_is_not_ready(house: House, revision: str) -> None:
    with writing(house.engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    assert stranger(house) == {"status": "ok"}, "during a rolling upgrade this code goes on"
    with writing(house.engine) as connection:
        connection.execute(sa.text("UPDATE schema_floor SET revision = :it"), {"it": revision})
    assert stranger(house, 503) == {"status": "unavailable"}
    assert "start the newer version" in str(told(house.engine))


def test_neither_customer_nor_secret_is_shown(house: House) -> None:
    worker_says_it_is_alive(house)
    with writing(house.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(house.clock.now, x_user_id="77177")))
    text = house.call("GET", "/readyz", house.key("monitor")).get_data(as_text=True)
    assert "77177" not in text
    assert house.settings.accounts["acme"].token_secret not in text
