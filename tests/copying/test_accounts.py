"""Accounts move to another cluster while both work: completely, once, and nobody is written to from both or neither."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.accounts import holds, standing
from service.accounts import moving as moved_accounts
from service.at_rest.columns import with_keys
from service.auth import keys
from service.copying import accounts, of_accounts
from service.copying.accounts import AccountMove
from service.copying.numbering import ROOM
from service.customers.hash_key import open_key, rotate
from service.db import reading, writing
from service.encrypting.key_change import turn_on
from service.errors import Conflict, NotFound
from service.metrics import served, totals
from service.models import (
    account_state,
    delivery_item,
    encryption,
    feedback_request,
    metadata,
    naming,
    opt_out,
    release,
    release_leaf,
    result,
    review_note,
    tally,
    timeline_note,
    webhook_delivery,
)
from service.outreach import removed_names
from service.outreach.claims import due_accounts
from service.outreach.context import Workplace
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming as names
from service.reports.disclosure.closing import close_due
from service.settings import Settings
from service.telemetry.counters import ProcessCounts
from tests.cli.installation import Cli
from tests.copying.conftest import Place
from tests.filled_ledgers import poured
from tests.floor.app import App, answered
from tests.intake.signers import Outgoing, standard
from tests.support import SOURCE_KEY, settings_of, tree

KEY = {"preset": "standard", "keys": [SOURCE_KEY]}


def settings(*stay: str) -> Settings:
    """Settings of a cluster with these accounts, each with a source of its own."""
    acme = tree()["accounts"]["acme"]
    every = {"acme": acme, "beta": {**acme, "user_id": "77"}, "gamma": {**acme, "user_id": "78"}}
    return settings_of(
        accounts={name: every[name] for name in stay},
        sources={f"{name}_crm": {**KEY, "account": name} for name in stay},
    )


def tell(app: App, account: str, conversation_id: str, at: str | None = None) -> dict[str, int]:
    ended = at or app.clock.now.isoformat()
    event = {"type": "conversation.ended", "timestamp": ended, "data": {
        "conversation_id": conversation_id, "x_user_id": "501", "agent_id": "ann", "team_id": "one",
    }}  # fmt: skip
    out = Outgoing("", json.dumps(event).encode(), {"webhook-id": f"msg-{conversation_id}"}, app.clock.now)
    standard(out)
    path = f"/webhooks/crm/{account}_crm"
    answer = app.client.post(path, data=out.body, headers=out.headers, content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def request_of(app: App, conversation_id: str) -> str:
    with reading(app.engine) as connection:
        wanted = sa.select(feedback_request.c.id).where(feedback_request.c.conversation_id == conversation_id)
        return str(connection.scalar(wanted))


def seal_all(app: App) -> None:
    while seal(app.engine, app.settings, app.clock.now):
        pass
    while names.follow(app.engine, app.settings, app.clock.now):
        pass


@dataclass
class Two:
    """A cluster with two accounts, and one that is empty."""

    here: App
    there: Engine

    def begin(self, *names: str) -> AccountMove:
        secret = self.here.settings.service.secret_key
        return accounts.begin(self.here.engine, self.there, names or ("beta",), secret, self.here.clock.now)

    def pass_over(self, *names: str) -> dict[str, int]:
        move = self.begin(*names)
        found = accounts.pass_over(self.here.engine, self.there, move, nobody, waited)
        return {each.name: each.written + each.deleted for each in found if each.written or each.deleted}

    def finish(self, *names: str) -> None:
        move = self.begin(*names)
        accounts.finish(self.here.engine, self.there, move, nobody, "ada", self.here.clock.now, waited)

    def app_there(self, *names: str) -> App:
        return App(self.there, settings(*names), self.here.clock)


def nobody(_table: str, _rows: int) -> None:
    """Ignores the progress."""


def waited(_seconds: float) -> None:
    """The time a process has to say that it lives is over."""


@pytest.fixture
def two(postgresql_engine: Engine, sibling: Engine) -> Two:
    engine = postgresql_engine
    here = App(engine, settings("acme", "beta"))
    poured(engine, "two accounts", lambda: filled(here))
    return Two(here, sibling)


def filled(here: App) -> None:
    engine = here.engine
    open_key(engine, here.settings.service.secret_key)
    admin = here.key("admin")
    for account in ("acme", "beta"):
        for number in range(6):
            tell(here, account, f"{account}-{number}")
            answered(here, request_of(here, f"{account}-{number}"))
        here.call("POST", f"/v1/results/{request_of(here, f'{account}-0')}/notes", admin, {"text": "Well done."})
    with writing(engine) as connection:
        standing.enrol(connection, here.settings.accounts, here.clock.now)  # as the worker does
        told = {"created_at": here.clock.now, "created_by": "ada", "reason": "asked"}
        rows = [{"person": "p1", "account": "*", **told}, {"person": "p2", "account": "acme", **told}]
        connection.execute(sa.insert(opt_out), [*rows, {"person": "p2", "account": "beta", **told}])
    seal_all(here)


def ids(engine: Engine, table: sa.Table, *by: sa.ColumnElement[bool]) -> list[object]:
    with reading(engine) as connection:
        (key,) = table.primary_key.columns
        return sorted(connection.scalars(sa.select(key).where(*by)))


def columns(engine: Engine, *wanted: sa.ColumnElement[object]) -> set[tuple[object, ...]]:
    with reading(engine) as connection:
        return {tuple(row) for row in connection.execute(sa.select(*wanted))}


def test_every_table_moves_with_accounts_or_is_shared_or_stays() -> None:
    carried = {each.table.name for each in of_accounts.tables_of(["beta"], ["beta_crm"])}
    assert carried | of_accounts.STAYS == set(metadata.tables)
    assert not carried & of_accounts.STAYS


def test_rows_of_an_account_move_and_keep_their_numbers(two: Two) -> None:
    two.pass_over()
    assert two.pass_over() == {}, "a second time costs no write"
    two.finish()
    betas = feedback_request.c.account == "beta"
    assert ids(two.there, feedback_request) == ids(two.here.engine, feedback_request, betas)
    theirs = sa.select(feedback_request.c.id).where(betas).scalar_subquery()
    for table in (delivery_item, review_note, result):
        gone = ids(two.here.engine, table, table.c.request_id.in_(theirs))
        assert gone
        assert ids(two.there, table) == gone
    assert columns(two.there, opt_out.c.person, opt_out.c.account) == {("p1", "*"), ("p2", "beta")}
    assert columns(two.there, webhook_delivery.c.source) == {("beta_crm",)}
    assert columns(two.there, naming.c.account, naming.c.name) == {("beta", "ann")}


def test_after_the_move_everything_counts_and_repeats_are_recognised(two: Two) -> None:
    admin = two.here.key("admin")
    before = two.here.call("GET", "/v1/summary?account=beta&since=2026-11-01T00:00:00Z", admin).get_json()
    two.pass_over()
    two.finish()
    there = two.app_there("beta")
    seal_all(there)
    after = there.call("GET", "/v1/summary?account=beta&since=2026-11-01T00:00:00Z", admin).get_json()
    assert after["csat"] == before["csat"]
    assert after["csat"]["n"] == 6
    assert len(there.call("GET", "/v1/changes", admin).get_json()["items"]) == 6
    assert tell(there, "beta", "beta-1")["duplicate"] == 1
    assert tell(there, "beta", "beta-new")["accepted"] == 1
    (item,) = ids(two.there, delivery_item, delivery_item.c.request_id == request_of(there, "beta-new"))
    assert int(str(item)) > ROOM, "the other database numbers in a range of its own"


def test_until_the_end_the_target_neither_reports_nor_sends(two: Two) -> None:
    there = two.app_there("beta")
    seal_all(there)
    two.pass_over()
    seal_all(there)
    assert ids(two.there, tally) == []
    assert there.call("GET", "/v1/changes", there.key("admin")).get_json()["items"] == []
    tell(two.here, "beta", "beta-late")
    two.pass_over()
    later = there.clock.forward(hours=1)
    assert due_accounts(Workplace.open(two.there, there.settings, "w"), ["beta"], later) == []
    two.finish()
    assert due_accounts(Workplace.open(two.there, there.settings, "w"), ["beta"], later) == ["beta"]


def test_a_moved_account_is_never_written_for_here_even_after_a_release(two: Two) -> None:
    tell(two.here, "beta", "beta-late")
    two.pass_over()
    two.finish()
    later = two.here.clock.forward(hours=1)
    place = Workplace.open(two.here.engine, two.here.settings, "w")
    assert due_accounts(place, ["acme", "beta"], later) == []
    with writing(two.here.engine) as connection:
        holds.release(connection, "beta", later)
        assert holds.is_refused(connection, "beta")
        assert not holds.is_refused(connection, "acme")
        assert not standing.lock_if_free(connection, "beta", later)
    assert due_accounts(place, ["beta"], later) == []


def test_changes_during_the_copy_are_copied_too(two: Two) -> None:
    two.pass_over()
    tell(two.here, "beta", "beta-late")
    tell(two.here, "acme", "acme-late")
    with writing(two.here.engine) as connection:
        connection.execute(sa.delete(review_note))
    found = two.pass_over()
    assert found["webhook_delivery"] == found["feedback_request"] == found["review_note"] == 1


def test_a_copy_that_is_interrupted_goes_on(two: Two) -> None:
    def pull_the_plug(table: str, _rows: int) -> None:
        if table == "result":
            raise KeyboardInterrupt

    move = two.begin()
    with suppress(KeyboardInterrupt):
        accounts.pass_over(two.here.engine, two.there, move, pull_the_plug, waited)
    assert ids(two.there, feedback_request)
    assert "feedback_request" not in two.pass_over()
    two.finish()
    assert len(ids(two.there, result)) == 6


def test_processes_that_still_serve_the_account_are_named(two: Two) -> None:
    def lives(engine: Engine, *names: str) -> totals.Keeper:
        now = two.here.clock.now
        keeper = totals.Keeper(engine, "web", now, ProcessCounts(), served.of(settings(*names)))
        keeper.keep(now)
        return keeper

    two.pass_over()
    for engine, which in ((two.here.engine, "that is left"), (two.there, "of --to")):
        other, keeper = lives(engine, "acme"), lives(engine, "acme", "beta")

        def still(_seconds: float, keepers: tuple[totals.Keeper, ...] = (other, keeper)) -> None:
            for each in keepers:
                each.keep(two.here.clock.forward(seconds=10))

        with pytest.raises(Conflict, match=which) as refused:
            accounts.finish(
                two.here.engine, two.there, two.begin(), nobody, "ada", two.here.clock.now, still
            )  # fmt: skip
        assert refused.value.code == "copy_still_served"
        assert refused.value.sentence.count("-p_") <= 1
    with reading(two.here.engine) as connection:
        assert moved_accounts.moved(connection) == {}, "nothing has happened"
    two.finish()


def test_a_proof_that_fails_leaves_it_where_it_was(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.pass_over()
    monkeypatch.setattr("service.copying.moving.PASSES", 0)
    tell(two.here, "beta", "beta-late")
    with pytest.raises(Conflict, match="they are not the same"):
        two.finish()
    with reading(two.here.engine) as connection:
        assert moved_accounts.moved(connection) == {}


@pytest.mark.parametrize("what", [KeyboardInterrupt(), sa.exc.OperationalError("select", {}, Exception("gone away"))])
def test_a_last_pass_that_breaks_off_leaves_it_where_it_was(two: Two, what: BaseException) -> None:
    """Else nobody would ask, send or poll for it on either side."""

    def breaks_off(_table: str, _rows: int) -> None:
        raise what

    move, now = two.begin(), two.here.clock.now
    with pytest.raises(type(what)):
        accounts.finish(two.here.engine, two.there, move, breaks_off, "ada", now, waited)
    with reading(two.here.engine) as here, reading(two.there) as there:
        assert moved_accounts.moved(here) == {}
        assert moved_accounts.moved(there) == {"beta": moved_accounts.ARRIVING}
    two.finish()


def test_a_second_account_follows_into_a_cluster_that_is_at_work(two: Two) -> None:
    two.pass_over()
    two.finish()
    there = two.app_there("beta")
    seal_all(there)
    tell(there, "beta", "beta-there")
    two.pass_over("acme")
    two.finish("acme")
    both = two.app_there("acme", "beta")
    seal_all(both)
    figures = both.call("GET", "/v1/summary?since=2026-11-01T00:00:00Z", both.key("admin")).get_json()
    assert figures["csat"]["n"] == 12


def test_a_source_shared_with_other_accounts_moves_only_with_all_of_them(two: Two) -> None:
    with writing(two.here.engine) as connection:
        connection.execute(
            sa.update(feedback_request).where(feedback_request.c.account == "acme").values(source="beta_crm")
        )
    with pytest.raises(Conflict, match="beta_crm of acme") as refused:
        two.begin()
    assert refused.value.code == "copy_shared_source"
    assert two.pass_over("acme", "beta")["feedback_request"] == 12


def test_databases_that_do_not_fit_are_refused_in_words(two: Two, sqlite_engine: Engine, unmigrated: Place) -> None:
    secret, now = two.here.settings.service.secret_key, two.here.clock.now

    def refused(source: Engine, target: Engine, *names: str) -> str:
        with pytest.raises((Conflict, NotFound)) as found:
            accounts.begin(source, target, names or ("beta",), secret, now)
        assert found.value.sentence.endswith(".")
        return found.value.code

    assert refused(two.here.engine, sqlite_engine) == "copy_accounts_postgresql"
    assert refused(two.here.engine, two.here.engine) == "copy_onto_itself"
    assert refused(two.here.engine, two.there, "nobody") == "unknown_account"
    of_others = unmigrated()
    with writing(of_others) as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id int)")
    assert refused(two.here.engine, of_others) == "copy_not_empty"
    two.pass_over()
    two.finish()
    assert refused(two.here.engine, two.there) == "copy_account_there"
    assert refused(two.there, two.here.engine) == "copy_left_behind"


def test_a_database_with_keys_of_its_own_is_refused(two: Two) -> None:
    secret = two.here.settings.service.secret_key
    open_key(two.there, secret)
    with pytest.raises(Conflict) as refused:
        two.begin()
    assert refused.value.code == "copy_other_keys"
    with writing(two.there) as connection:
        rotate(connection, secret, secret[::-1])
    with pytest.raises(Conflict) as refused:
        two.begin()
    assert refused.value.code == "copy_other_secret"


def test_encrypted_values_move_as_stored_and_only_where_the_keys_are(two: Two, sibling: Engine) -> None:
    secret, now = two.here.settings.service.secret_key, two.here.clock.now
    here = with_keys(two.here.engine, ["a key that nobody guesses, 32 and more"])
    with writing(here) as connection:
        turn_on(connection, now)
    with pytest.raises(Conflict) as refused:
        two.begin()
    assert refused.value.code == "copy_encryption_under_way"
    with writing(here) as connection:
        connection.execute(sa.update(encryption).values(finished_at=now))
    tell(two.here, "beta", "beta-locked")
    two.pass_over()
    two.finish()
    with writing(sibling) as connection:
        connection.execute(sa.update(encryption).values(ids=sa.not_(sa.func.coalesce(encryption.c.ids, False))))
    with pytest.raises(Conflict) as refused:
        accounts.begin(here, sibling, ("acme",), secret, now)
    assert refused.value.code == "copy_other_encryption"
    bodies = columns(sibling, sa.type_coerce(webhook_delivery.c.body, sa.LargeBinary))
    assert sum(b"beta-locked" in bytes(body) for (body,) in bodies) == 0


def test_rows_of_others_under_the_same_number_are_never_written_over(two: Two) -> None:
    two.pass_over()
    note = ids(two.here.engine, timeline_note)
    assert note == []
    with writing(two.there) as connection:
        row = {"day": "2026-11-22", "account": "gamma", "text": "theirs", "author": "bob", "at": two.here.clock.now}
        connection.execute(sa.insert(timeline_note).values(id=1, **row))
    with writing(two.here.engine) as connection:
        row = {"day": "2026-11-22", "account": "beta", "text": "ours", "author": "ada", "at": two.here.clock.now}
        connection.execute(sa.insert(timeline_note).values(id=1, **row))
    with pytest.raises(Conflict, match="rows of other accounts") as refused:
        two.pass_over()
    assert refused.value.code == "copy_numbers"
    assert columns(two.there, timeline_note.c.text) == {("theirs",)}


def test_releases_keep_their_leaves_and_their_answers(two: Two) -> None:
    two.here.clock.forward(days=40)
    close_due(two.here.engine, two.here.settings, two.here.clock.now)
    mine = sa.select(release.c.id).where(release.c.account == "beta")
    assert ids(two.here.engine, release, release.c.account == "beta")
    two.pass_over()
    two.finish()
    leaves = ids(two.here.engine, release_leaf, release_leaf.c.release_id.in_(mine))
    assert ids(two.there, release_leaf) == leaves
    there = two.app_there("beta")
    close_due(two.there, there.settings, there.clock.now)
    assert ids(two.there, release_leaf) == leaves, "nothing is closed a second time"


def test_the_remains_are_deleted_only_on_command(two: Two) -> None:
    engine, now = two.here.engine, two.here.clock.now
    with pytest.raises(Conflict, match="acme, beta: not carried over"):
        accounts.forget(engine, ["acme", "beta"], nobody, "ada", now)
    two.pass_over()
    two.finish()
    key = two.here.key("admin")
    cursor = two.here.call("GET", "/v1/changes", key).get_json()["next_cursor"]
    accounts.forget(engine, ["beta"], nobody, "ada", now)
    assert columns(engine, feedback_request.c.account) == {("acme",)}
    assert columns(engine, tally.c.account) == {("acme",)}
    assert columns(engine, account_state.c.account) <= {("acme",)}
    assert columns(engine, webhook_delivery.c.source) == {("acme_crm",)}
    assert two.here.refused(410, "GET", f"/v1/changes?cursor={cursor}", key) == "changes_begin_anew"
    assert [action for _, action, _ in two.here.audit()][-2:] == ["accounts.left", "accounts.forgotten"]
    back = App(two.there, settings("beta"), two.here.clock)
    tell(back, "beta", "beta-there")


def test_an_abandoned_copy_is_removed_from_the_target(two: Two) -> None:
    two.pass_over()
    accounts.forget(two.there, ["beta"], nobody, "ada", two.here.clock.now)
    assert ids(two.there, feedback_request) == []
    two.pass_over()
    two.finish()
    assert len(ids(two.there, feedback_request)) == 6


def test_readers_keys_work_in_both_clusters_independently(two: Two) -> None:
    key = two.here.key("admin", name="bob")
    two.pass_over()
    with writing(two.here.engine) as connection:
        keys.revoke(connection, key.partition(".")[0], two.here.clock.now)
    two.pass_over()
    two.finish()
    assert two.app_there("beta").call("GET", "/v1/changes", key).status_code == 200
    assert two.here.call("GET", "/v1/changes", key).status_code == 401


def test_requests_of_an_account_that_is_gone_do_not_end_here(two: Two) -> None:
    tell(two.here, "beta", "beta-late")
    two.pass_over()
    two.finish()
    stays = settings("acme")
    place = Workplace.open(two.here.engine, stays, "w")
    later = two.here.clock.now + timedelta(days=9)
    assert removed_names.gone_names(two.here.engine, stays) == []
    assert removed_names.end_overdue(place, later) == 0


def test_the_commands_say_how_far_it_is_and_what_comes_next(two: Two, tmp_path: Path) -> None:
    cli = Cli(tmp_path, two.here.engine)
    to = two.there.url.render_as_string(hide_password=False)
    said = cli.says("db", "copy", "--to", to, "--accounts", "beta")
    assert "beta, with the sources beta_crm:" in said
    assert "feedback_request: 6 rows, 6 written, 0 deleted" in said
    assert "Copied: 0 rows" in cli.says("db", "copy", "--to", to, "--accounts", " beta,")
    ended = cli.says("db", "copy", "--to", to, "--accounts", "beta", "--finish")
    assert "feedback_request: 6 rows, sha256 sum" in ended
    assert "beta, with the sources beta_crm are now in the other database" in ended
    assert cli.refuses("db", "forget-accounts", " , ", "--yes")[1] == "no_account"
    assert "Nothing of beta is left here" in cli.says("db", "forget-accounts", "beta", "--yes")
    assert cli.refuses("db", "copy", "--to", to, "--accounts", "beta")[1] == "unknown_account"
