"""access-log: verify, anchor, stream."""

import json
import os
import pwd
from datetime import timedelta

import click
import pytest
import sqlalchemy as sa

from service.auth import chain, log_access
from service.cli import access_log as commands
from service.db import writing
from service.models import access_chain, access_log
from tests.cli.installation import Cli, open_readings
from tests.support import START


def lines(cli: Cli, *numbers: int) -> None:
    with writing(cli.engine) as connection:
        for each in numbers:
            log_access(connection, f"cli:{each}", "key.create", {"n": each}, START)


def test_an_intact_chain_is_reported_intact(cli: Cli) -> None:
    lines(cli, 1, 2)
    anchor = cli.says("access-log", "head").strip()
    assert anchor.startswith("2:")
    assert cli.says("access-log", "verify", "--anchor", anchor).startswith(
        f"Complete from line 1 of 2026-11-22 {START:%H:%M:%S}Z to line 2, {anchor[2:]}; 0 wait"
    )


def test_a_log_whose_beginning_was_removed_says_when_it_begins(cli: Cli) -> None:
    lines(cli, 1)
    early = cli.says("access-log", "head").strip()
    with writing(cli.engine) as connection:
        log_access(connection, "cli:2", "key.create", {}, START + timedelta(days=3))
    cli.says("access-log", "head")
    assert "from line 1 of" in cli.says("access-log", "verify")
    with writing(cli.engine) as connection:
        moved = {"pruned_number": 1, "pruned_hash": early.partition(":")[2]}
        connection.execute(sa.update(access_chain).values(moved))
        connection.execute(sa.delete(access_log).where(access_log.c.number == 1))
    assert f"from line 2 of {START + timedelta(days=3):%Y-%m-%d}" in cli.says("access-log", "verify")


def test_a_broken_chain_is_reported_line_by_line_and_exits_with_1(cli: Cli) -> None:
    lines(cli, 1, 2, 3)
    anchor = cli.says("access-log", "head").strip()
    with writing(cli.engine) as connection:
        connection.execute(sa.update(access_log).where(access_log.c.number == 2).values(actor="eve"))
    assert "Line 2 is not as it was written" in cli("access-log", "verify", code=1).stderr
    with writing(cli.engine) as connection:
        connection.execute(sa.delete(access_log))
    done = cli("access-log", "verify", "--anchor", anchor, code=1)
    assert "Lines 1 to 3 are missing." in done.stderr
    assert "There is no line 3 any more" in done.stderr


def test_the_stream_continues_where_it_ended(cli: Cli) -> None:
    lines(cli, 1, 2)
    cli.says("access-log", "head")
    first = [json.loads(line) for line in cli.says("access-log", "stream", "--state", "place").splitlines()]
    assert [(line["number"], line["detail"]) for line in first] == [(1, {"n": 1}), (2, {"n": 2})]
    lines(cli, 3)
    cli.says("access-log", "head")
    again = [json.loads(line) for line in cli.says("access-log", "stream", "--state", "place").splitlines()]
    assert [line["number"] for line in again] == [3]
    assert cli.says("access-log", "stream", "--after", "3") == ""


def test_a_log_that_begins_anew_is_not_mistaken_for_a_quiet_one(cli: Cli) -> None:
    """After a restore its numbers begin below what was printed, and a SIEM would be given nothing for long."""
    lines(cli, 1)
    cli.says("access-log", "head")
    (cli.directory / "place").write_text("2\n", "utf-8")
    assert cli.refuses("access-log", "stream", "--state", "place")[1] == "log_begins_anew"
    lines(cli, 2, 3)
    cli.says("access-log", "head")
    assert '"n":3' in cli.says("access-log", "stream", "--state", "place"), "by its number alone it is the same log"
    (cli.directory / "place").write_text(f"2:{'0' * 64}\n", "utf-8")
    assert cli.refuses("access-log", "stream", "--state", "place")[1] == "log_begins_anew", "it has grown since"
    assert cli.refuses("access-log", "stream", "--after", "99999999999999999999")[1] == "log_begins_anew"


def test_a_place_that_was_pruned_since_is_gone_on_from(cli: Cli) -> None:
    lines(cli, 1)
    cli.says("access-log", "head")
    cli.says("access-log", "stream", "--state", "place")
    lines(cli, 2, 3)
    cli.says("access-log", "head")
    with writing(cli.engine) as connection:
        log_access(connection, "cli:4", "key.create", {"n": 4}, START + timedelta(days=2))
        chain.seal(connection)
        assert chain.prune(connection, START + timedelta(days=1)) == 3
    assert json.loads(cli.says("access-log", "stream", "--state", "place"))["detail"] == {"n": 4}


def test_the_place_is_kept_page_by_page(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(cli, 1, 2, 3)
    cli.says("access-log", "head")
    kept: list[str] = []
    monkeypatch.setattr(chain, "AT_ONCE", 2)

    def echo(_line: str) -> None:
        place = cli.directory / "place"
        kept.append(place.read_text("utf-8").partition(":")[0] if place.exists() else "-")

    monkeypatch.setattr(click, "echo", echo)
    cli("access-log", "stream", "--state", "place")
    assert kept == ["-", "-", "2"]


def test_lines_that_wait_for_a_worker_are_mentioned(cli: Cli) -> None:
    lines(cli, 1)
    done = cli("access-log", "stream")
    assert (done.stdout, "1 newer line not printed" in done.stderr) == ("", True)


@pytest.mark.parametrize("anchor", ["abc", "1:", "99999999999999999999:" + "0" * 64])
def test_a_mistyped_anchor_is_not_told_as_tampering(cli: Cli, anchor: str) -> None:
    assert cli.refuses("access-log", "verify", "--anchor", anchor)[1] == "bad_anchor"


def test_a_user_without_a_name_is_logged_by_number(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as any user."""
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_uid: int) -> None:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    cli.says("keys", "create", "--name", "ana")
    assert [row.actor for row in cli.rows(access_log)] == [f"cli:uid {os.getuid()}"]


def test_a_position_file_with_other_content_is_refused_in_one_sentence(cli: Cli) -> None:
    (cli.directory / "place").write_text("the first of May\n", "utf-8")
    assert cli.refuses("access-log", "stream", "--state", "place")[1] == "bad_state"


def test_a_position_file_that_cannot_be_written_stays_unchanged(cli: Cli) -> None:
    """Or on a full disk it would be empty, and all lines would be sent again."""
    lines(cli, 1, 2)
    cli.says("access-log", "head")
    cli.says("access-log", "stream", "--state", "place")
    (cli.directory / "place.part").mkdir()
    lines(cli, 3)
    cli.says("access-log", "head")
    cli("access-log", "stream", "--state", "place", code=1)
    assert (cli.directory / "place").read_text("utf-8").startswith("2:")


def test_the_stream_prints_outside_of_a_transaction(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(cli, 1, 2, 3)
    cli.says("access-log", "head")
    begun = open_readings(monkeypatch, commands)
    printed: list[int] = []

    monkeypatch.setattr(chain, "AT_ONCE", 2)
    monkeypatch.setattr(click, "echo", lambda _line: printed.append(len(begun)))
    cli("access-log", "stream")
    assert printed == [0, 0, 0]
