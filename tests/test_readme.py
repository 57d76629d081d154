"""Everything the README shows works as it is written: its fifteen-line CRM, its addresses, its commands."""

import hashlib
import hmac
import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.app import create_app
from service.cli import main
from service.db import reading
from service.intake.definition.load import preset_about
from service.intake.definition.proofs import KINDS
from service.intake.presets import preset_names, preset_tables
from service.models import feedback_request
from service.settings import from_tree
from tests.support import tree

DEPLOY = Path(__file__).parents[1] / "deploy"
README = (DEPLOY.parent / "README.md").read_text("utf-8")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def shown(source: str) -> str:
    """The block of settings that shows how a source is connected."""
    return next(each for each in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if f"[sources.{source}]" in each)


HARBOR = shown("harbor")


def harbor(engine: Engine):
    settings = from_tree(
        tree(sources=tomllib.loads(HARBOR)["sources"]), {"HARBOR_SECRET": "harbor-secret-of-30-characters"}
    )
    return create_app(settings, engine, lambda: NOW).test_client()


def posted(engine: Engine, body: dict[str, object], secret: str = "harbor-secret-of-30-characters"):
    raw = json.dumps(body).encode()
    stamp = str(int(NOW.timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {"x-harbor-time": stamp, "x-harbor-signature": f"sha256={signature}", "content-type": "application/json"}
    return harbor(engine).post("/webhooks/crm/harbor", data=raw, headers=headers)


CLOSED = {
    "event": "case.closed",
    "closed_at": "2026-11-22T11:59:00Z",
    "case": {"id": "case-7", "owner": "ana", "customer": {"x_id": "2244994945"}},
}


def test_the_crm_in_fifteen_lines_works_as_printed(engine: Engine) -> None:
    assert len([line for line in HARBOR.splitlines() if line and not line.startswith("[")]) <= 15
    assert posted(engine, CLOSED).get_json()["accepted"] == 1
    assert posted(engine, CLOSED).get_json()["duplicate"] == 1
    assert posted(engine, {**CLOSED, "event": "case.noted"}).get_json()["ignored"] == 1
    assert posted(engine, CLOSED, "another-secret-of-30-characters!").status_code == 401
    with reading(engine) as connection:
        row = connection.execute(sa.select(feedback_request)).one()
    assert (row.source, row.conversation_id, row.x_user_id, row.agent_id) == ("harbor", "case-7", "2244994945", "ana")


def test_the_settings_to_try_it_with_are_complete(sqlite_engine: Engine) -> None:
    assert "cp deploy/try.toml . &&" in README
    settings = from_tree(tomllib.loads((DEPLOY / "try.toml").read_text("utf-8")), {})
    client = create_app(settings, sqlite_engine, lambda: NOW).test_client()
    delivery = re.search(r"-d '(\{.*?\})'", README)
    assert delivery is not None
    body = re.sub(r"'\$\(date.*?\)'", f"{NOW:%FT%TZ}", delivery[1])
    headers = {"Authorization": "Bearer a-token-of-22-characters", "Content-Type": "application/json"}
    answer = client.post("/webhooks/crm/crm", data=body, headers=headers)
    assert answer.get_json() == {"accepted": 1, "duplicate": 0, "ignored": 0, "unmappable": 0}, answer.get_json()


def test_zendesk_is_connected_as_its_preset_says() -> None:
    source = tomllib.loads(shown("zendesk"))["sources"]["zendesk"]
    assert source["api"] == tomllib.loads(preset_about(source["preset"]).api)


def test_it_names_every_way_to_prove_a_delivery_and_counts_the_crms_that_name_their_staff() -> None:
    assert [kind for kind in KINDS if f"`{kind}`" not in README] == []
    asked = {name.partition("_")[0] for name in preset_names() if "staff" in preset_tables(name)}
    assert len(asked) == 7, "README.md says seven"
    assert "seven CRMs'" in README


def test_every_address_it_names_exists(sqlite_engine: Engine) -> None:
    rules = [re.sub(r"<[^>]*>", "X", str(rule)) for rule in harbor(sqlite_engine).application.url_map.iter_rules()]
    named = set(re.findall(r"\$F(/v1/[a-z./-]+)", README)) | {
        "/docs",
        "/openapi.yaml",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path in named - {"/v1/requests/"}:
        assert path.rstrip("/") in rules, path


def exists(words: list[str]) -> bool:
    """A command that is no group takes what follows it; a group must know the next word."""
    command: click.Command | None = main
    while words and isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words[0])
        words = words[1:]
    return command is not None


BOTH = README + (DEPLOY / "README.md").read_text("utf-8")
CODE = "\n".join(re.findall(r"```bash\n(.*?)```", BOTH, re.DOTALL) + re.findall(r"`([^`\n]+)`", BOTH))


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?<!-n )dm-feedback ((?:[a-z-]+ ?){1,2})", CODE))))
def test_every_command_it_names_exists(line: str) -> None:
    assert exists(line.split()), line


def test_an_unknown_command_would_be_found() -> None:
    assert not exists(["keys", "forge"])
    assert not exists(["forge"])
    assert exists(["prune", "--dry-run"])
