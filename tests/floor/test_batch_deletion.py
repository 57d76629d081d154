"""Retention deletes in small commits, each kind on its own, however much is due."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service.at_rest.columns import keyring_of, with_keys
from service.auth import chain
from service.customers import identities
from service.db import batch_deletion, open_engine, reading, writing
from service.errors import Unavailable
from service.intake.inbox.forget import too_old
from service.models import access_log, poll_window, result, retention_run, webhook_delivery
from service.partitions import creation
from service.privacy import housekeeping
from service.results.forget import too_old as of_results
from tests.support import START, settings_of

LATER = START + timedelta(days=5000)


def delivered(engine: Engine, how_many: int) -> None:
    """Deliveries of which every third is young."""
    old = {"source": "crm", "content_type": "", "headers": {}, "query": {}, "body": b"{}"}
    rows = [
        {**old, "id": f"whd_{n:05}", "dedupe_key": str(n), "received_at": LATER if n % 3 == 2 else START}
        for n in range(how_many)
    ]
    with writing(engine) as connection:
        connection.execute(sa.insert(webhook_delivery), rows)


def bodies(engine: Engine) -> int:
    with reading(engine) as connection:
        kept = sa.select(sa.func.count()).where(webhook_delivery.c.body.is_not(None))
        return connection.scalar(kept) or 0


def test_a_backlog_goes_in_steps_none_of_which_is_large(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_deletion, "AT_ONCE", 7)
    delivered(engine, 60)
    changed: list[int] = []
    event.listen(engine, "after_cursor_execute", lambda _c, cursor, statement, *_: _note(changed, cursor, statement))
    assert batch_deletion.count(engine, too_old(LATER)) == 40
    assert batch_deletion.forget(engine, too_old(LATER)) == 40
    assert (bodies(engine), sum(changed), max(changed)) == (20, 40, 5)


def _note(changed: list[int], cursor: Any, statement: str) -> None:
    if statement.startswith("UPDATE webhook_delivery"):
        changed.append(cursor.rowcount)


def test_ids_of_which_some_are_encrypted_already_are_walked_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_deletion, "AT_ONCE", 2)
    locked = with_keys(open_engine(engine.url.render_as_string(hide_password=False)), ["nobody guesses this key, 32 +"])
    keyring = keyring_of(locked.dialect)
    assert keyring is not None
    keyring.digest_key, keyring.encrypts_ids = bytes(32), True
    for handles, through in (("abcxyz", engine), ("mn", locked)):
        with writing(through) as connection:
            for number, handle in enumerate(handles):
                identities.remember(connection, handle, f"77{ord(handle)}{number}", START)
    turns: list[None] = []
    batch_deletion.forget(locked, identities.too_old(START), lambda: len(turns) > 20 or turns.append(None) or False)
    assert len(turns) == 4
    assert batch_deletion.count(locked, identities.too_old(LATER)) == 8
    assert batch_deletion.forget(locked, identities.too_old(LATER)) == 8
    locked.dispose()


def test_an_interrupted_deletion_keeps_what_it_did(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_deletion, "AT_ONCE", 6)
    delivered(engine, 60)
    turns = iter([False, False, True])
    assert batch_deletion.forget(engine, too_old(LATER), lambda: next(turns)) == 8
    assert bodies(engine) == 52
    assert batch_deletion.forget(engine, too_old(LATER)) == 32


@pytest.mark.unpartitioned
def test_a_kind_that_fails_is_named_and_stops_no_other(engine: Engine) -> None:
    delivered(engine, 3)
    with writing(engine) as connection:
        connection.execute(sa.insert(access_log).values(at=START, actor="ada", action="export.file", detail={}))

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if result.name in statement and "text_seen_at" in statement:
            raise sa.exc.OperationalError("cancelled", {}, Exception("cancelled"))

    event.listen(engine, "before_cursor_execute", die)
    with pytest.raises(sa.exc.OperationalError):
        housekeeping.prune(engine, settings_of(), LATER, dry_run=False)
    event.remove(engine, "before_cursor_execute", die)
    assert bodies(engine) == 1
    with reading(engine) as connection:
        done = {row.kind: row.rows for row in connection.execute(sa.select(retention_run))}
    assert (done["deliveries"], done["access_log"]) == (2, 1)
    assert "texts" not in done, "what was not finished is not said to be"
    assert {"update_texts", "identities", "history", "handles"} <= done.keys()
    again = housekeeping.prune(engine, settings_of(), LATER, dry_run=False, every=timedelta(hours=1))
    assert again.keys() == {"texts"}, "tried again without reading all the others anew"
    with reading(engine) as connection:
        assert set(connection.scalars(sa.select(retention_run.c.kind))) == {*done, "texts"}


@pytest.mark.unpartitioned
def test_a_key_that_cannot_be_opened_stops_no_other_kind(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(engine) as connection:
        connection.execute(sa.insert(access_log).values(at=START, actor="ada", action="export.file", detail={}))

    def closed(*_: object) -> bytes:
        raise Unavailable("damaged", "This cannot be read.")

    monkeypatch.setattr(housekeeping, "open_key", closed)
    with pytest.raises(Unavailable):
        housekeeping.prune(engine, settings_of(), LATER, dry_run=False)
    with reading(engine) as connection:
        done = {row.kind: row.rows for row in connection.execute(sa.select(retention_run))}
    assert done["access_log"] == 1
    assert {"deliveries", "ignored", "history", "handles", "texts"} <= done.keys()
    assert "identities" not in done


def test_a_conversion_that_cannot_be_given_up_stops_no_kind(
    postgresql_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> bool:
        raise sa.exc.ProgrammingError("SELECT dm_feedback_give_up_room()", None, Exception("permission denied"))

    monkeypatch.setattr(creation, "give_up_traps", denied)
    delivered(postgresql_engine, 3)
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        housekeeping.prune(postgresql_engine, settings_of(), LATER, dry_run=False)
    assert bodies(postgresql_engine) == 1


def test_a_key_of_two_columns_is_walked_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_deletion, "AT_ONCE", 2)
    window = {"to_time": START, "pages": 1, "events": 0, "found_missing": 0, "done_at": START}
    rows = [
        {**window, "account": account, "from_time": START + timedelta(hours=n)} for account in "ab" for n in range(5)
    ]
    with writing(engine) as connection:
        connection.execute(sa.insert(poll_window), rows)
    [windows] = [
        each for each in of_results(texts_before=LATER, history_before=LATER, now=LATER) if each.name == "poll_windows"
    ]
    assert batch_deletion.forget(engine, windows) == 8
    with reading(engine) as connection:
        kept = connection.execute(sa.select(poll_window.c.account, poll_window.c.from_time)).all()
    assert sorted(map(tuple, kept)) == [(each, START + timedelta(hours=4)) for each in "ab"], "where to go on"


@pytest.mark.unpartitioned
def test_the_access_log_goes_in_steps_from_its_beginning(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PRUNED_AT_ONCE", 4)
    with writing(engine) as connection:
        lines = [{"at": START, "actor": "ada", "action": str(n), "detail": {}} for n in range(10)]
        connection.execute(sa.insert(access_log), [*lines, {**lines[0], "at": LATER}])
    assert housekeeping.prune(engine, settings_of(), LATER, dry_run=False)["access_log"] == 10
    with reading(engine) as connection:
        assert list(chain.verify(connection)) == []
        assert connection.scalar(sa.select(sa.func.count()).select_from(access_log)) == 1
