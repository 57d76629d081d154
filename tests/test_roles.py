"""deploy/roles.sql on PostgreSQL: each process can do its work with its rights, and nothing more."""

import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.auth import chain, keys
from service.db import writing
from service.db.outages import advice, is_away, why_away
from service.encrypting import checking
from service.errors import Conflict
from service.models import api_key, feedback_request, metadata, send_attempt
from service.privacy import housekeeping
from service.reports.counting.sealing import seal
from service.requests import restored
from tests.floor.app import App, answered, deliver
from tests.processes.postgres import tools
from tests.roles import DENIED, SQL, AsRole, engines_by_role, grant, refusal_of
from tests.support import START, World, request_row, settings_of


@pytest.fixture
def owner(postgresql_engine: Engine) -> Engine:
    grant(postgresql_engine)
    return postgresql_engine


@pytest.fixture
def as_role(owner: Engine, postgresql_url: str) -> Iterator[AsRole]:
    with engines_by_role(postgresql_url) as build:
        yield build


def test_every_table_has_its_place_in_the_rights_of_each_role() -> None:
    text = re.sub(r"--[^\n]*", "", SQL.read_text("utf-8"))
    for role, without in (("web", {"x_token"}), ("worker", {"api_key", "feed", "key_use"})):
        granted = " ".join(re.findall(rf"GRANT ([^;]*)\s+TO dm_feedback_{role};", text))
        missing = {table for table in metadata.tables if not re.search(rf"\b{table}\b", granted)} - without
        assert not missing, f"say in deploy/roles.sql what {role} may do to {sorted(missing)}"


def test_the_script_may_be_run_again(owner: Engine) -> None:
    grant(owner)


def test_a_run_that_fails_takes_no_right_away(owner: Engine, as_role: AsRole, tmp_path: Path) -> None:
    """As its users run it; the processes go on meanwhile."""
    file = tmp_path / "roles.sql"
    file.write_text(SQL.read_text("utf-8").replace("GRANT SELECT ON", "SELECT 1 / 0;\nGRANT SELECT ON", 1), "utf-8")
    url = owner.url.set(drivername="postgresql").render_as_string(hide_password=False)
    words = [tools() / "psql", url, "-v", "ON_ERROR_STOP=1", "-f", file]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "division by zero" in done.stderr
    with as_role("web").connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM feedback_request")) == 0


def test_who_may_make_no_roles_is_told_who_may(as_role: AsRole) -> None:
    begin = SQL.read_text("utf-8").partition("END $$;")
    text = "".join(begin[:2]).replace("dm_feedback_", "not_there_")
    with pytest.raises(psycopg.Error, match="run this once as a superuser"), as_role("reading").connect() as line:
        line.connection.cursor().execute(text)


def test_web_does_all_of_its_work(owner: Engine, as_role: AsRole) -> None:
    app = App(as_role("web"))
    with writing(owner) as connection:
        made = {role: keys.create(connection, role, role, (), START) for role in ("admin", "supervisor", "monitor")}
    request_id = deliver(app, "c-1", x_user_id="501", agent_id="ann")
    unknown = deliver(app, "c-2")
    app.engine, web = owner, app.engine
    answered(app, request_id)
    app.engine = web
    for path in ("/v1/results", "/v1/requests", f"/v1/results/{request_id}", "/v1/summary", "/v1/results.csv",
                 "/v1/breakdown?by=team", "/v1/trend"):  # fmt: skip
        assert app.call("GET", path, made["supervisor"]).status_code == 200, path
    assert app.call("POST", f"/v1/results/{request_id}/notes", made["supervisor"], {"text": "seen"}).status_code == 201
    assert app.call("PATCH", f"/v1/results/{request_id}/mark", made["supervisor"], {"done": True}).status_code == 200
    said = app.call("POST", "/v1/timeline", made["supervisor"], {"day": "2026-11-20", "text": "launch"})
    assert app.call("DELETE", f"/v1/timeline/{said.get_json()['id']}", made["supervisor"]).status_code == 204
    named = {"items": [{"kind": "agent", "id": "ann", "name": "Ann"}]}
    assert app.call("PUT", "/v1/people", made["supervisor"], named).status_code == 200
    assert app.call("GET", "/v1/people", made["supervisor"]).status_code == 200
    assert app.call("POST", "/v1/opt-outs", made["admin"], {"x_user_ids": ["9"]}).status_code == 200
    assert app.call("DELETE", "/v1/opt-outs/9", made["admin"]).status_code == 204
    with writing(owner) as connection:
        nobody = {"state": "skipped", "reason": "no_x_identity", "outcome_at": START}
        connection.execute(sa.update(feedback_request).where(feedback_request.c.id == unknown).values(nobody))
    identity = {"x_user_id": "502"}
    assert app.call("PUT", f"/v1/requests/{unknown}/x-identity", made["admin"], identity).status_code == 200
    asked = {"name": "sheet", "question": {"figure": "summary"}}
    feed = app.call("POST", "/v1/feeds", made["supervisor"], asked).get_json()
    assert app.call("GET", feed["address"].partition(":8000")[2]).status_code == 200
    assert app.call("DELETE", f"/v1/feeds/{feed['id']}", made["supervisor"]).status_code == 204
    assert app.call("GET", "/readyz", made["monitor"]).status_code == 200
    assert app.call("GET", "/metrics", made["monitor"]).status_code == 200
    assert app.call("GET", "/v1/results", "dmf_0.0").status_code == 401
    assert app.call("POST", "/dashboard/sign-in", data={"key": made["supervisor"]}).status_code == 303
    for page in ("", "explore", "comments", "coverage", "operations", "conversations", "sessions"):
        assert app.call("GET", f"/dashboard/{page}").status_code == 200, page
    assert app.call("GET", "/v1/customers/501", made["admin"]).status_code == 200
    assert app.call("DELETE", "/v1/customers/501", made["admin"]).status_code == 200


def test_web_erases_a_customer_whose_message_is_under_way(owner: Engine, as_role: AsRole) -> None:
    app = App(as_role("web"))
    request_id = deliver(app, "c-1", x_user_id="501")
    with writing(owner) as connection:
        admin = keys.create(connection, "admin", "admin", (), START)
        died = {"request_id": request_id, "account": "acme", "x_user_id": "501", "kind": "dm", "intended_at": START}
        connection.execute(sa.insert(send_attempt).values(id="sa_1", **died))
    assert app.call("DELETE", "/v1/customers/501", admin).status_code == 200
    [row] = app.rows(feedback_request)
    assert (row.state, row.reason, row.x_user_id) == ("unknown", "unclear_send", None)


def test_web_hands_a_link_over(owner: Engine, as_role: AsRole) -> None:
    app = App(as_role("web"))
    deliver(app, "c-1", x_user_id="501")
    with writing(owner) as connection:
        key = keys.create(connection, "crm", "hand_in", (), START)
        restored.begin(connection, START - timedelta(days=1))
    assert app.call("POST", "/v1/conversations/crm/c-1/link", key).status_code == 200


def test_worker_does_all_of_its_work(as_role: AsRole) -> None:
    world = World(as_role("worker"), settings_of())
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended("c-1")
    world.forward(minutes=2)
    world.run()
    assert world.request(request_id).state == "card_sent"
    while seal(world.engine, world.settings, world.clock()):
        pass
    chain.seal_what_waits(world.engine)
    housekeeping.prune(world.engine, world.settings, world.clock() + timedelta(days=5000), dry_run=False)


FORBIDDEN = [
    (
        "web",
        "INSERT INTO api_key (id, digest, name, role, accounts, created_at) VALUES ('a', 'b', 'c', 'admin', '[]', 1)",
    ),
    ("web", "UPDATE api_key SET role = 'admin'"),
    ("web", "UPDATE access_log SET actor = 'nobody'"),
    ("web", "DELETE FROM access_log"),
    ("web", "INSERT INTO access_log (at, actor, action, detail, number, hash) VALUES (1, 'a', 'b', '{}', 9, 'c')"),
    ("web", "UPDATE access_chain SET number = 0"),
    ("web", "UPDATE account_state SET hold_reason = NULL"),
    ("web", "DELETE FROM allowance"),
    ("web", "UPDATE feedback_request SET agent_id = 'eve'"),
    ("web", "UPDATE feedback_request SET account = 'other'"),
    ("web", "DELETE FROM feedback_request"),
    ("web", "INSERT INTO send_attempt (id) VALUES (1)"),
    ("web", "UPDATE send_attempt SET intended_at = 0"),
    ("web", "UPDATE tally SET n = 0"),
    ("web", "CREATE TABLE mine (x int)"),
    ("web", "DROP TABLE result"),
    ("web", "TRUNCATE result"),
    ("web", "UPDATE feed SET question = '{}'"),
    ("worker", "SELECT digest FROM feed"),
    ("worker", "SELECT digest FROM api_key"),
    ("worker", "SELECT digest FROM session"),
    ("worker", "UPDATE access_log SET actor = 'nobody'"),
    ("worker", "CREATE TABLE mine (x int)"),
    ("worker", "ALTER TABLE result ADD COLUMN x int"),
    ("reading", "UPDATE result SET score = 5"),
    ("reading", "DELETE FROM result"),
    ("reading", "SELECT digest FROM api_key"),
    ("reading", "SELECT body FROM webhook_delivery"),
    ("reading", "CREATE TABLE mine (x int)"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_each_role_can_do_nothing_else(as_role: AsRole, role: str, statement: str) -> None:
    assert refusal_of(as_role(role), statement) == DENIED


def test_a_missing_right_is_reported_with_the_grant(as_role: AsRole) -> None:
    """After an upgrade whose roles.sql was forgotten: senders are asked to repeat, whoever runs us reads why."""
    with pytest.raises(sa.exc.ProgrammingError) as caught, as_role("reading").connect() as connection:
        connection.exec_driver_sql("SELECT * FROM api_key")
    assert is_away(caught.value)
    assert why_away(caught.value) == "lacks the rights that deploy/roles.sql gives"
    assert "after it deploy/roles.sql" in advice(caught.value)
    assert "`keys create` need the owner" in advice(caught.value), "who typed it may be a person with web's login"


def test_a_scrub_by_who_owns_nothing_is_refused(owner: Engine, as_role: AsRole) -> None:
    """PostgreSQL itself passes such tables over with a warning."""
    with pytest.raises(Conflict) as refused:
        checking.scrub(as_role("worker"))
    assert refused.value.code == "not_the_owner"
    checking.scrub(owner)


def test_the_reading_role_reads_the_ledger(owner: Engine, as_role: AsRole) -> None:
    with writing(owner) as connection:
        connection.execute(sa.insert(metadata.tables["feedback_request"]).values(request_row(START)))
    with as_role("reading").connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback_request").scalar() == 1
    assert api_key.name not in SQL.read_text("utf-8").partition("Reading, for a warehouse")[2]
