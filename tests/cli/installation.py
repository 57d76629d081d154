"""One installation on disk, and commands run in it."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import Connection, Engine

from service.cli import main
from service.db import reading, writing
from service.models import access_log, feedback_request, result
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.settings import load
from tests.processes.site import toml
from tests.support import request_row, tree


def open_readings(monkeypatch: pytest.MonkeyPatch, commands: ModuleType) -> list[Engine]:
    """Return the read transactions a module of commands has open, whenever asked."""
    held: list[Engine] = []

    @contextmanager
    def noted(engine: Engine) -> Iterator[Connection]:
        held.append(engine)
        with reading(engine) as connection:
            yield connection
        held.pop()

    monkeypatch.setattr(commands, "reading", noted)
    return held


@dataclass
class Cli:
    directory: Path
    engine: Engine
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write()

    @property
    def config(self) -> Path:
        return self.directory / "dm-feedback.toml"

    def write(self, **changes: Any) -> None:
        """Write the settings file, with `changes` as in tests.support.tree."""
        url = self.engine.url.render_as_string(hide_password=False)
        text = "\n".join(toml(tree(**{"database__url": url, **self.changes, **changes})))
        self.config.write_text(f"{text}\n", "utf-8")
        self.config.chmod(0o600)

    def __call__(self, *arguments: str, code: int = 0, input: str | None = None) -> Result:
        with chdir(self.directory):
            done = CliRunner().invoke(main, list(arguments), input=input)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output
        return done

    def says(self, *arguments: str, input: str | None = None) -> str:
        """The output of a successful command."""
        return self(*arguments, input=input).stdout

    def refuses(self, *arguments: str) -> tuple[str, str]:
        """The sentence and the code of a refusal: one line on standard error."""
        done = self(*arguments, code=1)
        (line,) = done.stderr.strip().splitlines()
        sentence, _, code = line.rpartition("  (")
        assert sentence.endswith(".")
        return sentence, code.rstrip(")")

    def request(self, **columns: Any) -> str:
        row = request_row(datetime.now(UTC) - timedelta(hours=1), **columns)
        with writing(self.engine) as connection:
            connection.execute(sa.insert(feedback_request).values(row))
        return str(row["id"])

    def answered(self, conversation_id: str, score: int, text: str | None = None) -> str:
        """A request whose card was sent and answered."""
        at = datetime.now(UTC) - timedelta(days=2)
        number = str(abs(hash(conversation_id)))[:15]
        request_id = self.request(
            conversation_id=conversation_id, state="card_sent", feedback_id=number, card_sent_at=at, outcome_at=at,
            ended_at=at, campaign="care", type="csat", question_variant_id=1,
        )  # fmt: skip
        said = {"request_id": request_id, "feedback_id": number, "score": score, "text": text}
        times = dict.fromkeys(("score_at", "x_updated_at", "first_seen_at", "updated_at"), at)
        with writing(self.engine) as connection:
            row = {**said, **times, "text_at": at if text else None, "first_channel": "webhook"}
            connection.execute(sa.insert(result).values(**row, update_count=1, anomalies=0))
        return request_id

    def tell(self) -> None:
        """Do what the worker does each second: number changes and name people."""
        now, settings = datetime.now(UTC), load(self.config)
        while seal(self.engine, settings, now) or naming.follow(self.engine, settings, now):
            pass

    def rows(self, table: sa.Table) -> list[Any]:
        with reading(self.engine) as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key)))

    def audit(self) -> list[tuple[str, dict[str, Any]]]:
        assert {row.actor.partition(":")[0] for row in self.rows(access_log)} <= {"cli"}
        return [(row.action, row.detail) for row in self.rows(access_log)]
