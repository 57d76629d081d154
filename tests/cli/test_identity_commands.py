"""identities: exporting who was missing, and importing the completed list."""

import csv
import errno
import io

import pytest

from service.cli import identities
from service.models import access_log, feedback_request
from tests.cli.installation import Cli, open_readings


def skipped(cli: Cli, conversation: str, **columns: str | None) -> str:
    nobody = {"x_user_id": None, "state": "skipped", "reason": "no_x_identity", **columns}
    return cli.request(conversation_id=conversation, **nobody)


def listed(cli: Cli, *options: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(cli.says("identities", "missing", *options))))


def test_a_source_nobody_knows_is_refused(cli: Cli) -> None:
    assert cli.refuses("identities", "missing", "--source", "crn")[1] == "unknown_source"
    assert cli.says("identities", "missing", "--source", "crm").count("\n") == 1, "nobody was missing"


def test_missing_identities_are_exported_imported_and_resumed(cli: Cli) -> None:
    first, second = skipped(cli, "c-1", customer_ref="4711", detail="looked at /x (404)"), skipped(cli, "=1+1")
    cli.request(conversation_id="c-3", state="skipped", reason="cooldown")
    rows = listed(cli)
    assert {row["request_id"] for row in rows} == {first, second}
    by_id = {row["request_id"]: row for row in rows}
    assert (by_id[first]["customer_ref"], by_id[first]["why"]) == ("4711", "looked at /x (404)")
    assert by_id[second]["conversation_id"] == "'=1+1", "no spreadsheet calculates it"
    file = cli.directory / "filled.csv"
    by_id[first]["x_user_id"] = "501"
    with file.open("w", newline="") as filled:
        writer = csv.DictWriter(filled, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    assert cli.says("identities", "import", str(file)) == "1 taken up, 0 refused.\n"
    states = {row.id: (row.state, row.x_user_id) for row in cli.rows(feedback_request)}
    assert (states[first], states[second][0]) == (("received", "501"), "skipped")
    assert {"identities.missing", "request.complete"} <= {row.action for row in cli.rows(access_log)}


def test_reading_just_one_line_is_logged(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped(cli, "c-1")

    def broken(_value: str) -> str:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(identities, "guarded", broken)
    cli("identities", "missing", code=1)
    assert [row.action for row in cli.rows(access_log)] == ["identities.missing"]


def test_the_list_is_printed_outside_of_a_transaction(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends one in which nothing is asked for a minute."""
    skipped(cli, "c-1")
    begun = open_readings(monkeypatch, identities)
    printed: list[int] = []

    def noted(word: str) -> str:
        printed.append(len(begun))
        return word

    monkeypatch.setattr(identities, "guarded", noted)
    cli("identities", "missing")
    assert set(printed) == {0}


def test_only_of_one_source(cli: Cli) -> None:
    skipped(cli, "c-1")
    other = skipped(cli, "c-2", source="other")
    assert [row["request_id"] for row in listed(cli, "--source", "other")] == [other]


def test_a_wrong_line_stops_nobody_else_and_is_named(cli: Cli) -> None:
    right = skipped(cli, "c-1")
    file = cli.directory / "filled.csv"
    file.write_text(f"request_id,x_user_id\r\nfr_nobody,502\r\n{right},501\r\n{right}x,\r\n")
    done = cli("identities", "import", str(file), code=1)
    assert "fr_nobody: There is no request" in done.stderr
    assert done.stdout == "1 taken up, 1 refused.\n"


def test_a_file_that_is_no_list_of_ids_is_refused_whole(cli: Cli) -> None:
    right = skipped(cli, "c-1")
    file = cli.directory / "filled.csv"
    file.write_text(f"request_id,x_user_id\n{right},@ann\n")
    assert cli.refuses("identities", "import", str(file))[1] == "not_an_x_user_id"
    file.write_text("a,b\n1,2\n")
    assert cli.refuses("identities", "import", str(file))[1] == "columns_missing"
    assert [row.state for row in cli.rows(feedback_request)] == ["skipped"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('request_id,x_user_id\n{right},"12\n34"\n', "not_an_x_user_id"),
        ('"request_id"x,x_user_id\n{right},501\n', "wrong_csv"),
        ("x" * 200_000, "wrong_csv"),
        ('request_id,x_user_id\n{right},"501\n', "wrong_csv"),
        ("request_id,x_user_id\n{right},501,502\n", "wrong_csv"),
        ("", "columns_missing"),
    ],
)
def test_a_broken_file_resumes_nobody(cli: Cli, text: str, code: str) -> None:
    """A line break in a cell, dropped, would make somebody else's number of two lines."""
    right = skipped(cli, "c-1")
    file = cli.directory / "filled.csv"
    file.write_text(text.replace("{right}", right))
    assert cli.refuses("identities", "import", str(file))[1] == code
    assert [row.state for row in cli.rows(feedback_request)] == ["skipped"]
