"""A streaming replica of PostgreSQL serves figures and files; the primary does when the replica cannot."""

import csv
import io
import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Engine

from service import replica
from service.at_rest.columns import with_keys
from service.auth import Reader
from service.cli import main
from service.db import open_engine, reading, writing
from service.encrypting import existing_rows, key_change
from service.errors import Unavailable
from service.models import delivery_item, feedback_request, result
from service.reports.counting.sealing import seal
from service.reports.filters import Filter
from service.reports.rows import export
from service.settings import Database
from service.telemetry.counters import PROCESS_COUNTS
from tests.floor.app import App, answered, deliver
from tests.floor.test_pgbouncer import PROGRAM, pooled
from tests.partitions.partitioned import turn
from tests.processes.children import until
from tests.processes.postgres import Server, migrated
from tests.processes.site import toml
from tests.roles import SQL
from tests.support import settings_of, tree

A_MOMENT_S = 5
HOUR = timedelta(hours=1)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    server = Server("primary").make().start()
    migrated(server, "feedback")
    yield server
    server.close()


@pytest.fixture(scope="module")
def standby(primary: Server) -> Iterator[Server]:
    server = Server("standby").copy(primary).start()
    yield server
    server.close()


class Pair:
    """A service on a primary and its replica; `behind`: how far it may be behind, `by`: its address, if not its own."""

    def __init__(
        self,
        primary: Server,
        standby: Server,
        behind: str = "1h",
        by: str = "",
        *,
        name: str = "feedback",
        keys: Sequence[str] = (),
    ) -> None:
        self.primary, self.standby = primary, standby
        addresses = {"database__url": primary.url(name), "database__read_url": by or standby.url(name)}
        self.settings = settings_of(**addresses, database__read_behind=behind)
        self.engine = with_keys(open_engine(self.settings.database.url), keys)
        self.app = App(self.engine, self.settings)
        self.key = self.app.key("admin", name="ada")

    def answers(self, n: int) -> list[str]:
        """Conversations that ended and were answered, counted, in the primary."""
        made = []
        for _ in range(n):
            number = next(NUMBERS)
            made.append(deliver(self.app, f"c-{number}", customer={"handle": f"h{number}"}))
            answered(self.app, made[-1])
        self.app.clock.forward(minutes=5)
        while seal(self.engine, self.settings, self.app.clock.now, limit=1000):
            pass
        return made

    def ended(self) -> tuple[int, str | None]:
        """How many conversations the funnel has, and how far behind it says it is."""
        answer = self.app.call("GET", "/v1/funnel", self.key)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()["ended"], answer.headers.get("Data-Behind")

    def ended_now(self) -> int:
        """The same of a replica that is level: what the primary writes by itself may still be on its way to it."""
        ended, behind = self.ended()
        assert float(behind or "inf") < A_MOMENT_S
        return ended

    def caught_up(self) -> None:
        here = self.primary.says("SELECT pg_current_wal_flush_lsn()")
        seen = f"SELECT pg_last_wal_replay_lsn() >= '{here}'::pg_lsn"
        until(
            lambda: self.standby.says(seen) == "True", 30, lambda: f"the replica is where {here} was: {self.standing()}"
        )

    def standing(self) -> str:
        asked = ("pg_last_wal_receive_lsn()", "pg_last_wal_replay_lsn()", "pg_get_wal_replay_pause_state()")
        return f"{[self.standby.says(f'SELECT {each}') for each in asked]}\n{self.standby.log()}\n{self.primary.log()}"

    def pause(self) -> None:
        """Nothing more becomes visible on the replica."""
        self.caught_up()
        self.standby.says("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state()"
        until(lambda: self.standby.says(paused) == "paused", 30, "the replica has paused")

    def close(self) -> None:
        beside = replica.replica_of(self.engine)
        assert beside is not None
        beside.close()
        self.engine.dispose()
        if not (self.standby.data / "postmaster.pid").exists():  # a test that stopped it has failed
            self.standby.start()
        self.standby.says("SELECT pg_wal_replay_resume()")


@pytest.fixture
def pair(primary: Server, standby: Server) -> Iterator[Pair]:
    built = Pair(primary, standby)
    yield built
    built.close()


@pytest.fixture
def strict(primary: Server, standby: Server) -> Iterator[Pair]:
    """The replica may be behind for a moment only."""
    built = Pair(primary, standby, behind="1ms")
    yield built
    built.close()


def reads(outcome: str) -> float:
    return PROCESS_COUNTS.so_far().get(("replica_reads", (outcome,)), (0.0,))[0]


def test_a_replica_that_has_everything_answers_and_is_not_behind(pair: Pair) -> None:
    pair.answers(1)
    pair.caught_up()
    before = reads("read")
    _, behind = pair.ended()
    assert float(behind or "inf") < A_MOMENT_S
    assert reads("read") == before + 1


def test_encrypted_values_are_read_from_the_replica(primary: Server, standby: Server) -> None:
    migrated(primary, "locked")
    with closing(Pair(primary, standby, name="locked", keys=("a key that nobody would guess, 32",))) as pair:
        with writing(pair.engine) as connection:
            key_change.turn_on(connection, pair.app.clock.now)
        (request_id,) = pair.answers(1)
        for _ in range(4):
            pair.app.clock.forward(seconds=20)
            existing_rows.walk(pair.engine, pair.app.clock, lambda: False)
        lies = primary.says("SELECT conversation_id FROM feedback_request", "locked")
        assert lies.startswith("dmi1."), lies
        pair.caught_up()
        before = reads("read")
        asked = sa.select(feedback_request.c.conversation_id, result.c.text).join(result)
        asked = asked.where(result.c.request_id == request_id)
        found = replica.source_of(pair.engine).read(lambda connection: connection.execute(asked).one())
        assert (found.conversation_id[:2], found.text) == ("c-", "Jane was kind")
        assert reads("read") > before


def test_partitioned_tables_are_read_from_the_replica(primary: Server, standby: Server) -> None:
    migrated(primary, "cut")
    with closing(Pair(primary, standby, name="cut")) as pair:
        pair.answers(1)
        turn(pair.engine, pair.app.clock.now)
        pair.app.clock.forward(days=9)
        (request_id,) = pair.answers(1)
        pair.caught_up()
        items = sa.select(sa.func.count()).select_from(delivery_item)
        before = reads("read")
        assert replica.source_of(pair.engine).read(lambda connection: connection.scalar(items)) == 2
        assert request_id in pair.app.call("GET", "/v1/results.csv", pair.key).get_data(as_text=True)
        assert pair.ended_now() == 2
        assert reads("read") > before + 2


def test_figures_from_a_lagging_replica_say_so(pair: Pair) -> None:
    pair.answers(1)
    pair.pause()
    old, _ = pair.ended()
    pair.answers(2)
    ended, behind = pair.ended()
    assert ended == old
    assert behind is not None
    assert float(behind) > 0
    pair.standby.says("SELECT pg_wal_replay_resume()")
    pair.caught_up()
    assert pair.ended()[0] == old + 2


def test_permissions_changes_and_own_writes_are_read_from_the_primary(pair: Pair) -> None:
    pair.pause()
    (request_id,) = pair.answers(1)
    new_key = pair.app.key("supervisor", name="eve")
    rows = pair.app.call("GET", "/v1/results?limit=250", new_key)
    assert request_id in {row["request_id"] for row in rows.get_json()["items"]}
    assert "Data-Behind" not in rows.headers
    assert pair.app.call("GET", f"/v1/results/{request_id}", new_key).status_code == 200
    changed = pair.app.call("GET", "/v1/changes?limit=250", new_key).get_json()["items"]
    assert request_id in {row["request_id"] for row in changed}
    since = pair.app.clock.now - timedelta(days=1)
    file = pair.app.call("GET", f"/v1/results.csv?updated_since={since:%Y-%m-%dT%H:%M:%SZ}", new_key)
    assert request_id in file.get_data(as_text=True)
    assert "Data-Behind" not in file.headers


def test_an_export_says_its_moment(pair: Pair) -> None:
    (known,) = pair.answers(1)
    pair.pause()
    (unknown,) = pair.answers(1)
    file = pair.app.call("GET", "/v1/results.csv", pair.key)
    found = {row["request_id"] for row in csv.DictReader(io.StringIO(file.get_data(as_text=True)))}
    assert known in found
    assert unknown not in found
    source = export.source_of(pair.engine, Filter())
    assert source.behind is not None
    assert source.behind > timedelta(0)
    assert source.as_of(pair.app.clock.now) == pair.app.clock.now - source.behind


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
def test_a_replica_may_be_behind_a_pooler(primary: Server, standby: Server) -> None:
    with pooled(standby.url("feedback"), "transaction") as url, closing(Pair(primary, standby, by=url)) as pair:
        (known,) = pair.answers(1)
        pair.caught_up()
        before = reads("read")
        ended, behind = pair.ended()
        assert float(behind or "inf") < A_MOMENT_S
        assert known in pair.app.call("GET", "/v1/results.csv", pair.key).get_data(as_text=True)
        assert reads("read") > before + 1, "the file too"
        pair.pause()
        pair.answers(1)
        assert pair.ended()[0] == ended


@pytest.fixture
def frozen(primary: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Pair, Server]]:
    """A service on a primary and a replica of its own, which is let go on again at the end."""
    monkeypatch.setattr(replica, "PLACED_S", 0.3)
    standby = Server("frozen").copy(primary).start()
    built = Pair(primary, standby)
    yield built, standby
    standby.tell(signal.SIGCONT)
    built.close()
    standby.close()


def test_a_frozen_replica_is_skipped(frozen: tuple[Pair, Server]) -> None:
    pair, standby = frozen
    pair.answers(1)
    pair.caught_up()
    ended, behind = pair.ended()
    assert behind is not None, "a line to it is open"
    standby.tell(signal.SIGSTOP)
    assert pair.ended() == (ended, None)
    (known,) = pair.answers(1)
    assert known in pair.app.call("GET", "/v1/results.csv", pair.key).get_data(as_text=True)
    standby.tell(signal.SIGCONT)
    beside = replica.replica_of(pair.engine)
    assert beside is not None
    until(lambda: beside.standing().problem is None, 30, "it is read again")
    assert pair.ended()[1] is not None


def test_a_replica_freezing_during_an_answer_costs_only_its_time_limit(
    frozen: tuple[Pair, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, standby = frozen
    monkeypatch.setattr(replica, "READ_S", 0.3)

    def stand_still(connection: sa.Connection) -> int:
        if connection.engine.url.query["host"] == str(standby.place):
            standby.tell(signal.SIGSTOP)
        return int(connection.execute(sa.text("SELECT 1")).scalar_one())

    assert replica.read(pair.engine, stand_still) == replica.WithLag(1)


def test_a_replica_an_hour_behind_is_skipped_and_reported(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.pause()
    old, _ = pair.ended()
    pair.answers(1)
    later = str(replica.WHERE_THE_PRIMARY_IS).replace("clock_timestamp()", "clock_timestamp() + interval '61 min'")
    monkeypatch.setattr(replica, "WHERE_THE_PRIMARY_IS", sa.text(later.replace("::text", "\\:\\:text")))
    before = reads("behind")
    assert pair.ended() == (old + 1, None)
    assert reads("behind") == before + 1
    found = replica.standing(pair.engine)
    assert found is not None
    assert found.problem == "behind"
    assert found.behind is not None
    assert HOUR < found.behind < 2 * HOUR
    text = pair.app.call("GET", "/metrics", pair.key).get_data(as_text=True)
    assert "dm_feedback_replica_used 0.0" in text
    (seconds,) = (line for line in text.splitlines() if line.startswith("dm_feedback_replica_behind_seconds "))
    assert 3600 < float(seconds.split()[1]) < 7200


def test_a_replica_without_allowed_lag_is_skipped_as_soon_as_it_lags(strict: Pair) -> None:
    strict.pause()
    old = strict.ended()[0]
    strict.answers(1)
    strict.primary.says("SELECT pg_sleep(0.01)")
    assert strict.ended() == (old + 1, None)


def test_an_absent_replica_is_skipped_for_a_while(pair: Pair) -> None:
    pair.caught_up()
    old, _ = pair.ended()
    pair.standby.stop()
    before = reads("away")
    pair.answers(1)
    pair.primary.says("SELECT pg_switch_wal()")
    pair.primary.says("CHECKPOINT")  # throws away what no replica is known to need
    assert pair.ended() == (old + 1, None)
    assert pair.ended() == (old + 1, None)
    assert reads("away") == before + 2
    pair.standby.start()
    assert pair.ended() == (old + 1, None)  # it rests
    pair.caught_up()
    standing = replica.standing(pair.engine)  # who asks how it stands finds it again
    assert standing is not None
    assert standing.problem is None
    assert pair.ended_now() == old + 1


def test_an_export_is_complete_if_the_replica_disappears(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pair.answers(5)
    pair.caught_up()
    monkeypatch.setattr(export, "PAGE", 2)
    source = export.source_of(pair.engine, Filter())
    assert source.place is not None
    reader = Reader("k", "t", "admin", ())
    pieces = export.export_of(source, pair.settings, reader, Filter(), pair.app.clock.now).stream("csv")
    first = next(pieces)
    pair.standby.stop()
    whole = (first + b"".join(pieces)).decode()
    pair.standby.start()
    ids = [row["request_id"] for row in csv.DictReader(io.StringIO(whole))]
    assert set(made) <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_page_is_not_read_from_a_replica_that_has_not_come_as_far_as_the_page_before(pair: Pair) -> None:
    pair.caught_up()
    beside = replica.replica_of(pair.engine)
    assert beside is not None
    ahead = replica.ReadFrom(pair.engine, beside, replica.ReplicaPosition("FFFF/0", timedelta(0)))
    assert ahead.read(lambda c: c.exec_driver_sql("SELECT pg_is_in_recovery()").scalar()) is False
    with pytest.raises(replica.NotUsable) as refused:
        beside.read(lambda _: None, "FFFF/0")
    assert refused.value.why == "behind"


def test_an_empty_pool_is_not_waited_for(pair: Pair) -> None:
    """Of the server's places, and of our own."""
    pair.primary.says("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    pair.primary.says("GRANT pg_read_all_data TO crowded", "feedback")
    pair.caught_up()
    url = pair.standby.url("feedback", user="crowded")
    beside = replica.attach(pair.engine, Database(pair.primary.url("feedback"), url, HOUR))
    assert pair.ended()[1] is None
    assert beside is not None
    assert beside.standing().problem == "away"
    ours = replica.attach(pair.engine, pair.settings.database)
    assert ours is not None
    with ExitStack() as held:
        for _ in range(30):
            held.enter_context(ours._engine.connect())
        assert pair.ended()[1] is None
    assert ours.standing().problem is None


def test_a_promoted_replica_and_one_of_another_cluster_are_not_used(
    pair: Pair, primary: Server, postgresql_url: str
) -> None:
    other = Server("promoted").copy(primary).start()
    try:
        other.promote()
        for url, why in ((other.url("feedback"), "no_replica"), (postgresql_url, "other_cluster")):
            beside = replica.attach(pair.engine, Database(pair.primary.url("feedback"), url, HOUR))
            assert beside is not None
            assert beside.standing().problem == why
            assert pair.ended()[1] is None
            beside.close()
    finally:
        replica.attach(pair.engine, pair.settings.database)
        other.close()


def test_a_role_that_may_only_read_can_tell_how_far_it_is(pair: Pair) -> None:
    pair.primary.says(SQL.read_text("utf-8"), "feedback")
    pair.primary.says("CREATE ROLE web_1 LOGIN IN ROLE dm_feedback_web")
    pair.primary.says("CREATE ROLE reader_1 LOGIN IN ROLE dm_feedback_reading")
    pair.caught_up()
    engine = open_engine(pair.primary.url("feedback", user="web_1"))
    reader = pair.standby.url("feedback", user="reader_1")
    beside = replica.attach(engine, Database(pair.primary.url("feedback"), reader, HOUR))
    assert beside is not None
    assert beside.standing() == replica.ReplicaStanding(timedelta(0), None)
    beside.close()
    engine.dispose()


def test_the_dashboard_says_how_old_it_is_and_shows_at_once_what_was_marked(pair: Pair) -> None:
    pair.answers(1)
    pair.caught_up()
    signed = pair.app.client.post("/dashboard/sign-in", data={"key": pair.key})
    assert signed.status_code == 303
    page = pair.app.client.get("/dashboard/explore").get_data(as_text=True)
    assert "a copy of the database" in page
    for path in ("/dashboard/", "/dashboard/coverage"):
        assert "Data-Behind" in pair.app.client.get(path).headers
    for path in ("/dashboard/comments", "/dashboard/operations", "/dashboard/conversations"):
        assert "Data-Behind" not in pair.app.client.get(path).headers


def told(tmp_path: Path, *words: str, **database: str) -> str:
    """What a command says of such addresses."""
    file = tmp_path / "dm-feedback.toml"
    file.write_text("\n".join(toml(tree(database=database))), "utf-8")
    done = CliRunner().invoke(main, ["--config", str(file), *words])
    return done.output


def test_config_check_and_status_say_how_the_replica_stands(pair: Pair, tmp_path: Path) -> None:
    addresses = {"url": pair.primary.url("feedback"), "read_url": pair.standby.url("feedback")}
    pair.caught_up()
    assert "read_url" not in told(tmp_path, "config", "check", **addresses)
    assert "replica, 0 s behind" in told(tmp_path, "status", **addresses)
    nowhere = {**addresses, "read_url": "postgresql://u@127.0.0.1:1/feedback"}
    assert "database.read_url does not answer" in told(tmp_path, "config", "check", **nowhere)
    assert "The replica (database.read_url) does not answer" in told(tmp_path, "status", **nowhere)
    assert '"problem": "away"' in told(tmp_path, "status", "--json", **nowhere)


def test_an_invalid_replica_url_is_refused(sqlite_engine: Engine) -> None:
    with pytest.raises(Unavailable, match=r"database\.read_url is not an address"):
        replica.attach(sqlite_engine, Database("postgresql://u@h/n", "postgresql://u@h:x/n", HOUR))


def test_without_a_replica_nothing_is_reported(sqlite_engine: Engine) -> None:
    assert replica.standing(sqlite_engine) is None
    assert replica.read(sqlite_engine, _one) == replica.WithLag(1)
    with reading(sqlite_engine) as connection:
        assert _one(connection) == 1


def _one(connection: Any) -> Any:
    return connection.exec_driver_sql("SELECT 1").scalar()
