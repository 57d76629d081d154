"""Encrypted ids: none is legible, each is found in every stored form, nothing is accepted or sent twice."""

import json
import threading

import pytest
import sqlalchemy as sa

from service.at_rest.keyring import ID_MARK, Keyring
from service.customers import crm_matches, identities
from service.db import reading, writing
from service.encrypting import checking, existing_rows, in_force, key_change
from service.errors import Conflict, Unavailable
from service.metrics.totals import Keeper
from service.models import conversation, encryption, feedback_request, process_count, x_identity
from service.requests.queries import locked
from service.states import Skip, State
from service.telemetry.counters import PROCESS_COUNTS
from tests.encrypting.poisoned import OLD, POISON, Poisoned, columns_of_ids, conversation_id, open_with, x_user_id
from tests.floor.test_pgbouncer import PROGRAM, pooled
from tests.intake.signers import Outgoing, standard
from tests.outreach.test_walk import FROZEN
from tests.support import START, World, settings_of


def told(there: Poisoned, conversation: str, x_user: str, number: int) -> dict[str, int]:
    """Report an end in a delivery of its own."""
    app, data = there.app, {"conversation_id": conversation, "x_user_id": x_user}
    event = {"type": "conversation.ended", "timestamp": START.isoformat(), "data": data}
    name = f"{conversation} {number} {app.clock.now}"
    out = Outgoing("", json.dumps(event).encode(), {"webhook-id": name}, app.clock.now)
    standard(out)
    answer = app.client.post("/webhooks/crm/crm", data=out.body, headers=out.headers, content_type="application/json")
    return dict(answer.get_json())


def began(there: Poisoned) -> None:
    """New ids are locked from here on; those that are there follow with the steps after this one."""
    there.turn_on()
    there.app.clock.forward(seconds=25)
    there.walk(1)
    assert there.progress.ids


def lying(there: Poisoned, column: sa.Column[str]) -> list[str]:
    """Ids as stored."""
    with reading(there.engine) as connection:
        return list(connection.scalars(sa.select(sa.type_coerce(column, sa.Text)).where(column.is_not(None))))


def test_every_id_is_encrypted_and_decrypted(poisoned: Poisoned) -> None:
    before = {str(each): sorted(filter(None, lying(poisoned, each))) for each in columns_of_ids()}
    assert len(before) == 11
    assert all(before.values())
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    for column in columns_of_ids():
        assert all(each.startswith(ID_MARK) for each in lying(poisoned, column) if each), column
        assert len(set(lying(poisoned, column))) == len(set(before[str(column)])), "equal ones stay equal"
    poisoned.turn_off()
    poisoned.walk_to_the_end()
    assert {str(each): sorted(filter(None, lying(poisoned, each))) for each in columns_of_ids()} == before


def test_a_repeated_conversation_is_recognised_before_during_and_after(poisoned: Poisoned) -> None:
    began(poisoned)
    for step in range(12):
        again = told(poisoned, conversation_id(3), x_user_id(3), step)
        assert (again["accepted"], again["duplicate"]) == (0, 1), (step, again)
        assert told(poisoned, f"{POISON}-new-{step}", x_user_id(900 + step), 0)["accepted"] == 1
        poisoned.walk(1)
    poisoned.walk_to_the_end()
    poisoned.turn_off()
    for step in range(12):
        assert told(poisoned, f"{POISON}-new-{step}", "5", step)["accepted"] == 0
        poisoned.walk(1)
    poisoned.walk_to_the_end()
    ids = lying(poisoned, feedback_request.c.conversation_id)
    assert len(ids) == len(set(ids)) == len(poisoned.requests) + 12
    assert set(ids) <= set(lying(poisoned, conversation.c.conversation_id))


def test_nobody_is_asked_twice_while_ids_are_encrypted(database_url: str) -> None:
    """The first ask is stored plainly, the second is encrypted and finds it all the same."""
    engine = open_with(database_url, OLD)
    world = World(engine, settings_of())
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    before = world.ended("c-1", **FROZEN, can_dm=True, state=State.DM_ALLOWED)
    world.run()
    with writing(engine) as connection:
        key_change.turn_on(connection, world.clock.now)
    world.forward(seconds=25)
    existing_rows.step(engine, world.clock.now)
    with writing(engine) as connection:
        in_force.follow(connection)
    during = world.ended("c-2", **FROZEN, can_dm=True, state=State.DM_ALLOWED)
    world.run()
    with reading(engine) as connection:
        first, second = connection.exec_driver_sql("SELECT x_user_id FROM feedback_request ORDER BY id").scalars()
    assert first == "501"
    assert second.startswith(ID_MARK)
    assert world.request(before).state == State.CARD_SENT
    assert (world.request(during).state, world.request(during).reason) == (State.SKIPPED, Skip.COOLDOWN)
    engine.dispose()


def test_a_person_is_found_and_erased_while_ids_are_encrypted(poisoned: Poisoned) -> None:
    path = f"/v1/customers/{x_user_id(2)}"

    def tables() -> dict[str, int]:
        held = poisoned.app.call("GET", path, poisoned.admin).get_json()["held"]
        return {name: len(rows) for name, rows in held.items()}

    before = tables()
    assert sum(before.values()) > 8
    began(poisoned)
    for _ in range(15):
        poisoned.walk(1)
        assert tables() == before
    erased = poisoned.app.call("DELETE", path, poisoned.admin)
    assert erased.status_code == 200, erased.get_data(as_text=True)
    poisoned.walk_to_the_end()
    poisoned.turn_off()
    poisoned.walk_to_the_end()
    dump = poisoned.dump()
    assert x_user_id(2) not in dump
    assert f"{POISON}_2" not in dump
    assert conversation_id(2) not in dump.split("\n")


def test_a_handle_has_one_row_and_the_newest_id_counts(poisoned: Poisoned) -> None:
    began(poisoned)
    now = poisoned.app.clock.forward(minutes=1)
    with writing(poisoned.engine) as connection:
        in_force.follow(connection)
        identities.remember(connection, f"{POISON}_1", "42", now)
        assert identities.known(connection, f"{POISON}_1".upper(), now) == "42"
    poisoned.walk_to_the_end()
    with reading(poisoned.engine) as connection:
        mine = sa.select(sa.func.count()).where(x_identity.c.handle == f"{POISON}_1")
        assert connection.scalar(mine) == 1
        assert identities.known(connection, f"{POISON}_1", now) == "42"
        table, theirs = crm_matches.of_person("nobody", [f"{POISON}_1".upper()])
        assert connection.scalar(sa.select(sa.func.count()).select_from(table).where(theirs)) == 1


def test_the_change_of_ids_waits_for_running_writers(postgresql_url: str) -> None:
    """Else one conversation could be taken in twice, in either form."""
    there = Poisoned(open_with(postgresql_url, OLD))
    done = threading.Event()

    def turn_on() -> None:
        there.turn_on()
        done.set()

    with writing(there.engine) as connection:
        in_force.hold(connection)
        other = threading.Thread(target=turn_on)
        other.start()
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        with there.engine.connect() as watching:
            while not watching.scalar(waiting):
                watching.rollback()
        assert not done.is_set()
    other.join(120)
    assert done.is_set()
    there.engine.dispose()


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian: apt-get install pgbouncer)")
def test_it_works_behind_a_transaction_pooler(postgresql_url: str) -> None:
    with pooled(postgresql_url, "transaction") as url:
        there = Poisoned(open_with(url, OLD))
        before = there.shown()
        began(there)
        there.walk(2)
        assert there.shown() == before
        assert there.walk_to_the_end().finished_at is not None
        assert there.shown() == before
        assert POISON not in there.dump()
        there.turn_off()
        there.walk_to_the_end()
        assert there.shown() == before
        assert told(there, conversation_id(3), x_user_id(3), 1)["accepted"] == 0
        there.engine.dispose()


def test_a_process_of_the_previous_release_postpones_the_change(poisoned: Poisoned) -> None:
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    with writing(poisoned.engine) as connection:  # as that release leaves it: values locked, ids plain
        connection.execute(sa.update(encryption).values(ids=None))
        in_force.follow(connection)
    keeper = Keeper(poisoned.engine, "web", poisoned.app.clock.now)
    keeper.keep(poisoned.app.clock.now)
    with writing(poisoned.engine) as connection:
        said = connection.scalar(sa.select(process_count.c.encryption))
        connection.execute(sa.update(process_count).values(encryption={k: v for k, v in said.items() if k != "ids"}))
    with pytest.raises(Conflict, match="run without the key"):
        poisoned.turn_on()
    keeper.keep(poisoned.app.clock.now)
    poisoned.turn_on()
    with pytest.raises(Conflict, match="is already in use"):
        poisoned.turn_on()


def test_a_damaged_id_postpones_its_request_and_is_reported(poisoned: Poisoned) -> None:
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    one = poisoned.requests[0]
    with writing(poisoned.engine) as connection:
        damage = "UPDATE feedback_request SET x_user_id = 'dmi1.00', x_handle = 'dmi1.no' WHERE id = :id"
        connection.execute(sa.text(damage), {"id": one})
        request = locked(connection, one)
        assert request is not None
        assert request.unreadable == ["x_user_id", "x_handle"]
        with pytest.raises((Unavailable, sa.exc.StatementError)):
            connection.execute(
                sa.insert(x_identity).values(handle="a", x_user_id=request.x_user_id, seen_at=request.ended_at)
            )
    assert PROCESS_COUNTS.so_far().get(("unreadable_values", ("x_user_id",)), (0,))[0] >= 1
    named = {each.column: list(each.refused) for each in checking.check(poisoned.engine) if each.refused}
    assert named == {"feedback_request.x_user_id": [one], "feedback_request.x_handle": [one]}
    assert poisoned.app.call("GET", "/v1/requests", poisoned.admin).status_code == 200


def test_an_id_of_one_kind_does_not_decrypt_as_another() -> None:
    keyring = Keyring((OLD,))
    keyring.digest_key = b"d" * 32
    word = keyring.encrypt_id("501", "x_user_id")
    assert word == keyring.encrypt_id("501", "x_user_id") != keyring.encrypt_id("501", "conversation_id")
    assert keyring.decrypt_id(word, "x_user_id") == "501"
    with pytest.raises(Unavailable):
        keyring.decrypt_id(word, "conversation_id")
    other = Keyring((OLD,))
    other.digest_key = b"e" * 32
    assert other.encrypt_id("501", "x_user_id") != word
