"""The README's story over real HTTP and real processes, on both databases, compared record by record."""

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from service.db import writing
from service.demo import play, script
from service.demo.reconcile import Check
from service.demo.stage import Pace
from service.models import metadata
from service.states import Skip, State

CROWD, SPREAD_S = 8, 2.0
HURRIED = Pace(lag_s=2, signature_s=3)


def test_the_whole_story(sqlite_url: str, tmp_path: Path) -> None:
    _play(sqlite_url, tmp_path)


def test_the_whole_story_while_the_schema_is_the_next_version_s(
    postgresql_engine: Engine, postgresql_url: str, tmp_path: Path
) -> None:
    """During a rolling upgrade the version before goes on, and is started again, on a schema newer than itself."""
    with writing(postgresql_engine) as connection:
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ADD COLUMN may_be_empty text')
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ADD COLUMN has_a_value text NOT NULL DEFAULT 1')
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    postgresql_engine.dispose()
    _play(postgresql_url, tmp_path)


def _play(database_url: str, tmp_path: Path) -> None:
    moments: list[play.Scene] = []
    with play.staged(tmp_path, database_url, pace=HURRIED) as staged:
        run = staged.run(script.write(CROWD), spread_s=SPREAD_S, watch=moments.append)
    assert broken(run.checks) == []
    assert_it_told_of_trouble(moments)
    assert_both_ways_of_clearing_up_were_taken(run)
    reasons = {each.reason for each in run.memories.ledger.requests if each.state == State.SKIPPED}
    assert reasons == {fate[1] for _, fate in run.memories.script.ends.values() if fate[0] == State.SKIPPED}
    assert Skip.COOLDOWN in reasons
    assert_nobody_listens(staged.stage.service_url, staged.stage.x_url)


def broken(checks: Sequence[Check]) -> list[Check]:
    return [each for each in checks if not each.holds]


def assert_it_told_of_trouble(moments: list[play.Scene]) -> None:
    told = " ".join(line.what for moment in moments for line in moment.lines)
    for words in (
        "X answers 429",
        "It is looked up, not sent again",
        "It had arrived",
        "proves that it never arrived",
        "401",
    ):
        assert words in told


def assert_both_ways_of_clearing_up_were_taken(run: play.Run) -> None:
    looked_up = {(each.outcome, each.evidence) for each in run.memories.ledger.attempts}
    assert ("not_sent", "dm_list") in looked_up
    assert ("sent", "dm_list") in looked_up


def assert_nobody_listens(*urls: str) -> None:
    for url in urls:
        host, _, port = url.removeprefix("http://").partition(":")
        with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port)), timeout=2):
            pass
