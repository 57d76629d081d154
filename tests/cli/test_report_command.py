"""report: a month as a file, with the numbers of the API."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from service.auth import Reader
from service.db import reading
from service.reports.figures import figures
from service.reports.filters import parse
from service.reports.report_query import ReportQuery
from service.settings import load
from tests.cli.installation import Cli

VALUE = re.compile(r'<data value="([^"]+)">')


def filled(cli: Cli) -> tuple[str, str]:
    """Nine answers of two days ago; the days that hold them, both included."""
    for number, score in enumerate((5, 5, 4, 5, 2, 5, 1, 5, 4)):
        cli.answered(f"c-{number}", score, text=f"Said {number}.")
    cli.tell()
    today = datetime.now(UTC).date()
    return str(today - timedelta(days=5)), str(today - timedelta(days=1))


def test_a_file_has_the_numbers_of_the_api_and_the_last_day_belongs_to_it(cli: Cli) -> None:
    first, last = filled(cli)
    said = cli.says("report", "--from", first, "--to", last, "--account", "acme", "-o", "r.html")
    assert said.endswith(": r.html\n")
    file = cli.directory / "r.html"
    assert file.stat().st_mode & 0o777 == 0o600, "what customers wrote is for whoever asked for it"
    text = file.read_text("utf-8")
    settings = load(cli.config)
    reader = Reader("k", "x", "supervisor", ())
    until = str(datetime.fromisoformat(last).date() + timedelta(days=1))
    asked = parse({"since": [first], "until": [until], "account": ["acme"]}, reader, settings)
    with reading(cli.engine) as connection:
        told = figures.summary(ReportQuery(connection, settings, reader, asked, datetime.now(UTC)))
    assert told.csat is not None
    assert [float(each) for each in VALUE.findall(text)] == [told.csat.value, told.response_rate_of_delivered.value]
    assert "acme only" in text
    assert cli.audit()[-1][0] == "report.file"


def test_an_analysts_report_has_no_comment(cli: Cli) -> None:
    first, last = filled(cli)
    cli("report", "--from", first, "--to", last, "-o", "all.html")
    cli("report", "--from", first, "--to", last, "--for", "analyst", "-o", "few.html")
    assert "Said " in (cli.directory / "all.html").read_text("utf-8")
    assert "Said " not in (cli.directory / "few.html").read_text("utf-8")


def test_filtered_groups_are_shown_by_name(cli: Cli) -> None:
    first, last = filled(cli)
    (cli.directory / "people.csv").write_text("kind,id,name\nagent,8812,Ana Kim\n", "utf-8")
    cli.says("people", "import", "people.csv")
    cli.says("report", "--from", first, "--to", last, "--filter", "agent_id=8812", "-o", "r.html")
    assert "Ana Kim only" in (cli.directory / "r.html").read_text("utf-8")


def test_without_days_it_is_last_month(cli: Cli) -> None:
    month = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    assert cli.says("report", "-o", "r.html") == f"{month:%B %Y}: r.html\n"
    assert cli.says("report", "--month", "2026-10", "-o", "r.html") == "October 2026: r.html\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-o", "r.docx"], "unknown_format"),
        (["-o", "r.html", "--month", "2026-13"], "invalid_parameter"),
        (["-o", "r.html", "--month", "2026-10", "--last", "week"], "which_days"),
        (["-o", "r.html", "--from", "2026-10-01"], "which_days"),
        (["-o", "r.html", "--account", "nobody"], "unknown_account"),
        (["-o", "r.html", "--filter", "team"], "bad_filter"),
        (["-o", "r.html", "--account", "acme", "--filter", "account=other"], "invalid_parameter"),
        (["-o", "r.html", "--filter", "since=2020-01-01"], "which_days"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_report_that_cannot_be_made_says_why_and_leaves_no_file(cli: Cli, options: list[str], code: str) -> None:
    assert cli.refuses("report", *options)[1] == code
    assert not list(cli.directory.glob("r.*"))
