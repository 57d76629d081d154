"""export, results reconcile, openapi: files, and updates read again from X."""

import csv
import hashlib
import io
import json
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow.parquet
import pytest
from sqlalchemy.engine import Engine

from service.accounts import standing
from service.cli import export as commands
from service.clock import utc_now
from service.db import writing
from service.humanize import many
from service.models import access_log, feedback_request, result
from service.outreach.context import Workplace
from service.process import hang_ups
from service.reports.rows import export as exporting
from service.reports.rows.atomic_file import appearing
from service.sandbox import Assumptions, BusinessAccount, SandboxConfig, SandboxServer
from service.settings import load
from service.worker.loop import clients_of
from tests.cli.installation import Cli
from tests.support import tree, work

TOP = Path(__file__).parents[2]


@pytest.fixture
def answers(cli: Cli) -> Cli:
    for number, score in enumerate([5, 4, 4, 2, 5, 3]):
        cli.answered(f"c-{number}", score, "=1+1" if number == 0 else None)
    cli.request(conversation_id="c-skipped", state="skipped", reason="cooldown", outcome_at=datetime.now(UTC))
    cli.tell()
    return cli


# -- export


def exported(cli: Cli, name: str, *more: str) -> tuple[bytes, dict]:
    said = cli.says("export", "--out", name, *more)
    content = (cli.directory / name).read_bytes()
    manifest = json.loads((cli.directory / f"{name}.manifest.json").read_text("utf-8"))
    assert said == f"{many(manifest['rows'], 'row')} in {name}, manifest in {name}.manifest.json\n"
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["bytes"] == len(content)
    assert not list(cli.directory.glob("*.part"))
    return content, manifest


def test_a_csv_has_every_row_its_manifest_counts(answers: Cli) -> None:
    content, manifest = exported(answers, "results.csv")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(rows) == manifest["rows"] == 7
    assert tuple(rows[0]) == tuple(manifest["columns"]) == exporting.COLUMNS
    assert {row["conversation_id"] for row in rows} == {*(f"c-{each}" for each in range(6)), "c-skipped"}
    assert "=1+1" not in {row["text"] for row in rows}, "no spreadsheet calculates what a customer wrote"
    assert answers.audit()[0][0] == "export.file"


def test_the_format_follows_the_name_or_the_option(answers: Cli) -> None:
    lines = exported(answers, "results.jsonl")[0].decode().splitlines()
    assert {json.loads(line)["score"] for line in lines} == {5, 4, 2, 3, None}
    assert exported(answers, "results.txt", "--format", "jsonl")[1]["format"] == "jsonl"
    assert exported(answers, "results", "--bom")[0].startswith(b"\xef\xbb\xbf")


def test_the_extra_formats_are_written_too(answers: Cli) -> None:
    assert exported(answers, "results.xlsx")[0].startswith(b"PK")
    content, manifest = exported(answers, "results.parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    assert table.num_rows == manifest["rows"] == 7
    assert tuple(table.column_names) == exporting.COLUMNS


def test_filters_are_those_of_the_api(answers: Cli) -> None:
    assert exported(answers, "a.csv", "--filter", "state=skipped")[1]["rows"] == 1
    assert exported(answers, "b.csv", "--filter", "account=acme", "--filter", "answered=true")[1]["rows"] == 6


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--out", "results.pdf"), "unknown_format"),
        (("--out", "x.csv", "--filter", "skipped"), "bad_filter"),
        (("--out", "x.csv", "--filter", "colour=red"), "unknown_parameter"),
        (("--out", "x.csv", "--filter", "since=yesterday"), "invalid_parameter"),
        (("--out", "no/such/place/x.csv"), "file"),
        (("--out", "locked/x.csv"), "file"),
    ],
)
def test_an_export_that_cannot_be_is_refused_and_leaves_no_file(
    cli: Cli, arguments: tuple[str, ...], code: str
) -> None:
    (cli.directory / "locked").write_text("a file where a directory should be", "utf-8")
    assert cli.refuses("export", *arguments)[1] == code
    assert not list(cli.directory.glob("*x.csv*"))


def test_a_file_that_breaks_off_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes(b"old")
    with suppress(ZeroDivisionError), appearing(path) as file:
        assert file.write(b"what customers wrote") // 0
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("old.csv", b"old")]


@pytest.fixture
def terminal() -> Iterator[None]:
    """As at a terminal, although whoever started the tests may have said nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_ended_leaves_nothing_of_what_customers_wrote(
    answers: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A closed terminal ends it, too."""
    monkeypatch.setattr(commands, "counting", lambda _: nullcontext(lambda _rows: os.kill(os.getpid(), number)))
    assert "Aborted" in answers("export", "--out", "x.csv", code=1).stderr
    assert not list(answers.directory.glob("x.csv*"))


@pytest.mark.usefixtures("terminal")
def test_what_nohup_was_said_of_outlives_its_terminal() -> None:
    assert hang_ups() == (signal.SIGTERM, signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert hang_ups() == (signal.SIGTERM,)


# -- results reconcile


@pytest.fixture
def x() -> Iterator[SandboxServer]:
    acme = tree()["accounts"]["acme"]
    names = ("user_id", "screen_name", "consumer_key", "consumer_secret", "token", "token_secret")
    account = BusinessAccount(name="acme", **{name: acme[name] for name in names})
    switches = Assumptions(auto_create_customers=True, webhooks=False, events_24h_rule=False)
    config = SandboxConfig(accounts=(account,), assumptions=switches, default_profile={"can_dm": True})
    with SandboxServer(config) as server:
        yield server


DAY = timedelta(days=1)


def test_missing_events_are_read_again_by_day(engine: Engine, x: SandboxServer, tmp_path: Path) -> None:
    changes = {"accounts__acme__base_url": x.url, "accounts__acme__events_delay": "0s", "campaigns__care__delay": "0s"}
    cli = Cli(tmp_path, engine, changes)
    request_id = cli.request()
    settings = load(cli.config, {})
    clients = clients_of(settings, engine)
    with writing(engine) as connection:
        standing.enrol(connection, settings.accounts, utc_now())
    work(Workplace.open(engine, settings, "w"), clients, utc_now)
    clients["acme"].close()
    assert cli.rows(feedback_request)[0].state == "card_sent", cli.says("requests", "show", request_id)
    answer = {"score": 4, "text": "kind and quick"}
    httpx.post(f"{x.url}/_control/customers/501/answer", json=answer).raise_for_status()
    assert cli.rows(result) == []

    today = datetime.now(UTC)
    dates = ("--from", f"{today - DAY:%Y-%m-%d}", "--to", f"{today + DAY:%Y-%m-%d}")
    said = cli("results", "reconcile", "--account", "acme", *dates, code=1).stdout
    assert "1 answer we did not have." in said
    assert f"X serves nothing later than {datetime.now(UTC):%Y-%m-%d}" in said, "tomorrow is still to come"
    (row,) = cli.rows(result)
    assert (row.request_id, row.score, row.text, row.first_channel) == (request_id, 4, "kind and quick", "events")
    until_now = (*dates[:3], f"{today:%Y-%m-%dT%H:%M:%SZ}")
    assert "0 answers we did not have." in cli.says("results", "reconcile", "--account", "acme", *until_now)
    period = {"from": f"{today - DAY:%Y-%m-%dT00:00:00.000000Z}", "to": f"{today:%Y-%m-%dT%H:%M:%S.000000Z}"}
    assert cli.audit()[-1] == ("results.reconcile", {"account": "acme", **period})


def test_an_unfinished_period_says_where_to_continue(cli: Cli, x: SandboxServer) -> None:
    cli.write(accounts__acme__base_url=x.url, accounts__acme__events_delay="0s")
    fault = {"endpoint": "feedback/events", "fault": "429", "reset_in_s": 600, "skip": 1}
    httpx.post(f"{x.url}/_control/faults", json=fault).raise_for_status()
    today = datetime.now(UTC)
    dates = ("--from", f"{today - DAY:%Y-%m-%d}", "--to", f"{today:%Y-%m-%d}")
    done = cli("results", "reconcile", "--account", "acme", *dates, code=1)
    assert "Not finished (" in done.stdout
    assert f"--from {today - DAY:%Y-%m-%d}T06:00:00Z" in done.stdout, "one window of six hours was read"
    assert " not before " in done.stdout


def test_x_being_away_is_a_sentence(cli: Cli) -> None:
    cli.write(accounts__acme__base_url="http://127.0.0.1:1")
    done = cli("results", "reconcile", "--account", "acme", "--from", "2026-01-01", "--to", "2026-01-02", code=1)
    assert "Not finished (" in done.stdout


def test_a_period_that_ends_before_it_begins_is_refused(cli: Cli) -> None:
    days = ("--from", "2026-01-02", "--to", "2026-01-02")
    assert cli.refuses("results", "reconcile", "--account", "acme", *days)[1] == "which_days"


def test_an_account_nobody_knows_has_no_results(cli: Cli) -> None:
    days = ("--from", "2026-01-01", "--to", "2026-01-02")
    assert cli.refuses("results", "reconcile", "--account", "acne", *days)[1] == "unknown_account"
    assert cli.rows(access_log) == []


# -- openapi


def test_the_description_needs_no_settings_and_is_the_committed_one(cli: Cli) -> None:
    cli.config.unlink()
    assert cli.says("openapi") == (TOP / "openapi.yaml").read_text("utf-8")
    assert not list(cli.directory.glob("*opened*"))
