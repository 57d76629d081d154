"""keys, accounts, opt-out, erase, prune: who may read, who may send, who must not be asked."""

import json
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from service.accounts import holds, standing, task_leases
from service.accounts.holds import Hold
from service.auth import keys
from service.cli import main
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.models import (
    account_state,
    api_key,
    feedback_request,
    opt_out,
    poll_window,
    refresh,
    result,
    result_update,
    webhook_delivery,
)
from service.settings import load
from tests import support
from tests.cli.installation import Cli
from tests.support import request_row

# -- keys


def test_a_key_is_printed_alone_so_that_a_script_can_take_it(engine: Engine, tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine)
    done = cli("keys", "create", "--name", "ada", "--role", "analyst", "--account", "acme")
    key = done.stdout.rstrip("\n")
    assert "cannot be shown again" in done.stderr
    with reading(engine) as connection:
        reader = keys.find(connection, key, datetime.now(UTC))
    assert (reader.name, reader.role, reader.accounts) == ("ada", "analyst", ("acme",))
    bounds = {"accounts": ["acme"], "routes": [], "networks": [], "expires_at": None, "key": reader.key_id}
    assert cli.audit() == [("key.create", {"name": "ada", "role": "analyst", **bounds})]


def test_a_key_is_bound_and_rotated_with_an_overlap(cli: Cli) -> None:
    bounds = ("--route", "/v1/summary", "--network", "10.0.0.0/8", "--expires", "90d")
    old = cli.says("keys", "create", "--name", "board", "--role", "analyst", *bounds).strip()
    old_id = old.removeprefix("dmf_").partition(".")[0]
    new = cli.says("keys", "rotate", old_id, "--overlap", "2h").strip()
    assert new != old
    said = cli.says("keys", "list")
    assert said.count("/v1/summary, 10.0.0.0/8") == 2
    assert said.count("never") == 2, "neither was used yet"
    ends = {line.id: line.bounds.expires_at for line in listed(cli)}
    assert ends[old_id] - datetime.now(UTC) < timedelta(hours=2)
    assert max(ends.values()) - datetime.now(UTC) > timedelta(days=89)
    assert [action for action, _ in cli.audit()] == ["key.create", "key.rotate"]
    assert old.partition(".")[2] not in str(cli.audit())
    assert cli.refuses("keys", "rotate", "0" * 12)[1] == "unknown_key"
    assert "such as '90s'" in cli("keys", "rotate", old_id, "--overlap", "soon", code=2).stderr


@pytest.mark.parametrize("route", ["/v1/sumary", "/v1/summary/", "/summary", "/v1/results/fr_1/everything", "/v2"])
def test_a_key_for_a_path_that_leads_nowhere_is_refused(cli: Cli, route: str) -> None:
    sentence, code = cli.refuses("keys", "create", "--name", "board", "--route", "/v1/summary", "--route", route)
    assert code == "bad_route"
    assert sentence.startswith(f"There is no path '{route}'; there are ")
    assert "/v1/summary, " in sentence
    assert not listed(cli)


def test_a_key_may_be_for_a_path_for_all_below_it_and_for_one_thing_below(cli: Cli) -> None:
    there = (
        "/v1",
        "/v1/results",
        "/v1/results.csv",
        "/v1/results/fr_1",
        "/v1/conversations/crm",
        "/metrics",
        "/dashboard",
    )
    cli.says("keys", "create", "--name", "board", *(word for each in there for word in ("--route", each)))
    assert listed(cli)[0].bounds.routes == there


def listed(cli: Cli) -> list[keys.KeyLine]:
    with reading(cli.engine) as connection:
        return keys.listed(connection)


@pytest.mark.parametrize(
    "given", [("until=2026-11-15", "until=2026-11-29"), ("by=team",)], ids=["given twice", "an option too"]
)
def test_a_feed_drops_nothing_that_was_said_twice(cli: Cli, given: tuple[str, ...]) -> None:
    filters = [word for each in given for word in ("--filter", each)]
    words = ("feeds", "create", "--name", "board", "--figure", "breakdown", "--by", "agent", *filters)
    assert cli.refuses(*words)[1] == "invalid_parameter"


def test_keys_are_listed_without_their_secrets_and_revoked_at_once(cli: Cli) -> None:
    key = cli.says("keys", "create", "--name", "ada [night shift]").strip()
    key_id, _, secret = key.removeprefix("dmf_").partition(".")
    listed = cli.says("keys", "list")
    assert key_id in listed
    assert "ada [night shift]" in listed
    assert "supervisor" in listed
    assert "all" in listed
    assert secret not in listed
    assert cli.says("keys", "revoke", key_id) == f"The key {key_id} is no longer valid.\n"
    (row,) = cli.rows(api_key)
    assert row.revoked_at is not None
    assert cli.refuses("keys", "revoke", key_id)[1] == "unknown_key"
    assert [action for action, _ in cli.audit()] == ["key.create", "key.revoke"]


def test_a_key_pasted_whole_is_logged_by_its_id_only(cli: Cli) -> None:
    key = cli.says("keys", "create", "--name", "ada").strip()
    key_id, _, secret = key.removeprefix("dmf_").partition(".")
    other = cli.says("keys", "rotate", key, "--overlap", "2h").strip()
    assert cli.says("keys", "revoke", key) == f"The key {key_id} is no longer valid.\n"
    assert secret not in cli("keys", "revoke", key, code=1).stderr
    assert cli.says("keys", "revoke", other.partition(".")[0].removeprefix("dmf_"))
    assert secret not in str(cli.audit())
    assert [detail["key"] for _, detail in cli.audit()[:3]] == [key_id] * 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--name", "ada", "--account", "acne"), "unknown_account"),
        (("--name", ""), "bad_name"),
        (("--name", "x" * 65), "bad_name"),
    ],
)
def test_a_key_that_would_open_nothing_is_not_made(cli: Cli, arguments: tuple[str, ...], code: str) -> None:
    assert cli.refuses("keys", "create", *arguments)[1] == code
    assert cli.rows(api_key) == []


def test_a_key_may_be_revoked_by_its_public_part_as_a_whole(cli: Cli) -> None:
    key = cli.says("keys", "create", "--name", "ada").strip()
    cli.says("keys", "revoke", key)
    assert cli.rows(api_key)[0].revoked_at is not None


# -- accounts


def test_an_account_is_held_shown_and_released(cli: Cli) -> None:
    assert "free" in cli.says("accounts", "list")
    assert "`dm-feedback accounts release acme`" in cli.says(
        "accounts", "hold", "acme", "--reason", "[press]" + "x" * 80
    )
    shown = cli.says("accounts", "list")
    assert "held: [press]xxx" in shown
    assert "0 of 1000" in shown
    assert cli.refuses("accounts", "hold", "acme", "--reason", "another")[1] == "already_held"
    assert cli.says("accounts", "release", "acme") == "acme continues.\n"
    assert "free" in cli.says("accounts", "list")
    assert cli.refuses("accounts", "release", "acme") == (
        "The account 'acme' is neither on hold nor paused, and no way of asking is blocked.",
        "not_held",
    )
    assert [action for action, _ in cli.audit()] == ["account.hold", "account.release"]


def test_the_hold_shows_what_x_said(cli: Cli) -> None:
    now = datetime.now(UTC)
    with writing(cli.engine) as connection:
        standing.enrol(connection, ["acme"], now)
        holds.hold(connection, "acme", Hold(326, "account_locked"), now)
    assert "held: account_locked (X code 326)" in cli.says("accounts", "list")
    with writing(cli.engine) as connection:
        holds.release(connection, "acme", now)
        holds.pause(connection, "acme", now + timedelta(minutes=9), now)
    assert "paused" in cli.says("accounts", "list")
    cli.says("accounts", "release", "acme")
    assert cli.rows(account_state)[0].paused_until is None
    with writing(cli.engine) as connection:  # by a clock that has been set back since
        holds.pause(connection, "acme", now + timedelta(days=3), now)
    cli.says("accounts", "release", "acme")
    assert cli.rows(account_state)[0].paused_until is None


def test_the_list_says_how_answers_reach_us_and_what_deserves_a_look(cli: Cli) -> None:
    cli.write(accounts__acme__webhook_user="", accounts__acme__webhook_password="")
    assert "none" in cli.says("accounts", "list"), "this account has no webhook"
    now = datetime.now(UTC)
    with writing(cli.engine) as connection:
        row = request_row(now, state="card_sent")
        connection.execute(sa.insert(feedback_request).values(row))
        debt = {"account": "acme", "feedback_id": "9", "due_at": now - timedelta(hours=2), "checks": 0}
        connection.execute(sa.insert(refresh).values(request_id=row["id"], **debt))
        window = {"account": "acme", "from_time": now - timedelta(days=4), "to_time": now - timedelta(days=3)}
        connection.execute(sa.insert(poll_window).values(**window, pages=1, events=9, found_missing=0, unreadable=3))
        for key in ("1", "2"):
            update = {"feedback_id": "9", "request_id": row["id"], "digest": key, "score": 4, "x_updated_at": now}
            connection.execute(
                sa.insert(result_update).values(**update, channel="show", seen_at=now, verdict="applied")
            )
    cli.write()
    shown = " ".join(cli.says("accounts", "list").split())
    for words in ("never 2", "1 cards due since", "reading of X's events is behind", "3 unreadable events"):
        assert words in shown
    with writing(cli.engine) as connection:
        task_leases.set_moment(connection, "acme", "webhook", now)
    assert f"{now:%Y-%m-%d}" in cli.says("accounts", "list")


@pytest.mark.parametrize("command", ["hold", "release"])
def test_an_unknown_account_is_reported(cli: Cli, command: str) -> None:
    assert cli.refuses("accounts", command, "acne") == (
        "There is no account 'acne' in the settings; there is acme.",
        "unknown_account",
    )


# -- opt-out


def is_on_it(cli: Cli, x_user_id: str, account: str = "acme") -> bool:
    hash_key = open_key(cli.engine, load(cli.config, {}).service.secret_key)
    with reading(cli.engine) as connection:
        return support.is_opted_out(connection, x_user_id, hash_key=hash_key, account=account)


def test_a_changed_secret_is_refused_until_it_is_rotated_and_nobody_is_forgotten(cli: Cli) -> None:
    old, new = load(cli.config, {}).service.secret_key, "another-secret-of-another-day-0002"
    cli.says("opt-out", "add", "501")
    cli.write(service={"secret_key": new})
    sentence, code = cli.refuses("opt-out", "count")
    assert code == "secret_key_changed"
    assert "keys rotate-secret" in sentence
    assert (
        cli.refuses("keys", "rotate-secret", "--old-secret", "not-the-old-one-at-all-0001")[1] == "not_the_old_secret"
    )
    assert "restart" in cli.says("keys", "rotate-secret", "--old-secret", old)
    assert is_on_it(cli, "501")
    assert cli.refuses("keys", "rotate-secret", "--old-secret", old)[1] == "secret_in_use"


def test_people_are_put_on_the_list_counted_and_taken_off(engine: Engine, tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine)
    assert cli.says("opt-out", "add", "501", "502", "501", "--reason", "r" * 100) == (
        "2 added, 0 were on the list before.\n"
    )
    assert cli.says("opt-out", "count") == "2 entries\n"
    assert cli.says("opt-out", "add", "503", "--account", "acme") == "1 added, 0 were on the list before.\n"
    assert cli.says("opt-out", "count") == "3 entries\n"
    assert is_on_it(cli, "501")
    assert is_on_it(cli, "503")
    assert not is_on_it(cli, "503", "other")
    assert cli.says("opt-out", "remove", "501") == "Taken off the list.\n"
    assert not is_on_it(cli, "501")
    assert cli.refuses("opt-out", "remove", "501")[1] == "not_opted_out"
    assert cli.refuses("opt-out", "add", "501", "--reason", "erased")[1] == "reason_of_an_erasure"
    assert not is_on_it(cli, "501")
    assert not any(value == "501" for row in cli.rows(opt_out) for value in row)
    assert [action for action, _ in cli.audit()] == ["opt_out.add", "opt_out.add", "opt_out.remove"]


def test_a_file_is_imported_with_empty_lines_a_byte_order_mark_and_twice(cli: Cli) -> None:
    file = cli.directory / "list.txt"
    file.write_text("\ufeff501\r\n\r\n  502  \n" + "\n".join(str(600 + each) for each in range(1100)), "utf-8")
    assert cli.says("opt-out", "import", str(file)) == "1102 added, 0 were on the list before.\n"
    assert cli.says("opt-out", "import", str(file)) == "0 added, 1102 were on the list before.\n"
    assert is_on_it(cli, "501")
    assert is_on_it(cli, "1699")
    assert [detail["added"] for _, detail in cli.audit()] == [1000, 102, 0, 0]


def test_an_import_that_dies_between_two_batches_leaves_nobody_unaudited(cli: Cli) -> None:
    file = cli.directory / "list.txt"
    file.write_text("\n".join(str(600 + each) for each in range(1100)), "utf-8")
    dies = "CREATE TRIGGER dies BEFORE INSERT ON access_log WHEN (SELECT count(*) FROM access_log) = 1"
    with writing(cli.engine) as connection:
        connection.exec_driver_sql(f"{dies} BEGIN SELECT RAISE(ABORT, 'died'); END")
    with chdir(cli.directory):
        assert isinstance(CliRunner().invoke(main, ["opt-out", "import", str(file)]).exception, IntegrityError)
    assert [detail["added"] for _, detail in cli.audit()] == [1000]
    assert len(cli.rows(opt_out)) == 1000


@pytest.mark.parametrize(
    "bad", [b"@jane", b"12345678901234567890", b"5 01", b"0501", b"0", b"50\xff1", "٣".encode(), b"501;jane"]
)
def test_a_file_with_a_bad_line_is_refused_as_a_whole(cli: Cli, bad: bytes) -> None:
    file = cli.directory / "list.txt"
    file.write_bytes(b"501\n" + bad + b"\n502\n")
    sentence, code = cli.refuses("opt-out", "import", str(file))
    assert code == "not_an_x_user_id"
    assert sentence.startswith("1 of 3 given are not X user ids (1 to 19 digits, no leading zero), the first is '")
    assert cli.rows(opt_out) == []


def test_an_opt_out_for_an_unknown_account_is_refused(cli: Cli) -> None:
    assert cli.refuses("opt-out", "add", "501", "--account", "acne")[1] == "unknown_account"
    assert cli.rows(opt_out) == []


# -- erase


def test_erasing_asks_first_and_does_nothing_without_a_yes(cli: Cli) -> None:
    cli.request(x_user_id="501")
    done = cli("erase", "501", input="n\n", code=1)
    assert "This deletes the person's identity and texts permanently" in done.output
    assert cli.rows(feedback_request)[0].x_user_id == "501"


def test_erasing_shows_what_went(cli: Cli) -> None:
    request_id = cli.answered("c-1", 4, "my cat is called Mimi")
    said = cli.says("erase", "501", "--yes")
    assert [line.split() for line in said.splitlines() if line.split()[0] in {"results", "requests"}] == [
        ["results", "1"],
        ["requests", "1"],
    ]
    (row,) = cli.rows(result)
    assert (row.request_id, row.score, row.text) == (request_id, 4, None)
    assert cli.rows(feedback_request)[0].x_user_id is None
    assert is_on_it(cli, "501")
    assert cli.audit()[-1][0] == "customer.erase"


@pytest.mark.parametrize("wrong", ["@jane", "1" * 20, "٣", "5 01", "0501"])
def test_erasing_takes_an_x_user_id(cli: Cli, wrong: str) -> None:
    assert cli.refuses("erase", wrong, "--yes")[1] == "not_an_x_user_id"
    assert cli.rows(opt_out) == []


# -- customers


def test_all_we_hold_of_a_customer_is_one_json(cli: Cli) -> None:
    request_id = cli.answered("c-1", 4, "my cat is called Mimi")
    said = json.loads(cli.says("customers", "export", "501"))
    assert said["x_user_id"] == "501"
    assert [row["id"] for row in said["held"]["feedback_request"]] == [request_id]
    assert said["held"]["result"][0]["text"] == "my cat is called Mimi"
    action, detail = cli.audit()[-1]
    assert (action, detail["result"]) == ("customer.export", 1)


def test_a_customers_file_is_new_and_private(cli: Cli) -> None:
    cli.answered("c-1", 4)
    out = cli.directory / "501.json"
    assert cli.says("customers", "export", "501", "--out", str(out)).endswith("501.json\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert json.loads(out.read_text("utf-8"))["held"]["result"][0]["score"] == 4
    assert cli.refuses("customers", "export", "501", "--out", str(out))[1] == "file_exists"
    assert cli.says("customers", "export", "501", "--out", str(cli.directory / "again.json"))


def test_an_export_that_fails_leaves_no_file_in_the_way_of_the_next(cli: Cli) -> None:
    out = cli.directory / "501.json"
    with writing(cli.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_request RENAME TO away")
    cli("customers", "export", "501", "--out", str(out), code=1)
    assert not out.exists()


def test_showing_a_customer_takes_an_x_user_id(cli: Cli) -> None:
    assert cli.refuses("customers", "export", "@jane")[1] == "not_an_x_user_id"


# -- prune


def test_a_dry_run_of_prune_says_what_would_go_and_the_run_says_the_same(cli: Cli) -> None:
    at = datetime.now(UTC) - timedelta(days=40)
    with writing(cli.engine) as connection:
        old = {"id": "whd_1", "source": "crm", "dedupe_key": "k", "received_at": at, "content_type": "", "headers": {}}
        connection.execute(sa.insert(webhook_delivery).values(**old, query={}, body=b"{}"))
    dry = cli.says("prune", "--dry-run")
    assert "would be deleted" in dry
    assert cli.rows(webhook_delivery)[0].body == b"{}"
    wet = cli.says("prune")
    assert [line.split() for line in wet.splitlines()[1:]] == [line.split() for line in dry.splitlines()[1:]]
    assert ["deliveries", "1"] in [line.split() for line in wet.splitlines()]
    assert cli.rows(webhook_delivery)[0].body is None
