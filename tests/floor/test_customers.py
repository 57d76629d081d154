"""The customers API: opt-outs, erasure, completing an identity. For admins only, and logged."""

import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.customers.hash_key import open_key
from service.db import reading, writing
from service.errors import Conflict
from service.models import (
    feedback_request,
    metadata,
    opt_out,
    prompt_reply,
    refresh,
    reopening,
    result,
    review_note,
    send_attempt,
    stray_feedback,
    webhook_delivery,
    x_identity,
)
from service.privacy import housekeeping
from service.reports.rows import notes
from service.web import read_slots
from tests import support
from tests.floor.app import App, answered, deliver
from tests.support import OTHER, request_row, settings_of

X_USER = "7717717717"
HANDLE = "jane_doe"
WORDS = "my cat is called Mimi"
NOTE = "Jane is the mayor's sister"
HERS = (X_USER, HANDLE, WORDS, NOTE, "@example.com", "c-answered", "c-open", "c-by-handle")
ERASED = ("results", "updates", "deliveries", "requests", "handles", "notes", "marks")
TWO_ACCOUNTS = {"accounts__other": OTHER, "sources__crm__account": "acme"}


@pytest.fixture
def app(sqlite_engine: Engine) -> App:
    return App(sqlite_engine, settings_of(**TWO_ACCOUNTS))


def is_opted_out(app: App, x_user_id: str, account: str = "acme") -> bool:
    key = open_key(app.engine, app.settings.service.secret_key)
    with reading(app.engine) as connection:
        return support.is_opted_out(connection, x_user_id, hash_key=key, account=account)


# -- opt-outs


def test_customers_are_put_on_the_list_once_and_taken_off(engine: Engine) -> None:
    app = App(engine)
    key = app.key()
    asked = {"x_user_ids": [X_USER, "12", X_USER], "reason": "wrote to us"}
    assert app.call("POST", "/v1/opt-outs", key, asked).get_json() == {"added": 2}
    assert app.call("POST", "/v1/opt-outs", key, asked).get_json() == {"added": 0}
    assert is_opted_out(app, X_USER)
    assert app.call("DELETE", f"/v1/opt-outs/{X_USER}", key).status_code == 204
    assert not is_opted_out(app, X_USER)
    assert app.refused(404, "DELETE", f"/v1/opt-outs/{X_USER}", key) == "not_opted_out"
    assert [(action, detail) for _, action, detail in app.audit()] == [
        ("opt_out.add", {"added": 2, "account": "*"}),
        ("opt_out.add", {"added": 0, "account": "*"}),
        ("opt_out.remove", {}),
    ]
    assert X_USER not in everything(engine)


def test_an_opt_out_may_be_for_one_account(app: App) -> None:
    key = app.key("admin", "acme")
    app.call("POST", "/v1/opt-outs", key, {"x_user_ids": [X_USER], "account": "acme"})
    assert is_opted_out(app, X_USER, "acme")
    assert not is_opted_out(app, X_USER, "other")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"x_user_ids": ["jane"]}, "invalid_parameter"),
        ({"x_user_ids": ["1" * 20]}, "invalid_parameter"),
        ({"x_user_ids": ["12\n"]}, "invalid_parameter"),
        ({"x_user_ids": ["12", "0501"]}, "invalid_parameter"),
        ({"x_user_ids": ["٣"]}, "invalid_parameter"),
        ({"x_user_ids": [12]}, "invalid_parameter"),
        ({"x_user_ids": []}, "invalid_parameter"),
        ({"x_user_ids": "12"}, "invalid_parameter"),
        ({}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "reason": ""}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "reason": "x" * 65}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "reason": "a\0b"}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "reason": "\ud800"}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "reason": "erased"}, "invalid_parameter"),
        ({"x_user_ids": ["12"], "why": "x"}, "unknown_parameter"),
        ({"x_user_ids": ["12"], "account": "nobody"}, "unknown_account"),
    ],
)
def test_a_wrong_opt_out_is_refused_and_nobody_is_added(app: App, asked: Any, code: str) -> None:
    assert app.refused(422, "POST", "/v1/opt-outs", app.key(), asked) == code
    assert app.rows(opt_out) == []
    assert app.audit() == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"x_user_ids": []}, "'x_user_ids' must be 1 to 10000 ids."),
        ({"x_user_ids": ["12"], "reason": "x" * 65}, "'reason' must have 1 to 64 characters."),
    ],
)
def test_a_wrong_opt_out_is_told_in_our_words(app: App, asked: Any, says: str) -> None:
    assert app.call("POST", "/v1/opt-outs", app.key(), asked).get_json()["detail"] == says


def test_the_key_is_checked_before_the_body(app: App) -> None:
    assert app.refused(401, "POST", "/v1/opt-outs", None, {"nonsense": 1}) == "key_missing"
    assert app.refused(403, "POST", "/v1/opt-outs", app.key("supervisor"), {"nonsense": 1}) == "role_not_allowed"


def test_a_key_of_one_account_reaches_only_that_one(app: App) -> None:
    key = app.key("admin", "acme")
    everywhere = {"x_user_ids": [X_USER]}
    assert app.refused(403, "POST", "/v1/opt-outs", key, everywhere) == "whole_service_only"
    assert app.refused(403, "POST", "/v1/opt-outs", key, {**everywhere, "account": "other"}) == "account_not_allowed"
    assert app.refused(403, "DELETE", f"/v1/opt-outs/{X_USER}", key) == "whole_service_only"
    assert app.refused(403, "DELETE", f"/v1/customers/{X_USER}", key) == "whole_service_only"
    assert app.rows(opt_out) == []


# -- erasure


def everything(engine: Engine) -> str:
    """Every row of every table, as text."""
    with reading(engine) as connection:
        return "\n".join(
            str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))
        )


def populated(engine: Engine, **changes: Any) -> tuple[App, dict[str, str]]:
    """Jane in every way we may know her, and somebody else."""
    app = App(engine, settings_of(**changes))
    named = {"x_user_id": X_USER, "x_handle": HANDLE}
    ids = {
        "answered": deliver(app, "c-answered", **named, customer_ref=f"{HANDLE}@example.com"),
        "open": deliver(app, "c-open", x_user_id=X_USER),
        "by_handle": deliver(app, "c-by-handle", x_handle=HANDLE),
        "other": deliver(app, "c-other", x_user_id="12", x_handle="other"),
    }
    answered(app, ids["answered"], text=WORDS)
    answered(app, ids["other"], text="mine was fine")
    with writing(engine) as connection:
        known = {"handle": HANDLE, "x_user_id": X_USER, "seen_at": app.clock.now}
        connection.execute(sa.insert(x_identity).values(known))
        notes.add(connection, ids["answered"], "sue", NOTE, app.clock.now)
        notes.add(connection, ids["other"], "sue", "called back", app.clock.now)
        opened = {"source": "crm", "conversation_id": "c-answered", "reopened_at": app.clock.now, "delivery_id": "d"}
        connection.execute(sa.insert(reopening).values(opened))
    assert all(each in everything(engine) for each in HERS)
    return app, ids


def test_erasing_takes_identity_text_and_raw_deliveries(engine: Engine) -> None:
    app, ids = populated(engine)
    answer = app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    assert answer.status_code == 200
    said = answer.get_json()
    assert said["x_user_id"] == X_USER
    assert {name: said["erased"][name] for name in ERASED} == {
        "results": 1,
        "updates": 1,
        "deliveries": 3,
        "requests": 3,
        "handles": 1,
        "notes": 1,
        "marks": 0,
    }
    left = everything(engine)
    assert [each for each in HERS if each in left] == []
    assert "called back" in left
    requests = {row.id: row for row in app.rows(feedback_request)}
    gone = requests[ids["answered"]]
    assert (gone.erased_at, gone.dm_event_id, gone.card_dm_id, gone.page_hash) == (app.clock.now, None, None, None)
    assert requests[ids["other"]].card_dm_id == "dm-2"
    assert requests[ids["other"]].page_hash is not None
    assert (requests[ids["open"]].state, requests[ids["open"]].reason) == ("skipped", "opted_out")
    assert is_opted_out(app, X_USER)
    assert {row.body is None for row in app.rows(webhook_delivery)} == {True, False}


def test_what_was_erased_is_in_no_page_of_the_file(sqlite_engine: Engine) -> None:
    house, _ = populated(sqlite_engine)
    file = Path(sqlite_engine.url.database or "")
    for gone in (False, True):
        if gone:
            house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
        sqlite_engine.dispose()  # the last connection takes the log beside the file into it
        pages = file.read_bytes()
        found = {each for each in HERS if each.encode() in pages}
        assert (found == set()) if gone else {X_USER, HANDLE, WORDS, NOTE} <= found


def test_what_was_erased_is_not_in_the_log_beside_the_file_either(sqlite_engine: Engine) -> None:
    house, _ = populated(sqlite_engine)
    log = Path(f"{sqlite_engine.url.database}-wal")
    assert WORDS.encode() in log.read_bytes()
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
    assert [each for each in HERS if each.encode() in log.read_bytes()] == []


def test_an_erasure_waits_for_no_reader_and_retention_empties_the_log_later(sqlite_engine: Engine) -> None:
    house, _ = populated(sqlite_engine)
    log = Path(f"{sqlite_engine.url.database}-wal")
    with reading(sqlite_engine) as connection:
        connection.execute(sa.select(opt_out)).all()
        assert house.call("DELETE", f"/v1/customers/{X_USER}", house.key()).status_code == 200
        assert WORDS.encode() in log.read_bytes()
    housekeeping.prune(sqlite_engine, house.settings, house.clock.now, dry_run=False)
    assert WORDS.encode() not in log.read_bytes()


def test_somebody_else_is_not_touched(sqlite_engine: Engine) -> None:
    app, ids = populated(sqlite_engine)
    before = {row.id: tuple(row) for row in app.rows(feedback_request)}[ids["other"]]
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    assert {row.id: tuple(row) for row in app.rows(feedback_request)}[ids["other"]] == before
    assert {row.request_id: row.text for row in app.rows(result)}[ids["other"]] == "mine was fine"


@pytest.mark.parametrize(("erase_scores", "score"), [(False, 4), (True, None)])
def test_the_score_stays_as_a_count_or_goes_by_the_setting(
    engine: Engine, erase_scores: bool, score: int | None
) -> None:
    app, ids = populated(engine, privacy__erase_scores=erase_scores)
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    row = {row.request_id: row for row in app.rows(result)}[ids["answered"]]
    assert (row.score, row.text, row.text_at) == (score, None, None)


def test_no_note_is_written_about_somebody_erased(engine: Engine) -> None:
    """Neither then nor by a page that was opened before: no later erasure would find it."""
    app, ids = populated(engine)
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    path = f"/v1/results/{ids['answered']}/notes"
    assert app.refused(409, "POST", path, app.key("supervisor"), {"text": NOTE}) == "customer_erased"
    with pytest.raises(Conflict), writing(engine) as connection:
        notes.add(connection, ids["open"], "sue", NOTE, app.clock.now)
    assert [note.text for note in app.rows(review_note)] == ["called back"]


def test_an_erasure_is_audited_without_the_person(app: App) -> None:
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key(name="bo"))
    ((actor, action, detail),) = app.audit()
    assert actor.startswith("bo (")
    assert action == "customer.erase"
    assert set(detail.values()) == {0}


def test_erasing_twice_and_erasing_a_stranger_is_fine(sqlite_engine: Engine) -> None:
    app, _ = populated(sqlite_engine)
    key = app.key()
    for x_user_id in (X_USER, X_USER, "999"):
        assert app.call("DELETE", f"/v1/customers/{x_user_id}", key).status_code == 200
    assert is_opted_out(app, "999")


@pytest.mark.parametrize("wrong", ["jane", "1" * 20, "0501", "0", "12%0A", "%D9%A3", "-1", "1.0", "%FF"])
def test_what_is_no_x_user_id_is_refused(app: App, wrong: str) -> None:
    assert app.refused(422, "GET", f"/v1/customers/{wrong}", app.key()) == "not_an_x_user_id"
    assert app.refused(422, "DELETE", f"/v1/customers/{wrong}", app.key()) == "not_an_x_user_id"
    assert app.refused(422, "DELETE", f"/v1/opt-outs/{wrong}", app.key()) == "not_an_x_user_id"
    assert app.rows(opt_out) == []


def erased(app: App, key: str) -> tuple[int, str]:
    answer = app.call("DELETE", f"/v1/customers/{X_USER}", key)
    return answer.status_code, str(answer.get_json().get("code"))


NEEDED = (409, "second_person_needed")


def test_erasing_may_take_two_people(engine: Engine) -> None:
    app, ids = populated(engine, privacy__erase_by_two=True)
    ada, again, bo = app.key(name="ada"), app.key(name="ada"), app.key(name="bo")
    assert [erased(app, key) for key in (ada, ada, again)] == [NEEDED] * 3, "two keys of one name are one person"
    assert [row.x_user_id for row in app.rows(feedback_request) if row.id in ids and row.erased_at] == []
    assert erased(app, bo)[0] == 200
    assert {row.erased_at is not None for row in app.rows(feedback_request) if row.x_user_id == X_USER} <= {True}
    told = [(actor.partition(" ")[0], action) for actor, action, _ in app.audit() if "erase" in action]
    assert told == [("ada", "customer.erase.ask")] * 3 + [("bo", "customer.erase")]
    assert erased(app, bo) == NEEDED, "what was done is done: the next time takes two again"


def test_an_unconfirmed_erasure_is_forgotten_after_a_week(engine: Engine) -> None:
    app, _ = populated(engine, privacy__erase_by_two=True)
    ada, bo = app.key(name="ada"), app.key(name="bo")
    assert erased(app, ada) == NEEDED
    app.clock.now += timedelta(days=7, seconds=1)
    assert erased(app, bo) == NEEDED
    assert erased(app, ada)[0] == 200


def test_an_erased_customer_who_comes_back_is_not_asked(sqlite_engine: Engine) -> None:
    app, _ = populated(sqlite_engine)
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    app.clock.forward(days=30)
    deliver(app, "c-again", x_user_id=X_USER)
    assert is_opted_out(app, X_USER)


@pytest.mark.parametrize("said_stop", [False, True])
def test_whatever_names_an_erased_customer_later_is_erased_within_the_hour(engine: Engine, said_stop: bool) -> None:
    """The same conversation by the CRM's list, in bytes that are new, or another one."""
    app, _ = populated(engine)
    if said_stop:
        app.call("POST", "/v1/opt-outs", app.key(), {"x_user_ids": [X_USER], "reason": "asked_by_customer"})
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    prune = partial(housekeeping.prune, app.engine, app.settings)
    assert prune(app.clock.now, dry_run=False)["erased_anew"] == 0
    app.clock.forward(minutes=30)
    deliver(app, "c-answered", x_user_id=X_USER, x_handle=HANDLE, tags=["anew"])
    deliver(app, "c-later", x_user_id="12")
    later = app.clock.forward(hours=1)
    assert {HANDLE, X_USER} <= {each for each in HERS if each in everything(engine)}
    assert prune(later, dry_run=True)["erased_anew"] == 1
    assert prune(later, dry_run=False)["erased_anew"] == 1
    assert [each for each in HERS if each in everything(engine)] == []
    assert "c-later" in everything(engine)
    assert app.audit()[-1][:2] == ("retention", "customer.erase")
    assert prune(app.clock.forward(hours=1), dry_run=False)["erased_anew"] == 0


def test_who_may_be_asked_again_is_not_erased_anew(engine: Engine) -> None:
    app, _ = populated(engine)
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    assert app.call("DELETE", f"/v1/opt-outs/{X_USER}", app.key()).status_code == 204
    deliver(app, "c-anew", x_user_id=X_USER)
    assert housekeeping.prune(engine, app.settings, app.clock.now, dry_run=False)["erased_anew"] == 0
    assert "c-anew" in everything(engine)


# -- what we hold


def held_in_full(engine: Engine, **changes: Any) -> tuple[App, dict[str, str]]:
    """Jane as above, and what sending to her and asking X about her left."""
    app, ids = populated(engine, **changes)
    at, request_id = app.clock.now, ids["answered"]
    feedback_id = str(int(request_id[-12:], 16))
    sent = {"id": "sa_1", "request_id": request_id, "account": "acme", "x_user_id": X_USER, "kind": "card"}
    stray = {"feedback_id": feedback_id, "account": "acme", "first_seen_at": at, "channel": "events"}
    asking = {"request_id": request_id, "account": "acme", "feedback_id": feedback_id, "due_at": at, "checks": 1}
    with writing(engine) as connection:
        connection.execute(sa.insert(send_attempt).values(**sent, intended_at=at, x_id=feedback_id, outcome="sent"))
        connection.execute(sa.insert(stray_feedback).values(**stray))
        connection.execute(sa.insert(refresh).values(**asking))
        connection.execute(sa.insert(prompt_reply).values(request_id=request_id, first_at=at))
    return app, ids


def shown(app: App, x_user_id: str = X_USER) -> dict[str, Any]:
    """What we say we hold, by table."""
    answer = app.call("GET", f"/v1/customers/{x_user_id}", app.key())
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {table: rows for table, rows in answer.get_json()["held"].items() if rows}


def by_key(engine: Engine) -> dict[str, dict[tuple[str, ...], tuple[Any, ...]]]:
    """Every row of every table, by what names it."""
    found: dict[str, dict[tuple[str, ...], tuple[Any, ...]]] = {}
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).mappings()
            keys = [each.name for each in table.primary_key]
            found[table.name] = {tuple(str(row[key]) for key in keys): tuple(row.values()) for row in rows}
    return found


def test_all_we_hold_of_a_person_is_shown_and_nothing_of_another(engine: Engine) -> None:
    app, ids = held_in_full(engine)
    found = shown(app)
    text = json.dumps(found)
    assert [each for each in HERS if each not in text] == []
    assert {row["id"] for row in found["feedback_request"]} == {ids["answered"], ids["open"], ids["by_handle"]}
    assert [row["text"] for row in found["result"]] == [WORDS]
    assert [each for each in (ids["other"], "mine was fine", "called back") if each in text] == []
    assert {"lease_token", "counted"} & set(found["feedback_request"][0]) == set()


def test_all_we_hold_is_found_however_long_the_search_takes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stored body is read; the law knows no shorter period."""
    app, _ = held_in_full(engine)
    monkeypatch.setattr(read_slots, "LONGEST_S", 0)
    ran = list[str]()
    sa.event.listen(engine, "before_cursor_execute", lambda _, __, statement, *___: ran.append(statement))
    assert "webhook_delivery" in shown(app)
    assert ran.count("SET LOCAL statement_timeout = 0") == (engine.dialect.name == "postgresql")


@pytest.mark.unpartitioned
def test_whatever_erasing_changes_was_shown_before(engine: Engine) -> None:
    app, _ = held_in_full(engine)
    found, before = shown(app), by_key(engine)
    housekeeping.erase(engine, app.settings, X_USER, by="bo", now=app.clock.now)
    after, touched = by_key(engine), set()
    for table in metadata.sorted_tables:
        changed = {key for key, row in before[table.name].items() if after[table.name].get(key) != row}
        keys = [each.name for each in table.primary_key]
        told = {tuple(str(row[key]) for key in keys) for row in found.get(table.name, ())}
        assert changed <= told, table.name
        touched |= {table.name} if changed else set()
    assert touched >= {"result", "result_update", "refresh", "stray_feedback", "send_attempt", "review_note"}
    assert touched >= {"reopening", "webhook_delivery", "delivery_item", "x_identity", "feedback_request"}


@pytest.mark.parametrize("erase_scores", [False, True])
def test_erasing_leaves_nothing_to_show_but_the_opt_out(engine: Engine, erase_scores: bool) -> None:
    app, _ = held_in_full(engine, privacy__erase_scores=erase_scores)
    app.call("DELETE", f"/v1/customers/{X_USER}", app.key())
    found = shown(app)
    assert set(found) == {"opt_out"}
    assert [(row["account"], row["reason"]) for row in found["opt_out"]] == [("*", "erased")]


def test_rows_known_only_by_hash_are_shown_too(sqlite_engine: Engine) -> None:
    app, ids = held_in_full(sqlite_engine)
    app.clock.forward(days=1000)
    housekeeping.prune(sqlite_engine, app.settings, app.clock.now, dry_run=False)
    assert ids["answered"] in {row["id"] for row in shown(app)["feedback_request"]}


def test_nothing_is_shown_of_a_stranger(sqlite_engine: Engine) -> None:
    app, _ = held_in_full(sqlite_engine)
    assert shown(app, "999") == {}


def test_whoever_reads_what_we_hold_is_audited_without_the_person(sqlite_engine: Engine) -> None:
    app, _ = held_in_full(sqlite_engine)
    before = len(app.audit())
    shown(app)
    actor, action, detail = app.audit()[before]
    assert actor.startswith("ada (")
    assert (action, detail["feedback_request"], detail["result"]) == ("customer.export", 3, 1)
    assert X_USER not in str(app.audit())


def test_only_admins_of_every_account_read_what_we_hold(app: App) -> None:
    path = f"/v1/customers/{X_USER}"
    assert app.refused(403, "GET", path, app.key("supervisor")) == "role_not_allowed"
    assert app.refused(403, "GET", path, app.key("admin", "acme")) == "whole_service_only"
    assert {action for _, action, _ in app.audit()} == {"call.refused"}


# -- a missing identity


def skipped(app: App, reason: str = "no_x_identity", **columns: Any) -> str:
    row = request_row(app.clock.now, x_user_id=None, state="skipped", reason=reason, outcome_at=app.clock.now)
    row |= columns
    with writing(app.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(row))
    return str(row["id"])


def test_a_request_without_an_x_user_is_completed(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    request_id = skipped(app)
    answer = app.call("PUT", f"/v1/requests/{request_id}/x-identity", app.key(), {"x_user_id": X_USER})
    assert (answer.status_code, answer.get_json()) == (200, {"id": request_id, "state": "received"})
    (row,) = app.rows(feedback_request)
    assert (row.x_user_id, row.state, row.reason, row.outcome_at) == (X_USER, "received", None, None)
    assert [(action, detail) for _, action, detail in app.audit()] == [("request.complete", {"request_id": request_id})]


def test_only_what_lacks_an_identity_is_completed(app: App) -> None:
    path = f"/v1/requests/{skipped(app, 'stale')}/x-identity"
    assert app.refused(409, "PUT", path, app.key(), {"x_user_id": X_USER}) == "identity_not_missing"
    assert app.refused(422, "PUT", path, app.key(), {"x_user_id": "12\n"}) == "invalid_parameter"
    nobody = "/v1/requests/fr_0/x-identity"
    assert app.refused(404, "PUT", nobody, app.key(), {"x_user_id": X_USER}) == "unknown_request"


def test_a_key_of_another_account_does_not_learn_that_the_request_exists(app: App) -> None:
    path = f"/v1/requests/{skipped(app)}/x-identity"
    assert app.refused(404, "PUT", path, app.key("admin", "other"), {"x_user_id": X_USER}) == "unknown_request"
    assert app.refused(403, "PUT", path, app.key("supervisor"), {"x_user_id": X_USER}) == "role_not_allowed"
