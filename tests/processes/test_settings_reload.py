"""The real server reads its settings again on SIGHUP, survives unreadable ones, and logs no key."""

import json
import os
import signal
import socket
import sys

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.auth import keys
from service.customers.hash_key import open_key
from service.db import open_engine, writing
from service.models import access_log
from service.startup import note_settings
from tests.processes.children import Child, cli, until
from tests.processes.deliveries import deliver
from tests.processes.site import Site
from tests.support import START, settings_of

CONTACT = "/.well-known/security.txt"


def serving(site: Site, *words: str) -> Child:
    return cli(words[0], site.directory, "--config", str(site.config), *words)


def status(site: Site, path: str = CONTACT) -> int:
    try:
        return httpx.get(f"{site.web_url}{path}", timeout=5, trust_env=False, verify=False).status_code
    except httpx.HTTPError:
        return 0


def write(site: Site, old: str, new: str) -> None:
    text = site.config.read_text("utf-8")
    assert old in text
    site.config.write_text(text.replace(old, new, 1), "utf-8")


def test_web_reloads_settings_on_sighup_and_keeps_the_old_if_the_new_are_wrong(sqlite_site: Site) -> None:
    site = sqlite_site
    with serving(site, "web") as web:
        until(lambda: status(site) == 404, 60, "web answers, nobody is named")
        write(site, "[web]\n", '[web]\nsecurity_contact = "https://acme.example/security"\n')
        web.hang_up()
        until(lambda: status(site) == 200, 60, "the contact is told")
        write(site, "https://acme.example/security", "nobody")
        web.hang_up()
        until(lambda: "settings_not_taken" in web.output(), 60, "the mistake is said")
        until(lambda: status(site) == 200, 60, "the old contact is told")
        assert "web.security_contact" in web.output()
    engine = open_engine(site.database_url)
    with engine.connect() as connection:
        told = connection.scalars(sa.select(access_log.c.detail).where(access_log.c.action == "settings.change")).all()
    engine.dispose()
    assert [each["before"] for each in told] == [None, told[0]["digest"]], "once at the start, once as they changed"
    assert told[0]["digest"] != told[1]["digest"]


def test_only_a_change_of_settings_is_told_and_no_secret(engine: Engine) -> None:
    other = settings_of(accounts__acme__token_secret="another")  # a secret changes no digest, as it is in none
    for settings in (settings_of(), other, settings_of(web__threads=7), settings_of(web__threads=7), settings_of()):
        note_settings(settings, engine, START)
    with engine.connect() as connection:
        digests = [detail["digest"] for detail in connection.scalars(sa.select(access_log.c.detail))]
    assert len(digests) == 3
    assert digests[0] == digests[2] != digests[1]


SETTINGS_THAT_START_NOTHING = {
    "a definition": ('preset = "standard"', 'preset = "standard"\ncolour = "red"', "sources.crm.colour"),
    "another secret": ("-chaos", "-other", "service.secret_key is not the one"),
    "a database that is not there": ("sqlite:///", "postgresql://nobody@127.0.0.1:1/nothing#", "database.url"),
    "a picture": ("[accounts.acme]\n", '[accounts.acme]\npage_logo = "none.png"\n', "accounts.acme.page_logo"),
}


@pytest.mark.parametrize("what", SETTINGS_THAT_START_NOTHING)
def test_unusable_settings_stop_nothing_that_runs(sqlite_site: Site, what: str) -> None:
    old, new, says = SETTINGS_THAT_START_NOTHING[what]
    site, engine = sqlite_site, open_engine(sqlite_site.database_url)
    open_key(engine, site.tree()["service"]["secret_key"])
    engine.dispose()
    with serving(site, "web") as web:
        until(lambda: status(site, "/healthz") == 200, 60, "web answers")
        before = set(web.forked())
        write(site, old, new)
        refuse_twice(web)
        assert set(web.forked()) == before, "nobody was begun anew for settings that were not taken"
        assert says in web.output()
        assert deliver(site, "c-1") == 200


def refuse_twice(web: Child) -> None:
    """Hang up twice: the second time is heard when all that follows from the first is done."""
    for times in (1, 2):
        web.hang_up()
        until(lambda times=times: web.output().count("settings_not_taken") == times, 60, "why is said")


def test_a_reload_during_an_outage_keeps_the_running_processes(sqlite_site: Site) -> None:
    site, engine = sqlite_site, open_engine(sqlite_site.database_url)
    with serving(site, "web") as web:
        until(lambda: status(site, "/readyz") == 200, 60, "web answers")
        before = set(web.forked())
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE encryption_key RENAME TO elsewhere")
        refuse_twice(web)
        assert set(web.forked()) == before
        assert status(site, "/healthz") == 200
        assert "database.url lacks tables of this release" in web.output()
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO encryption_key")
    engine.dispose()


def test_a_process_that_begins_while_the_database_is_away_waits_for_it_and_ends_no_other(sqlite_site: Site) -> None:
    site = sqlite_site
    with serving(site, "web") as web:
        until(lambda: status(site, "/healthz") == 200, 60, "web answers")
        engine = open_engine(site.database_url)
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE encryption_key RENAME TO elsewhere")
        [before] = web.forked()
        os.kill(before, signal.SIGKILL)
        until(lambda: '"database_away"' in web.output(), 60, "it says that it waits")
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO encryption_key")
        engine.dispose()
        until(lambda: status(site, "/healthz") == 200, 60, "it has begun")
        assert web.running


def test_what_gunicorn_says_of_a_killed_process_is_a_line_like_ours(sqlite_site: Site) -> None:
    site = sqlite_site
    with serving(site, "web") as web:
        until(lambda: status(site, "/healthz") == 200, 60, "web answers")
        os.kill(web.forked()[0], signal.SIGKILL)
        until(lambda: "SIGKILL" in web.output(), 60, "it is said")
        [said] = [line for line in map(json.loads, web.output().splitlines()) if "SIGKILL" in line.get("said", "")]
        assert (said["event"], said["library"], said["level"]) == ("library_said", "gunicorn.error", "error")


def test_a_worker_restarts_on_sighup_unless_the_settings_are_wrong(sqlite_site: Site) -> None:
    site = sqlite_site

    def started(worker: Child) -> int:
        return worker.output().count('"worker_started"')

    with serving(site, "worker") as worker:
        until(lambda: started(worker) == 1, 60, "it works")
        worker.hang_up()
        until(lambda: started(worker) == 2, 60, "it works with the new settings")
        write(site, "-chaos", "-other")
        worker.hang_up()
        until(lambda: "service.secret_key is not the one" in worker.output(), 60, "the mistake is said")
        assert worker.running
        assert started(worker) == 2


def test_a_reloaded_worker_imports_nothing_from_where_it_was_started(sqlite_site: Site) -> None:
    """`python -m` would: a folder of that name beside the ledger is nobody's of ours."""
    site = sqlite_site
    elsewhere = site.directory / "elsewhere"
    (elsewhere / "service").mkdir(parents=True)
    (elsewhere / "service" / "__init__.py").write_text("raise SystemExit('not ours')\n", "utf-8")
    begin = "import os, sys; os.chdir(sys.argv.pop(1)); from service.cli import main; main()"
    command = [sys.executable, "-P", "-c", begin, str(elsewhere), "--config", str(site.config), "worker"]
    with Child("worker", command, site.directory / "worker.log") as worker:
        until(lambda: worker.output().count('"worker_started"') == 1, 60, "it works")
        worker.hang_up()
        until(lambda: worker.output().count('"worker_started"') == 2, 60, "it works with the new settings")


def raw(site: Site, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", site.web_port), timeout=10) as line:
        line.sendall(request)
        return line.recv(65_536)


def test_a_body_nobody_can_read_is_the_clients_mistake_and_a_broken_header_shows_no_key(sqlite_site: Site) -> None:
    site = sqlite_site
    engine = open_engine(site.database_url)
    with writing(engine) as connection:
        key = keys.create(connection, "ada", "admin", (), START)
    engine.dispose()
    chunked = (
        f"POST /v1/opt-outs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    )
    with serving(site, "web") as web:
        until(lambda: status(site, "/healthz") == 200, 60, "web answers")
        assert b" 400 " in raw(site, chunked.encode()).partition(b"\r\n")[0]
        for broken in (f"Authorization Bearer {key}", f"Authorization: Bearer {key}\x00"):
            answer = raw(site, f"GET /v1/results HTTP/1.1\r\nHost: x\r\n{broken}\r\n\r\n".encode())
            assert b" 400 " in answer.partition(b"\r\n")[0]
        assert key.partition(".")[2] not in web.output()
        assert "Traceback" not in web.output()
