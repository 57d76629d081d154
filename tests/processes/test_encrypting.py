"""Web and worker go on while everything is encrypted, re-keyed and decrypted, and the worker dies in each."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.keyring import Keyring
from service.db import reading, writing
from service.encrypting.in_force import WalkProgress, progress
from service.models import feedback_request, process_count, webhook_delivery
from tests.processes import deliveries
from tests.processes.children import Child, cli, run_cli, until
from tests.processes.site import Site
from tests.processes.x import X

A, B = "the first key, that nobody guesses", "the second key, nobody guesses it"
HEAP = 1500
MOST = 60  # conversations: a slow machine has to ask about all of them
WITHIN_S = 120


def heap(engine: Engine) -> None:
    """Rows of before, so that going over takes a while."""
    row: dict[str, Any] = {"source": "crm", "content_type": "application/json", "query": {}, "key_index": 0}
    row["received_at"] = datetime.now(UTC)
    with writing(engine) as connection:
        rows = [
            {**row, "id": f"whd_{n}", "dedupe_key": str(n), "headers": {"n": n}, "body": b'{"said": "arsenic"}'}
            for n in range(HEAP)
        ]
        connection.execute(sa.insert(webhook_delivery), rows)


def found(engine: Engine) -> WalkProgress:
    with reading(engine) as connection:
        there = progress(connection)
    assert there is not None
    return there


def bodies(engine: Engine, like: bytes) -> int:
    """How many raw deliveries begin so, as they lie there."""
    plain = sa.type_coerce(webhook_delivery.c.body, sa.LargeBinary)
    so = sa.type_coerce(sa.func.substr(plain, 1, len(like)), sa.LargeBinary) == like
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(webhook_delivery).where(so)) or 0


def forget_the_dead(engine: Engine) -> None:
    """Whoever was killed is waited for until it is taken for dead; the test does not."""
    with writing(engine) as connection:
        connection.execute(sa.delete(process_count).where(process_count.c.role == "worker"))


def worker_of(site: Site) -> Child:
    return cli("worker", site.directory, "--config", str(site.config), "worker")


def says(site: Site, *words: str) -> str:
    done = run_cli("--config", str(site.config), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_a_worker_that_dies_in_the_middle_of_each_costs_nothing(
    site_of: Callable[..., Site], database_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(database_url, privacy__encryption_key=[A, B])
    site_b = site_of(database_url, site.directory / "b", privacy__encryption_key=[B, A])
    engine, (head_a, head_b) = engine_of(site), (f"dmf1.{Keyring((key,)).first}.".encode() for key in (A, B))
    heap(engine)
    web = cli("web", site.directory, "--config", str(site.config), "web")
    with web:
        with deliveries.telling(site, MOST) as accepted:
            until(lambda: accepted, WITHIN_S, "the CRM is heard")
            for of, words, head in ((site, "encrypt", head_a), (site_b, "encrypt", head_b), (site, "decrypt", b"{")):
                with worker_of(site) as worker:
                    says(of, "privacy", words)
                    until(lambda: found(engine).rewritten > 0, WITHIN_S, f"{words} has begun")
                    worker.kill()
                forget_the_dead(engine)
                midway, so_far = found(engine), len(accepted)
                assert midway.finished_at is None
                with worker_of(site):
                    until(lambda: bodies(engine, head) >= HEAP + so_far, WITHIN_S, f"{words} has reached all of before")  # noqa: B023 - called within the turn
                assert found(engine).rewritten >= midway.rewritten
        with worker_of(site):
            until(lambda: sent(engine) == len(accepted), WITHIN_S, "everybody was asked")
            until(lambda: bodies(engine, b"dmf1.") == 0, WITHIN_S, "nothing is encrypted any more")
    assert x.sent("card") == x.sent("dm") == len(accepted)


def sent(engine: Engine) -> int:
    fr = feedback_request.c
    with reading(engine) as connection:
        done = sa.select(sa.func.count()).where(fr.state == "card_sent", fr.conversation_id.startswith("live-"))
        return connection.scalar(done) or 0
