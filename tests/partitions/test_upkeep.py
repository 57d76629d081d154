"""Partitions are created ahead and dropped whole at the right age; repeats stay known, and the log's chain unbroken."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.auth import chain, log_access
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.db.batch_deletion import never
from service.models import access_log, delivery_item, delivery_key, transition, webhook_delivery
from service.partitions import conversion, creation, delivery_keys, dropping, upkeep
from service.partitions.cuts import DAY, MONTH, WEEK, cuts
from service.privacy import housekeeping
from tests.floor.app import App, deliver, told
from tests.floor.test_chain import broken
from tests.partitions.partitioned import CUTS, SETTINGS, nobody, pieces, retold, rows, scalar, statements, turn
from tests.roles import DENIED, AsRole, engines_by_role, grant, refusal_of
from tests.support import settings_of


def pruned(app: App, engine: Engine | None = None) -> dict[str, int]:
    open_key(app.engine, SETTINGS.service.secret_key)
    counts = housekeeping.prune(engine or app.engine, SETTINGS, app.clock.now, dry_run=False)
    return {name: number for name, number in counts.items() if number}


def lives_until(app: App, moment: datetime) -> None:
    """The worker looks after the partitions a day before, and then."""
    for each in (moment - DAY, moment):
        app.clock.now = each
        pruned(app)


@pytest.mark.parametrize(
    ("keep", "width"), [("1d", DAY), ("139d", DAY), ("140d", WEEK), ("619d", WEEK), ("620d", MONTH)]
)
def test_a_piece_is_a_twentieth_of_an_age_at_most(keep: str, width: timedelta) -> None:
    assert cuts(settings_of(privacy={"keep_history": keep}).privacy)["transition"].width == width


@pytest.mark.parametrize(("keep", "begin", "end"), [
    ("30d", "2026-12-31T23:59:59.999999", "2027-01-01"), ("30d", "2028-02-29T00:00:00", "2028-03-01"),
    ("365d", "2026-12-30T05:00:00", "2027-01-04"), ("365d", "2026-12-28T00:00:00", "2027-01-04"),
    ("730d", "2027-01-31T00:00:00", "2027-02-01"), ("730d", "2026-12-31T23:00:00", "2027-01-01"),
    ("730d", "2028-02-01T00:00:00", "2028-03-01"),
])  # fmt: skip
def test_pieces_end_at_midnights_of_days_mondays_and_firsts(keep: str, begin: str, end: str) -> None:
    cut = cuts(settings_of(privacy={"keep_history": keep}).privacy)["transition"]
    assert cut.end_of_piece(datetime.fromisoformat(begin).replace(tzinfo=UTC)) == datetime.fromisoformat(end).replace(
        tzinfo=UTC
    )


@pytest.mark.parametrize("table", CUTS)
def test_a_bound_is_its_moment_and_stands_before_every_row_of_it(table: str) -> None:
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    bound = CUTS[table].bound(moment)
    assert CUTS[table].moment(bound) == moment
    assert (
        CUTS[table].bound(moment - timedelta(milliseconds=1)) < bound < CUTS[table].bound(moment + timedelta(days=9000))
    )


def test_over_the_end_of_a_year_each_row_finds_its_day(app: App) -> None:
    lives_until(app, datetime(2026, 12, 31, 12, tzinfo=UTC))
    for moment in ("2026-12-31T23:59:59.999", "2027-01-01T00:00:00"):
        app.clock.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        deliver(app, moment)
    for table in ("webhook_delivery", "delivery_item"):
        there = pieces(app.engine, table)
        assert (there["20261231"], there["20270101"], there["rest"]) == (1, 1, 0)
        assert max(name for name in there if name.isdecimal()) == "20270114", "two weeks ahead, and no more"
    assert pieces(app.engine, "access_log")["rest"] == 0


def test_deliveries_go_with_their_day_in_one_statement_however_many(app: App) -> None:
    asked: list[list[str]] = []
    for many in (2, 12):
        day = app.clock.now + timedelta(days=20)
        lives_until(app, day)
        for number in range(many):
            told(app, f"{many}-{number}")
        lives_until(app, day + timedelta(days=30))
        assert rows(app.engine, "webhook_delivery") == rows(app.engine, "delivery_item") == many
        app.clock.forward(days=1)
        with statements(app.engine) as found:
            assert pruned(app) == {"partitions": 2}
        asked.append([each for each in found if "webhook_delivery" in each or "drop_partition" in each])
        assert rows(app.engine, "webhook_delivery") == rows(app.engine, "delivery_item") == 0
    assert len(asked[0]) == len(asked[1])
    assert not [each for each in asked[1] if each.startswith(("UPDATE", "DELETE"))]


def test_a_dry_run_counts_what_would_be_dropped_and_drops_nothing(app: App) -> None:
    told(app, "c-1")
    app.clock.forward(days=100)
    dry = housekeeping.prune(app.engine, SETTINGS, app.clock.now, dry_run=True)
    assert dry["partitions"] > 2
    assert rows(app.engine, "webhook_delivery") == 1
    assert housekeeping.prune(app.engine, SETTINGS, app.clock.now, dry_run=False)["partitions"] == dry["partitions"]
    assert rows(app.engine, "webhook_delivery") == 0


def test_a_repeat_of_a_dropped_delivery_is_recognised(app: App) -> None:
    at = app.clock.now
    retold(app, "c-1", at, x_user_id="771")
    lives_until(app, app.clock.now + timedelta(days=50))
    assert rows(app.engine, "webhook_delivery") == 0
    again = retold(app, "c-1", at, x_user_id="771")
    assert (again["accepted"], again["duplicate"]) == (0, 1)
    assert rows(app.engine, "webhook_delivery") == 0
    lives_until(app, app.clock.now + timedelta(days=41))
    assert app.rows(delivery_key) == []
    later = retold(app, "c-1", at, x_user_id="771")
    assert (later["accepted"], later["duplicate"]) == (0, 1)
    assert rows(app.engine, "webhook_delivery") == 1, "the conversation is known, the delivery is a new one"


def test_erased_deliveries_are_recognised_for_good(app: App) -> None:
    at = app.clock.now
    retold(app, "c-1", at, x_user_id="771")
    retold(app, "c-2", at, x_user_id="772")
    app.call("DELETE", "/v1/customers/771", app.key("admin"))
    lives_until(app, app.clock.now + timedelta(days=120))
    assert rows(app.engine, "webhook_delivery") == 0
    assert [row.received_at for row in app.rows(delivery_key)] == [None]
    assert retold(app, "c-1", at, x_user_id="771")["accepted"] == 0


def test_a_late_history_line_keeps_its_partition(app: App) -> None:
    lives_until(app, app.clock.now + timedelta(days=30))
    request_id = deliver(app, "c-1")
    at = app.clock.now
    late = {"request_id": request_id, "at": at + timedelta(days=60), "from_state": "unknown", "to_state": "card_sent"}
    with writing(app.engine) as connection:
        connection.execute(sa.insert(transition).values(**late, actor="w", event="attached"))
    history = rows(app.engine, "transition")
    app.clock.now = at + timedelta(days=365 + 8)
    assert "partitions" in pruned(app)
    assert rows(app.engine, "transition") == history, "the week waits for its last line"
    app.clock.now = at + timedelta(days=365 + 20)
    pruned(app)
    assert rows(app.engine, "transition") == 1, "those overdue by a week go without it"
    app.clock.now = at + timedelta(days=365 + 61)
    pruned(app)
    assert rows(app.engine, "transition") == 0


def test_a_history_line_written_while_pieces_are_dropped_keeps_its_partition(app: App) -> None:
    lives_until(app, app.clock.now + timedelta(days=30))
    request_id, at = deliver(app, "c-1"), app.clock.now
    before = at + timedelta(days=8)
    line = {"request_id": request_id, "at": before, "from_state": "unknown", "to_state": "card_sent", "actor": "w"}

    def somebody_writes() -> bool:
        with writing(app.engine) as connection:
            connection.execute(sa.insert(transition).values(**line, event="attached"))
        return False

    cut = CUTS["transition"]
    assert dropping.due(app.engine, cut, before) != []
    dropping.drop(app.engine, cut, before, somebody_writes)
    with reading(app.engine) as connection:
        written = sa.select(transition.c.event).where(transition.c.request_id == request_id)
        assert "attached" in connection.scalars(written).all()


def written(app: App, *moments: datetime) -> None:
    with writing(app.engine) as connection:
        for each in moments:
            log_access(connection, "ada", "results.list", {"at": each.isoformat()}, each)
    chain.seal_what_waits(app.engine)


def test_months_of_the_access_log_go_behind_an_anchor_that_is_kept(app: App) -> None:
    begin = datetime(2027, 3, 1, tzinfo=UTC)
    lives_until(app, datetime(2027, 2, 27, tzinfo=UTC))
    # two that were written in the other order than their times say, on both sides of the first
    written(app, begin - DAY, begin + timedelta(seconds=1), begin - timedelta(seconds=1), begin + 20 * DAY)
    with reading(app.engine) as connection:
        anchored = chain.hash_of(connection, 3)
    app.clock.now = begin + timedelta(days=730)
    pruned(app)
    assert rows(app.engine, "access_log") == 4, "a younger line stands before the last of February"
    app.clock.forward(minutes=1)
    pruned(app)
    assert [row.number for row in app.rows(access_log)] == [4]
    assert broken(app.engine) == []
    with reading(app.engine) as connection:
        assert chain.hash_of(connection, 3) == anchored
    written(app, app.clock.now)
    with writing(app.engine) as connection:
        connection.execute(sa.delete(access_log).where(access_log.c.number == 4))
    assert broken(app.engine) == ["Line 4 is missing."]


def test_a_month_with_a_line_that_is_not_sealed_stays(app: App) -> None:
    before = app.clock.now + timedelta(days=9000)
    with writing(app.engine) as connection:
        log_access(connection, "ada", "results.list", {}, app.clock.now)
    assert dropping.drop(app.engine, CUTS["access_log"], before, lambda: False) == 0
    chain.seal_what_waits(app.engine)
    assert dropping.drop(app.engine, CUTS["access_log"], before, lambda: False) > 0
    assert rows(app.engine, "access_log") == 0
    assert broken(app.engine) == []


def test_rows_without_a_partition_are_reported_and_moved_later(app: App) -> None:
    app.clock.forward(days=40)
    told(app, "c-1")
    assert pieces(app.engine, "webhook_delivery")["rest"] == pieces(app.engine, "delivery_item")["rest"] == 1
    with reading(app.engine) as connection:
        assert creation.unplaced(connection)["webhook_delivery"] == 1
    assert told(app, "c-1")["accepted"] == 0
    pruned(app)
    with reading(app.engine) as connection:
        assert set(creation.unplaced(connection).values()) == {0}
    assert pieces(app.engine, "webhook_delivery")["20261207"] == 1, "one piece for all the time without a worker"


def test_overdue_rows_of_the_first_partition_are_deleted_in_batches(whole: App) -> None:
    told(whole, "c-old")
    whole.clock.forward(days=28)
    told(whole, "c-young")
    turn(whole.engine, whole.clock.now)
    whole.clock.forward(days=2, hours=23)
    assert "deliveries" not in pruned(whole)
    whole.clock.forward(hours=2)
    assert pruned(whole)["deliveries"] == 1
    assert [row.body is None for row in whole.rows(webhook_delivery)] == [True, False]
    whole.clock.forward(days=40)
    pruned(whole)
    assert whole.rows(webhook_delivery) == whole.rows(delivery_item) == []
    assert "first" not in pieces(whole.engine, "webhook_delivery")


def test_an_abandoned_constraint_is_dropped_in_time(whole: App) -> None:
    begun = conversion.turn(whole.engine, SETTINGS.privacy, whole.clock.now, nobody)
    while not next(begun).startswith("webhook_delivery: all its rows"):
        pass
    begun.close()
    with writing(whole.engine) as connection:
        delivery_keys.watch(connection)
    for days, there in ((5, 1), (8, 0)):
        whole.clock.forward(days=days)
        pruned(whole)
        assert scalar(whole.engine, "SELECT count(*) FROM pg_constraint WHERE conname LIKE '%room'") == there
        assert scalar(whole.engine, "SELECT count(*) FROM pg_trigger WHERE tgname = 'keep_key'") == there
    assert told(whole, "c-1")["accepted"] == 1
    turn(whole.engine, whole.clock.now)
    assert told(whole, "c-1")["accepted"] == 0


def test_a_partition_in_use_is_dropped_later(app: App) -> None:
    told(app, "c-1")
    app.clock.forward(days=100)
    pruned(app)
    told(app, "c-2")
    app.clock.forward(days=40)
    with reading(app.engine) as other:
        other.exec_driver_sql("SELECT count(*) FROM webhook_delivery")
        pruned(app)
    assert rows(app.engine, "webhook_delivery") == 1
    pruned(app)
    assert rows(app.engine, "webhook_delivery") == 0


@pytest.fixture
def as_role(app: App, postgresql_url: str) -> Iterator[AsRole]:
    """The app in pieces, with the rights of deploy/roles.sql."""
    grant(app.engine)
    with engines_by_role(postgresql_url) as build:
        yield build


def test_web_and_worker_need_not_own_the_tables(app: App, as_role: AsRole) -> None:
    web = App(as_role("web"), SETTINGS, app.clock)
    at = app.clock.now
    assert retold(web, "c-1", at, x_user_id="771")["accepted"] == 1
    assert retold(web, "c-1", at, x_user_id="771")["accepted"] == 0
    app.clock.forward(days=60)
    assert pruned(app, as_role("worker"))["partitions"] > 2
    assert rows(app.engine, "webhook_delivery") == 0
    assert retold(web, "c-1", at, x_user_id="771")["accepted"] == 0
    with reading(web.engine) as connection:
        assert set(creation.unplaced(connection).values()) == {0}


@pytest.mark.parametrize(("role", "statement"), [
    ("web", "SELECT dm_feedback_drop_partition('transition_first')"),
    ("web", "SELECT dm_feedback_add_partition('transition', 'x', 'at', 'a', 'b')"),
    ("web", "SELECT dm_feedback_give_up_room('transition')"),
    ("reading", "SELECT dm_feedback_unplaced()"),
    ("reading", "SELECT body FROM webhook_delivery_first"),
    ("web", "SELECT body FROM webhook_delivery_first"),
    ("worker", "DROP TABLE transition_first"),
])  # fmt: skip
def test_their_functions_allow_nothing_else(as_role: AsRole, role: str, statement: str) -> None:
    assert refusal_of(as_role(role), statement) == DENIED


@pytest.mark.parametrize(
    "piece", ["transition_rest", "feedback_request", "transition", "no_such_table", "transition_first; --"]
)
def test_only_pieces_that_may_go_can_be_dropped(as_role: AsRole, piece: str) -> None:
    with as_role("worker").connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execute(dropping.DROP, {"piece": piece})
    assert "no partition that may be dropped" in str(caught.value.orig)


def test_a_temporary_table_of_the_worker_is_not_taken_for_ours(as_role: AsRole) -> None:
    with as_role("worker").connect() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE transition_rest AS SELECT 1")
        assert creation.unplaced(connection)["transition"] == 0


def test_without_partitions_nothing_is_done(whole: App, sqlite_engine: Engine) -> None:
    for engine in (whole.engine, sqlite_engine):
        cut = upkeep.those_cut(engine, SETTINGS.privacy)
        assert list(upkeep.tasks(engine, SETTINGS.privacy, cut, whole.clock.now, dry_run=False, stop=never)) == []
        with reading(engine) as connection:
            assert creation.unplaced(connection) == {}
