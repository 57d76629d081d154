"""SIGTERM and SIGHUP: the call in flight is finished and recorded, the rest is returned, within the time allowed."""

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import feedback_request, send_attempt, worker_seen
from tests.processes import ledger
from tests.processes.children import cli, until
from tests.processes.site import Site
from tests.processes.x import X

NEW = "direct_messages/events/new"


def test_a_stopping_worker_finishes_its_call_and_gives_the_rest_back(
    site_of: Callable[..., Site], database_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(database_url, worker__shutdown_within="60s")  # a busy machine has its time
    engine = engine_of(site)
    ledger.ended(engine, 30)
    (rule,) = x.faults({"endpoint": NEW, "fault": "slow", "seconds": 1.0})
    with cli("worker", site.directory, "--config", str(site.config), "worker") as worker:
        until(lambda: x.hits(rule), 60, "a DM is on its way")
        assert worker.terminate(within_s=90) == 0
    arrived = x.sent("dm")
    with reading(engine) as connection:
        leased = sa.select(sa.func.count()).where(feedback_request.c.lease_token.is_not(None))
        unclear = sa.select(sa.func.count()).where(send_attempt.c.outcome.is_(None))
        recorded = sa.select(sa.func.count()).where(send_attempt.c.outcome == "sent", send_attempt.c.kind == "dm")
        assert connection.scalar(leased) == 0
        assert connection.scalar(unclear) == 0
        assert connection.scalar(recorded) == arrived > 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 0
    assert ledger.states(engine).get("card_sent", 0) == x.sent("card") < 30


def test_a_worker_whose_call_hangs_stops_in_time_and_the_next_one_clears_up(
    site_of: Callable[..., Site], sqlite_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(sqlite_url, worker__shutdown_within="1s")
    engine = engine_of(site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": NEW, "fault": "hang", "seconds": 200, "times": 1})
    with cli("worker", site.directory, "--config", str(site.config), "worker") as worker:
        until(lambda: x.hits(rule), 60, "a DM is on its way")
        assert worker.terminate(within_s=90) == 0
    assert ledger.attempts(engine, request_id)[0].answered_at is None, "the call had not even been given up"
    with cli("next", site.directory, "--config", str(site.config), "worker"):
        until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "the successor ends it")
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_a_worker_whose_call_hangs_begins_anew_on_sighup(
    site_of: Callable[..., Site], sqlite_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(sqlite_url, worker__shutdown_within="1s")
    engine = engine_of(site)
    (request_id,) = ledger.ended(engine)
    (rule,) = x.faults({"endpoint": NEW, "fault": "hang", "seconds": 200, "times": 1})
    with cli("worker", site.directory, "--config", str(site.config), "worker") as worker:
        until(lambda: x.hits(rule), 60, "a DM is on its way")
        worker.hang_up()
        until(lambda: ledger.request(engine, request_id).state == "card_sent", 60, "the new one ends it")
        assert worker.output().count('"worker_started"') == 2
        assert worker.terminate(within_s=90) == 0
    assert (x.sent("dm"), x.sent("card")) == (1, 1)


def test_a_stop_while_a_reload_finishes_its_calls_is_obeyed(
    site_of: Callable[..., Site], sqlite_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    site = site_of(sqlite_url, worker__shutdown_within="60s")
    ledger.ended(engine_of(site))
    (rule,) = x.faults({"endpoint": NEW, "fault": "slow", "seconds": 3.0})
    with cli("worker", site.directory, "--config", str(site.config), "worker") as worker:
        until(lambda: x.hits(rule), 60, "a DM is on its way")
        worker.hang_up()
        assert worker.terminate(within_s=90) == 0
        assert worker.output().count('"worker_started"') == 1


@pytest.mark.parametrize("command", ["serve", "web"])
def test_a_process_that_is_told_to_stop_as_it_is_born_stops_by_itself(
    command: str, site_of: Callable[..., Site], sqlite_url: str
) -> None:
    """A child of `serve`, and one of gunicorn's."""
    site = site_of(sqlite_url)
    with cli(command, site.directory, "--config", str(site.config), command) as parent:
        until_when = time.monotonic() + 60
        while not parent.forked():  # looked for without a pause: its first moment is what matters
            assert time.monotonic() < until_when
        assert parent.terminate(within_s=90) == 0
        said = parent.output()
    assert '"child_killed"' not in said
    assert "SIGKILL" not in said
