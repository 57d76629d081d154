"""`campaigns try`: the whole sequence to one's own account over real HTTP, counted in no figure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import writing
from service.models import feedback_request
from service.outreach import rehearsal
from service.outreach.context import Workplace
from service.sandbox import Assumptions, SandboxConfig, SandboxServer, demo_account
from service.settings import load
from tests.cli.installation import Cli

TEXTS = {"en": {"opening": "Thanks.", "card": "How did we do?", "page": "Answer here: {page}"}}


@pytest.fixture
def x() -> Iterator[SandboxServer]:
    config = SandboxConfig(assumptions=Assumptions(pair_scope="off"))
    with SandboxServer(config) as server:
        people = {"customers": [{"user_id": "501", "screen_name": "ada"}, {"user_id": "502", "can_dm": False}]}
        httpx.post(f"{server.url}/_control/customers", json=people).raise_for_status()
        yield server


def cli_of(engine: Engine, x: SandboxServer, tmp_path: Path, **changes: Any) -> Cli:
    ours = demo_account()
    keys = {
        f"accounts__acme__{name}": getattr(ours, name)
        for name in ("user_id", "consumer_key", "consumer_secret", "token", "token_secret")
    }
    texts = {"campaigns__care__texts": TEXTS, "accounts__acme__base_url": x.url}
    return Cli(tmp_path, engine, {**keys, **texts, **changes})


def messages(x: SandboxServer) -> list[str]:
    return [each["text"] for each in httpx.get(f"{x.url}/_control/truth").json()["messages"]]


def test_the_sequence_is_sent_to_oneself_and_each_answer_shown(
    engine: Engine, x: SandboxServer, tmp_path: Path
) -> None:
    cli = cli_of(engine, x, tmp_path)
    said = cli.says("campaigns", "try", "care", "--to", "@ada")
    steps = [line.split()[0] for line in said.splitlines()[:3]]
    assert steps == ["show_user", "send_dm", "create_feedback"]
    assert "card_sent, asked by card" in said
    assert messages(x) == ["Thanks.", "How did we do?"]
    [row] = cli.rows(feedback_request)
    assert (row.test, row.x_user_id, row.state) == (True, "501", "card_sent")
    assert "card_sent" in cli.says("campaigns", "try", "care", "--to", "ada"), "twice a day is meant"
    assert cli.audit()[0] == ("campaign.try", {"campaign": "care", "request_id": row.id})


def test_what_became_of_it_is_shown_while_a_worker_writes_it(engine: Engine, tmp_path: Path) -> None:
    cli = Cli(tmp_path, engine)
    request_id = cli.request()
    place = Workplace.open(engine, load(cli.config), "test")
    with writing(engine) as connection:
        connection.execute(sa.update(feedback_request).values(attempts=7))
        assert rehearsal.now_stands(place, request_id).attempts == 0


def test_a_refused_way_is_shown_and_the_next_one_tried(engine: Engine, x: SandboxServer, tmp_path: Path) -> None:
    httpx.put(f"{x.url}/_control/assumptions", json={"feedback_privilege": False}).raise_for_status()
    cli = cli_of(engine, x, tmp_path, campaigns__care__ways=["card", "page"])
    first, *_ = [
        line for line in cli.says("campaigns", "try", "care", "--to", "@ada").splitlines() if "refused" in line
    ]
    assert "token_not_allowed" in first
    assert len(messages(x)) == 2
    assert messages(x)[1].startswith("Answer here: http")


def test_a_handle_may_begin_with_a_digit(engine: Engine, x: SandboxServer, tmp_path: Path) -> None:
    """As @1Password's does."""
    assert (
        "no_x_identity" in cli_of(engine, x, tmp_path)("campaigns", "try", "care", "--to", "@1Password", code=1).stdout
    )


def test_the_reason_it_stops_is_shown(engine: Engine, x: SandboxServer, tmp_path: Path) -> None:
    cli = cli_of(engine, x, tmp_path)
    done = cli("campaigns", "try", "care", "--to", "@nobody_at_x", code=1)
    assert "no_x_identity" in done.stdout
    assert messages(x) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [(("nope", "--to", "@a"), "no_such_campaign"), (("care", "--to", "a b"), "not_a_handle"),
     (("care", "--to", "@ümlaut"), "not_a_handle"), (("care", "--to", "@a", "--account", "nope"), "unknown_account")],
)  # fmt: skip
def test_an_untriable_campaign_is_refused(
    sqlite_engine: Engine, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    assert Cli(tmp_path, sqlite_engine, {}).refuses("campaigns", "try", *words)[1] == code
