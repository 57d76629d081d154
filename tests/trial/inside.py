"""Attacks by somebody who has the machine, the disk, the database or a log; each returns how it held."""

import json
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.db import open_engine
from service.encrypting.in_force import demand_keys
from service.models import feedback_request, metadata, result
from tests.processes.children import cli, run_cli, until
from tests.roles import grant
from tests.trial.place import ASKED, KEY, WITHIN_S, WORDS, Place

FORBIDDEN = (
    "INSERT INTO api_key SELECT * FROM api_key", "UPDATE access_log SET actor = 'nobody'", "DELETE FROM access_log",
    "SELECT * FROM x_token", "INSERT INTO send_attempt SELECT * FROM send_attempt", "UPDATE api_key SET role = 'admin'",
    "UPDATE account_state SET hold_reason = NULL", "CREATE TABLE mine (a int)", "DROP TABLE result",
    "UPDATE feedback_request SET agent_id = 'other'", "TRUNCATE access_chain",
)  # fmt: skip
SECRETS = ("secret_key", "token_secret", "consumer_secret", "webhook_password")


def takes_over_web(place: Place) -> str:
    if place.kind == "sqlite":
        return "cannot be tried: a file has one owner, so roles need PostgreSQL"
    grant(place.engine)
    with place.engine.connect() as connection:
        for statement in FORBIDDEN:
            connection.exec_driver_sql("SET ROLE dm_feedback_web")
            with pytest.raises(sa.exc.ProgrammingError, match=r"denied|owner"):
                connection.exec_driver_sql(statement)
            connection.rollback()
            connection.exec_driver_sql("RESET ROLE")
            connection.commit()
    return f"{len(FORBIDDEN)} statements as web's role (keys, log, tokens, sends, holds, tables): all denied"


def takes_tokens_of_x(place: Place) -> str:
    text = place.site.config.read_text("utf-8")
    without = "\n".join(line for line in text.splitlines() if not line.startswith(("token ", "token_secret")))
    assert without != text
    place.web.kill()
    place.site.config.write_text(without, "utf-8")
    try:
        with cli("bare", place.site.directory, "--config", str(place.site.config), "web") as bare:
            until(lambda: _answers(place), WITHIN_S, "web answers without a token of X")
            crc = place.get("/webhooks/x/acme?crc_token=abc")
            assert crc.status_code == 200
            assert place.get("/v1/results", place.keys["supervisor"]).status_code == 200
            assert bare.running
    finally:
        place.site.config.write_text(text, "utf-8")
        place.web.start()
        until(lambda: _answers(place), WITHIN_S, "web answers again")
    return "web runs without X's tokens: it accepts deliveries, answers X's challenge and shows results"


def reads_secrets_on_the_disk(place: Place) -> str:
    secrets = [each.partition(".")[2] for each in place.keys.values()]
    held = _all_of(place)
    assert [each for each in secrets if each in held] == []
    if place.kind == "postgresql":
        return f"{len(secrets)} secrets: none of them in a dump of all tables"
    files = [Path(str(place.engine.url.database))]
    files += files[0].parent.glob(f"{files[0].name}-*")
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    return f"{len(secrets)} secrets: none of them in the file; it and {len(files) - 1} beside it have mode 0600"


def reads_what_was_written(place: Place) -> str:
    assert WORDS in _all_of(place), "so that it would be found"
    place.says("privacy", "encrypt", "--here")
    held = _all_of(place)
    names = ("zebrafinch", *_ids(place))
    assert [each for each in names if each in held] == []
    if place.kind == "sqlite":
        place.web.kill()
        place.says("privacy", "scrub", "--yes")
        files = list(Path(str(place.engine.url.database)).parent.glob("dm-feedback.db*"))
        assert [each for each in files if any(name.encode() in each.read_bytes() for name in names)] == []
        place.web.start()
        until(lambda: _answers(place), WITHIN_S, "web answers again")
    seen = place.get("/v1/customers/" + _ids(place)[0], place.keys["admin"])
    assert "zebrafinch" in seen.text
    return (
        f"texts, ids and conversations of {ASKED} customers: in no table and no file; permitted readers can read them"
    )


def moves_words(place: Place) -> str:
    one, other = _requests(place)[:2]
    taken = "(SELECT text FROM result WHERE request_id = :b)"
    place.run(f"UPDATE result SET text = {taken} WHERE request_id = :a", a=one, b=other)
    listed = place.get("/v1/results", place.keys["supervisor"])
    assert listed.status_code == 200
    exported = place.get("/v1/customers/" + _ids(place)[0], place.keys["admin"]).text
    named = place.says("privacy", "check", code=1)
    assert one in named
    place.run("UPDATE result SET text = NULL WHERE request_id = :a", a=one)
    assert "[unreadable]" in exported + listed.text
    return "another row's text is shown as [unreadable], privacy check lists the row, the list still works"


def loses_the_key(place: Place) -> str:
    text = place.site.config.read_text("utf-8")
    try:
        for keys in (["another key that nobody would guess"], []):
            line = f"encryption_key = {json.dumps(keys)}"
            place.site.config.write_text(text.replace(f"encryption_key = {json.dumps([KEY])}", line), "utf-8")
            for command in ("status", "worker", "web"):
                done = run_cli("--config", str(place.site.config), command)
                assert done.returncode != 0, command
                assert "encryption_key_missing" in done.stdout + done.stderr, (command, done.stderr)
                assert "Traceback" not in done.stderr
    finally:
        place.site.config.write_text(text, "utf-8")
    return "with a different key or none, status, web and worker do not start and name the missing key"


def listens(place: Place) -> str:
    elsewhere = open_engine("postgresql://u:p@db.example.com/feedback")
    assert elsewhere.url.query["sslmode"] == "require"
    elsewhere.dispose()
    road = place.site.directory / "road.toml"
    road.write_text(
        place.site.config.read_text("utf-8").replace(place.site.web_url, "http://feedback.example"), "utf-8"
    )
    warned = run_cli("--config", str(road), "config", "check")
    assert "put TLS in front of dm-feedback" in " ".join((warned.stdout + warned.stderr).split())
    return "a database on another machine requires TLS; config check warns of a public URL without https"


def covers_tracks(place: Place) -> str:
    anchor = place.says("access-log", "head").strip().split()[-1]
    assert place.says("access-log", "verify", "--anchor", anchor)
    number = int(anchor.partition(":")[0])
    kept = _line(place, number - 1)
    place.run("UPDATE access_log SET actor = 'somebody else' WHERE number = :n", n=number - 1)
    assert str(number - 1) in place.says("access-log", "verify", code=1)
    place.run("UPDATE access_log SET actor = :actor WHERE number = :n", actor=kept["actor"], n=number - 1)
    place.says("access-log", "verify")
    place.run("UPDATE access_log SET number = -1 WHERE number = :n", n=number - 1)
    place.run("UPDATE access_log SET number = :n WHERE number = :m", n=number - 1, m=number - 2)
    place.run("UPDATE access_log SET number = :n WHERE number = -1", n=number - 2)
    place.says("access-log", "verify", code=1)
    place.run("DELETE FROM access_log WHERE number = :n", n=number - 2)
    place.says("access-log", "verify", "--anchor", anchor, code=1)
    return "a changed, a reordered and a missing line are each detected"


def reads_logs(place: Place) -> str:
    text = "".join(each.read_text("utf-8", "replace") for each in place.logs)
    assert len(text) > 500
    tokens = [line.partition("=")[2].strip().strip('"') for line in place.site.config.read_text("utf-8").splitlines()
              if line.partition("=")[0].strip() in SECRETS]  # fmt: skip
    hidden = (WORDS, KEY, *tokens, *(each.partition(".")[2] for each in place.keys.values()))
    assert len(tokens) >= len(SECRETS)
    assert [each for each in hidden if each in text] == []
    return f"{len(text) // 1000} kB of web's and the worker's log contain none of {len(hidden)} texts, keys and tokens"


def _answers(place: Place) -> bool:
    with suppress(Exception):
        return place.get("/healthz").status_code == 200
    return False


def _all_of(place: Place) -> str:
    """Every table as text, as a dump has it."""
    with place.engine.connect() as connection:
        return "\n".join(
            value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for table in metadata.sorted_tables
            for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")
            for value in row
        )


def _requests(place: Place) -> list[str]:
    with place.engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT request_id FROM result ORDER BY request_id").scalars())


def _ids(place: Place) -> list[str]:
    """Whom we asked, as X knows them."""
    demand_keys(place.engine)
    asked = sa.select(feedback_request.c.x_user_id).join(result, result.c.request_id == feedback_request.c.id)
    with place.engine.connect() as connection:
        return [str(each) for each in connection.scalars(asked.order_by(feedback_request.c.id))]


def _line(place: Place, number: int) -> Any:
    with place.engine.connect() as connection:
        return connection.execute(sa.text("SELECT * FROM access_log WHERE number = :n"), {"n": number}).mappings().one()
