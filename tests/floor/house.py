"""The whole application over a test client, on a clock that a test moves, and keys to call it with."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import reading, writing
from service.models import access_log
from service.settings import Settings
from tests.support import Clock, settings_of


@dataclass
class House:
    engine: Engine
    settings: Settings = field(default_factory=settings_of)
    clock: Clock = field(default_factory=Clock)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = create_app(self.settings, self.engine, self.clock).test_client()

    def key(self, role: str = "admin", *accounts: str, name: str = "ada") -> str:
        with writing(self.engine) as connection:
            return keys.create(connection, name, role, accounts, self.clock.now)

    def call(self, method: str, path: str, key: str | None = None, json: Any = None, **more: Any) -> Any:
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, json=json, **more)

    def refused(self, status: int, method: str, path: str, key: str | None = None, json: Any = None) -> str:
        """The code of a refusal."""
        answer = self.call(method, path, key, json)
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert answer.content_type == "application/problem+json"
        problem = answer.get_json()
        assert problem["detail"].endswith(".")
        return str(problem["code"])

    def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        with reading(self.engine) as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key)))

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(row.actor, row.action, row.detail) for row in self.rows(access_log)]
