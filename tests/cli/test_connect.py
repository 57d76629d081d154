"""`accounts connect`: a person signs an account in on a terminal, over real HTTP to the sandbox."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import httpx
import pytest
from sqlalchemy.engine import Engine

from service.accounts import holds, moving, standing
from service.accounts.holds import Hold
from service.cli import connect as connecting
from service.cli.common import now
from service.db import reading, writing
from service.models import x_token
from service.sandbox import SandboxConfig, SandboxServer, demo_account
from service.settings import load
from tests.cli.installation import Cli

TEXTS = {"en": {"opening": "Thanks.", "card": "How did we do?", "page": "Answer here: {page}"}}


@pytest.fixture
def x() -> Iterator[SandboxServer]:
    account = replace(demo_account(), client_id="app-1", client_secret="app-secret")
    with SandboxServer(SandboxConfig(accounts=(account,))) as server:
        yield server


@pytest.fixture
def cli(engine: Engine, x: SandboxServer, tmp_path: Path) -> Cli:
    changes = {
        "accounts__acme__base_url": x.url, "accounts__acme__api": "v2", "accounts__acme__client_id": "app-1",
        "accounts__acme__client_secret": "app-secret", "accounts__acme__sign_in_url": f"{x.url}/i/oauth2/authorize",
        "campaigns__care__ways": ["page"], "campaigns__care__texts": TEXTS,
    }  # fmt: skip
    return Cli(tmp_path, engine, changes)


def browse(monkeypatch: pytest.MonkeyPatch, change: tuple[str, str] = ("", "")) -> None:
    """The person's part: open the printed address, and paste where the browser ended."""
    shown: list[str] = []
    show = connecting.console.print
    monkeypatch.setattr(connecting.console, "print", lambda text, **kw: (shown.append(str(text)), show(text, **kw)))

    def paste(_asked: str, **_: object) -> str:
        return httpx.get(shown[0]).headers["Location"].replace(*change)

    monkeypatch.setattr(click, "prompt", paste)


def test_an_account_is_connected_and_goes_on(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(cli.config, {})
    with writing(engine) as connection:
        standing.enrol(connection, settings.accounts, now())
        holds.hold(connection, "acme", Hold(None, "sign_in_lost"), now())
    browse(monkeypatch)
    assert "acme is connected as 1212121212121 and continues" in cli.says("accounts", "connect", "acme")
    assert len(cli.rows(x_token)) == 1
    with reading(engine) as connection:
        assert standing.standings(connection)[0].hold_reason is None


def test_a_hold_that_is_not_about_the_sign_in_stays(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person has said about an account, a person takes back."""
    cli("accounts", "hold", "acme", "--reason", "legal")
    browse(monkeypatch)
    assert "it stays on hold (legal): `dm-feedback accounts release acme`" in cli.says("accounts", "connect", "acme")
    assert len(cli.rows(x_token)) == 1
    with reading(engine) as connection:
        assert standing.standings(connection)[0].hold_reason == "legal"


def test_an_account_of_another_database_is_not_said_to_continue(
    cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as connection:
        moving.say(connection, ["acme"], moving.GONE, now())
    browse(monkeypatch)
    assert "it belongs to another database" in cli.says("accounts", "connect", "acme")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("state=", "state=x"), "not_this_sign_in"),
        (("code=", "code=x"), "not_connected"),
        (("code=", "no="), "no_consent"),
    ],
)
def test_a_wrong_address_connects_nobody(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], says: str
) -> None:
    browse(monkeypatch, change)
    assert f"({says})" in cli("accounts", "connect", "acme", code=1).stderr
    assert cli.rows(x_token) == []


def test_whose_sign_in_is_another_account_keeps_the_tokens_it_has(
    cli: Cli, engine: Engine, x: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers take what is stored with their next call: they would write to customers as somebody else."""
    browse(monkeypatch)
    cli("accounts", "connect", "acme")
    tokens = cli.rows(x_token)
    of_another = Cli(tmp_path, engine, {**cli.changes, "accounts__acme__user_id": "3434"})
    browse(monkeypatch)
    assert "(another_account)" in of_another("accounts", "connect", "acme", code=1).stderr
    assert cli.rows(x_token) == tokens


def test_an_account_with_keys_needs_no_sign_in(engine: Engine, tmp_path: Path) -> None:
    assert Cli(tmp_path, engine, {}).refuses("accounts", "connect", "acme")[1] == "signs_with_keys"
