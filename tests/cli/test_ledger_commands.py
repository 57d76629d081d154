"""requests: showing the life of one, and what a person may do to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import writing
from service.models import feedback_request, send_attempt, transition
from service.requests import restored
from tests.cli.installation import Cli

DONE = datetime.now(UTC)


def attempt(cli: Cli, request_id: str, outcome: str | None) -> None:
    with writing(cli.engine) as connection:
        row = {"id": f"sa_{request_id[-8:]}", "request_id": request_id, "account": "acme", "x_user_id": "501"}
        connection.execute(
            sa.insert(send_attempt).values(
                **row, kind="dm", intended_at=DONE, outcome=outcome, evidence="dm_list", x_id="77"
            )
        )


# -- list


def test_requests_are_listed_the_newest_first_and_by_filter(cli: Cli) -> None:
    first = cli.request(conversation_id="c-1", state="skipped", reason="cooldown", outcome_at=DONE)
    second = cli.request(conversation_id="c-2 [vip] :smile:", state="received", updated_at=DONE)
    said = cli.says("requests", "list")
    assert said.index(second) < said.index(first)
    assert "c-2 [vip] :smile:" in said
    for filters, expected in (
        (("--state", "skipped"), {first}),
        (("--reason", "cooldown"), {first}),
        (("--conversation", "c-2 [vip] :smile:"), {second}),
        (("--account", "acme", "--limit", "1"), {second}),
        (("--account", "acme", "--reason", "stale"), set()),
    ):
        said = cli.says("requests", "list", *filters)
        assert {each for each in (first, second) if each in said} == expected


def test_a_misspelt_filter_is_told_instead_of_finding_nothing(cli: Cli) -> None:
    old = cli.request(account="removed", state="received", reason="delay")
    sentence, code = cli.refuses("requests", "list", "--account", "acne")
    assert (code, "there is acme" in sentence) == ("unknown_account", True)
    sentence, code = cli.refuses("requests", "list", "--reason", "cool_down")
    assert (code, "ends have cooldown, sampled_out, " in sentence) == ("unknown_reason", True)
    for known in (("--account", "removed"), ("--reason", "delay")):
        assert old in cli.says("requests", "list", *known)


def test_an_id_is_never_folded_where_a_script_reads_it(cli: Cli) -> None:
    request_id = cli.request(conversation_id="c" * 60)
    assert [line for line in cli.says("requests", "list").splitlines() if request_id in line]


# -- show


def test_the_whole_life_of_a_request_is_shown(engine: Engine, tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine)
    request_id = cli.answered("c-1", 4, "my cat is called Mimi")
    attempt(cli, request_id, "sent")
    at = DONE - timedelta(minutes=5)
    with writing(engine) as connection:
        line = {"request_id": request_id, "at": at, "event": "advanced", "actor": "worker-1"}
        connection.execute(sa.insert(transition).values(**line, from_state="received", to_state="identified"))
        line["event"] = "retried"
        why = {"reason": "temporary", "detail": "503 [/b] Over capacity"}
        connection.execute(sa.insert(transition).values(**line, **why, from_state="identified", to_state="identified"))
        connection.execute(sa.update(feedback_request).values(x_handle="jane_doe", decision=DRAWS))
    said = cli.says("requests", "show", request_id)
    assert said.startswith(f"{request_id}  card_sent\n")
    for words in (
        "crm / c-1, ended ",
        "501 @jane_doe",
        "agent-1, team-1",
        "acme, care",
        "sample lot         0.210 of 0 to 1, asked: 25% are",
        "budget lot         0.900 of 0 to 1, not asked: 50% are",
        "received -> identified",
        "temporary 503 [/b] Over capacity",
        "worker-1",
        "dm   sent  dm_list 77",
        "answer: score ",
        ", text ",
        "1 update, first by webhook",
    ):
        assert words in said
    assert "Mimi" not in said, "the words are for supervisors, where reading them is logged"


DRAWS = {
    "sample": {"lot": 0.21, "share": 0.25, "drawn": True},
    "budget": {"lot": 0.9, "share": 0.5, "per_day": 100, "expected_per_day": 800, "sample": 0.25, "drawn": False},
}


def test_a_request_without_answer_or_customer_says_so(cli: Cli) -> None:
    request_id = cli.request(x_user_id=None, state="skipped", reason="no_x_identity", outcome_at=DONE, test=True)
    attempt(cli, request_id, None)
    said = cli.says("requests", "show", request_id)
    assert f"{request_id}  skipped: no_x_identity" in said
    assert "not known" in said
    assert "not chosen yet (test)" in said
    assert "in flight or unclear" in said
    assert said.endswith("no answer so far\n")


@pytest.mark.parametrize("wrong", ["fr_0", "[/red]", "[bold]", "' OR 1=1"])
@pytest.mark.parametrize("command", ["show", "retry", "cancel"])
def test_an_unknown_request_is_refused_with_its_id_as_typed(cli: Cli, command: str, wrong: str) -> None:
    sentence, code = cli.refuses("requests", command, wrong)
    assert code == "unknown_request"
    assert f"There is no request '{wrong}'" in sentence


# -- retry, cancel


def test_a_skipped_request_is_retried(cli: Cli) -> None:
    request_id = cli.request(state="skipped", reason="stale", outcome_at=DONE)
    said = cli.says("requests", "retry", request_id)
    assert (
        said == f"{request_id} continues from 'received'; `dm-feedback requests show {request_id}` shows the outcome.\n"
    )
    assert cli.rows(feedback_request)[0].state == "received"
    assert cli.audit() == [("request.retry", {"request_id": request_id, "from": "skipped"})]


def test_an_unknown_request_is_sent_again_only_after_confirmation(cli: Cli) -> None:
    request_id = cli.request(state="unknown", outcome_at=DONE)
    sentence, code = cli.refuses("requests", "retry", request_id)
    assert code == "may_be_second_message"
    assert "--i-accept-a-second-message" in sentence
    assert cli.rows(feedback_request)[0].state == "unknown"
    cli.says("requests", "retry", request_id, "--i-accept-a-second-message")
    assert cli.rows(feedback_request)[0].state == "received"


@pytest.mark.parametrize(
    ("command", "columns", "code"),
    [
        ("retry", {"state": "card_sent"}, "not_retryable"),
        ("retry", {"state": "received"}, "not_retryable"),
        ("retry", {"state": "skipped", "erased_at": DONE}, "erased"),
        ("cancel", {"state": "card_sent"}, "already_ended"),
        ("cancel", {"state": "skipped"}, "already_ended"),
    ],
)
def test_an_impossible_action_is_refused_in_a_sentence(cli: Cli, command: str, columns: dict, code: str) -> None:
    request_id = cli.request(**columns)
    before = cli.rows(feedback_request)
    assert cli.refuses("requests", command, request_id)[1] == code
    assert cli.rows(feedback_request) == before
    assert cli.audit() == []


def test_a_request_whose_call_is_under_way_is_not_cancelled(cli: Cli) -> None:
    within = datetime.now(UTC) + timedelta(minutes=5)  # as a lease lies ahead, and nine hours never do
    request_id = cli.request(state="dm_allowed", lease_until=within, lease_token="x")
    assert cli.refuses("requests", "cancel", request_id)[1] == "in_flight"
    (row,) = cli.rows(feedback_request)
    assert (row.state, row.lease_token, cli.audit()) == ("dm_allowed", "x", [])


def test_an_open_request_is_cancelled_and_stays_in_the_ledger(cli: Cli) -> None:
    request_id = cli.request(state="dm_allowed")
    assert cli.says("requests", "cancel", request_id) == f"{request_id} is cancelled.\n"
    (row,) = cli.rows(feedback_request)
    assert (row.state, row.reason) == ("skipped", "cancelled")
    assert cli.audit() == [("request.cancel", {"request_id": request_id})]


def test_what_a_restored_ledger_may_not_know_of_is_cancelled_as_unknown(cli: Cli) -> None:
    request_id = cli.request(state="dm_allowed")
    with writing(cli.engine) as connection:
        restored.begin(connection, datetime.now(UTC))
    said = cli.says("requests", "cancel", request_id)
    assert "is cancelled" in said
    assert "It ends as 'unknown'" in said
    (row,) = cli.rows(feedback_request)
    assert (row.state, row.reason) == ("unknown", "unclear_send")


def test_a_send_that_is_being_looked_up_is_not_cancelled(cli: Cli) -> None:
    request_id = cli.request(state="dm_allowed")
    attempt(cli, request_id, None)
    assert cli.refuses("requests", "cancel", request_id)[1] == "being_looked_up"
