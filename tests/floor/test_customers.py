"""The customers API: opt-outs, erasure, completing an identity. For admins only, and logged."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.customers.hash_key import open_key
from service.db import reading, writing
from service.models import (
    feedback_request,
    metadata,
    opt_out,
    prompt_reply,
    refresh,
    reopening,
    result,
    send_attempt,
    stray_feedback,
    webhook_delivery,
    x_identity,
)
from service.privacy import housekeeping
from service.reports.rows import notes
from tests import support
from tests.floor.house import House, answered, deliver
from tests.support import OTHER, request_row, settings_of

X_USER = "7717717717"
HANDLE = "jane_doe"
WORDS = "my cat is called Mimi"
NOTE = "Jane is the mayor's sister"
HERS = (X_USER, HANDLE, WORDS, NOTE, "@example.com", "c-answered", "c-open", "c-by-handle")
ERASED = ("results", "updates", "deliveries", "requests", "handles", "notes", "marks")
TWO_ACCOUNTS = {"accounts__other": OTHER, "sources__crm__account": "acme"}


@pytest.fixture
def house(sqlite_engine: Engine) -> House:
    return House(sqlite_engine, settings_of(**TWO_ACCOUNTS))


def is_opted_out(house: House, x_user_id: str, account: str = "acme") -> bool:
    key = open_key(house.engine, house.settings.service.secret_key)
    with reading(house.engine) as connection:
        return support.is_opted_out(connection, x_user_id, hash_key=key, account=account)


# -- opt-outs


def test_customers_are_put_on_the_list_once_and_taken_off(engine: Engine) -> None:
    house = House(engine)
    key = house.key()
    asked = {"x_user_ids": [X_USER, "12", X_USER], "reason": "wrote to us"}
    assert house.call("POST", "/v1/opt-outs", key, asked).get_json() == {"added": 2}
    assert house.call("POST", "/v1/opt-outs", key, asked).get_json() == {"added": 0}
    assert is_opted_out(house, X_USER)
    assert house.call("DELETE", f"/v1/opt-outs/{X_USER}", key).status_code == 204
    assert not is_opted_out(house, X_USER)
    assert house.refused(404, "DELETE", f"/v1/opt-outs/{X_USER}", key) == "not_opted_out"
    assert [(action, detail) for _, action, detail in house.audit()] == [
        ("opt_out.add", {"added": 2, "account": "*"}),
        ("opt_out.add", {"added": 0, "account": "*"}),
        ("opt_out.remove", {}),
    ]
    assert X_USER not in everything(engine)


def test_an_opt_out_may_be_for_one_account(house: House) -> None:
    key = house.key("admin", "acme")
    house.call("POST", "/v1/opt-outs", key, {"x_user_ids": [X_USER], "account": "acme"})
    assert is_opted_out(house, X_USER, "acme")
    assert not is_opted_out(house, X_USER, "other")


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
        ({"x_user_ids": ["12"], "why": "x"}, "unknown_parameter"),
        ({"x_user_ids": ["12"], "account": "nobody"}, "unknown_account"),
    ],
)
def test_a_wrong_opt_out_is_refused_and_nobody_is_added(house: House, asked: Any, code: str) -> None:
    assert house.refused(422, "POST", "/v1/opt-outs", house.key(), asked) == code
    assert house.rows(opt_out) == []
    assert house.audit() == []


def test_the_key_is_checked_before_the_body(house: House) -> None:
    assert house.refused(401, "POST", "/v1/opt-outs", None, {"nonsense": 1}) == "key_missing"
    assert house.refused(403, "POST", "/v1/opt-outs", house.key("supervisor"), {"nonsense": 1}) == "role_not_allowed"


def test_a_key_of_one_account_reaches_only_that_one(house: House) -> None:
    key = house.key("admin", "acme")
    everywhere = {"x_user_ids": [X_USER]}
    assert house.refused(403, "POST", "/v1/opt-outs", key, everywhere) == "whole_service_only"
    assert house.refused(403, "POST", "/v1/opt-outs", key, {**everywhere, "account": "other"}) == "account_not_allowed"
    assert house.refused(403, "DELETE", f"/v1/opt-outs/{X_USER}", key) == "whole_service_only"
    assert house.refused(403, "DELETE", f"/v1/customers/{X_USER}", key) == "whole_service_only"
    assert house.rows(opt_out) == []


# -- erasure


def everything(engine: Engine) -> str:
    """Every row of every table, as text."""
    with reading(engine) as connection:
        return "\n".join(
            str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))
        )


def populated(engine: Engine, **changes: Any) -> tuple[House, dict[str, str]]:
    """Jane in every way we may know her, and somebody else."""
    house = House(engine, settings_of(**changes))
    named = {"x_user_id": X_USER, "x_handle": HANDLE}
    ids = {
        "answered": deliver(house, "c-answered", **named, customer_ref=f"{HANDLE}@example.com"),
        "open": deliver(house, "c-open", x_user_id=X_USER),
        "by_handle": deliver(house, "c-by-handle", x_handle=HANDLE),
        "other": deliver(house, "c-other", x_user_id="12", x_handle="other"),
    }
    answered(house, ids["answered"], text=WORDS)
    answered(house, ids["other"], text="mine was fine")
    with writing(engine) as connection:
        known = {"handle": HANDLE, "x_user_id": X_USER, "seen_at": house.clock.now}
        connection.execute(sa.insert(x_identity).values(known))
        notes.add(connection, ids["answered"], "sue", NOTE, house.clock.now)
        notes.add(connection, ids["other"], "sue", "called back", house.clock.now)
        opened = {"source": "crm", "conversation_id": "c-answered", "reopened_at": house.clock.now, "delivery_id": "d"}
        connection.execute(sa.insert(reopening).values(opened))
    assert all(each in everything(engine) for each in HERS)
    return house, ids


def test_erasing_takes_identity_text_and_raw_deliveries(engine: Engine) -> None:
    house, ids = populated(engine)
    answer = house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
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
    requests = {row.id: row for row in house.rows(feedback_request)}
    gone = requests[ids["answered"]]
    assert (gone.erased_at, gone.dm_event_id, gone.card_dm_id) == (house.clock.now, None, None)
    assert requests[ids["other"]].card_dm_id == "dm-2"
    assert (requests[ids["open"]].state, requests[ids["open"]].reason) == ("skipped", "opted_out")
    assert is_opted_out(house, X_USER)
    assert {row.body is None for row in house.rows(webhook_delivery)} == {True, False}


def test_somebody_else_is_not_touched(sqlite_engine: Engine) -> None:
    house, ids = populated(sqlite_engine)
    before = {row.id: tuple(row) for row in house.rows(feedback_request)}[ids["other"]]
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
    assert {row.id: tuple(row) for row in house.rows(feedback_request)}[ids["other"]] == before
    assert {row.request_id: row.text for row in house.rows(result)}[ids["other"]] == "mine was fine"


@pytest.mark.parametrize(("erase_scores", "score"), [(False, 4), (True, None)])
def test_the_score_stays_as_a_count_or_goes_by_the_setting(
    engine: Engine, erase_scores: bool, score: int | None
) -> None:
    house, ids = populated(engine, privacy__erase_scores=erase_scores)
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
    row = {row.request_id: row for row in house.rows(result)}[ids["answered"]]
    assert (row.score, row.text, row.text_at) == (score, None, None)


def test_an_erasure_is_audited_without_the_person(house: House) -> None:
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key(name="bo"))
    ((actor, action, detail),) = house.audit()
    assert actor.startswith("bo (")
    assert action == "customer.erase"
    assert set(detail.values()) == {0}


def test_erasing_twice_and_erasing_a_stranger_is_fine(sqlite_engine: Engine) -> None:
    house, _ = populated(sqlite_engine)
    key = house.key()
    for x_user_id in (X_USER, X_USER, "999"):
        assert house.call("DELETE", f"/v1/customers/{x_user_id}", key).status_code == 200
    assert is_opted_out(house, "999")


@pytest.mark.parametrize("wrong", ["jane", "1" * 20, "0501", "0", "12%0A", "%D9%A3", "-1", "1.0", "%FF"])
def test_what_is_no_x_user_id_is_refused(house: House, wrong: str) -> None:
    assert house.refused(422, "GET", f"/v1/customers/{wrong}", house.key()) == "not_an_x_user_id"
    assert house.refused(422, "DELETE", f"/v1/customers/{wrong}", house.key()) == "not_an_x_user_id"
    assert house.refused(422, "DELETE", f"/v1/opt-outs/{wrong}", house.key()) == "not_an_x_user_id"
    assert house.rows(opt_out) == []


def erased(house: House, key: str) -> tuple[int, str]:
    answer = house.call("DELETE", f"/v1/customers/{X_USER}", key)
    return answer.status_code, str(answer.get_json().get("code"))


NEEDED = (409, "second_person_needed")


def test_erasing_may_take_two_people(engine: Engine) -> None:
    house, ids = populated(engine, privacy__erase_by_two=True)
    ada, again, bo = house.key(name="ada"), house.key(name="ada"), house.key(name="bo")
    assert [erased(house, key) for key in (ada, ada, again)] == [NEEDED] * 3, "two keys of one name are one person"
    assert [row.x_user_id for row in house.rows(feedback_request) if row.id in ids and row.erased_at] == []
    assert erased(house, bo)[0] == 200
    assert {row.erased_at is not None for row in house.rows(feedback_request) if row.x_user_id == X_USER} <= {True}
    told = [(actor.partition(" ")[0], action) for actor, action, _ in house.audit() if "erase" in action]
    assert told == [("ada", "customer.erase.ask")] * 3 + [("bo", "customer.erase")]
    assert erased(house, bo) == NEEDED, "what was done is done: the next time takes two again"


def test_an_unconfirmed_erasure_is_forgotten_after_a_week(engine: Engine) -> None:
    house, _ = populated(engine, privacy__erase_by_two=True)
    ada, bo = house.key(name="ada"), house.key(name="bo")
    assert erased(house, ada) == NEEDED
    house.clock.now += timedelta(days=7, seconds=1)
    assert erased(house, bo) == NEEDED
    assert erased(house, ada)[0] == 200


def test_an_erased_customer_who_comes_back_is_not_asked(sqlite_engine: Engine) -> None:
    house, _ = populated(sqlite_engine)
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
    house.clock.forward(days=30)
    deliver(house, "c-again", x_user_id=X_USER)
    assert is_opted_out(house, X_USER)


# -- what we hold


def held_in_full(engine: Engine, **changes: Any) -> tuple[House, dict[str, str]]:
    """Jane as above, and what sending to her and asking X about her left."""
    house, ids = populated(engine, **changes)
    at, request_id = house.clock.now, ids["answered"]
    feedback_id = str(int(request_id[-12:], 16))
    sent = {"id": "sa_1", "request_id": request_id, "account": "acme", "x_user_id": X_USER, "kind": "card"}
    stray = {"feedback_id": feedback_id, "account": "acme", "first_seen_at": at, "channel": "events"}
    asking = {"request_id": request_id, "account": "acme", "feedback_id": feedback_id, "due_at": at, "checks": 1}
    with writing(engine) as connection:
        connection.execute(sa.insert(send_attempt).values(**sent, intended_at=at, x_id=feedback_id, outcome="sent"))
        connection.execute(sa.insert(stray_feedback).values(**stray))
        connection.execute(sa.insert(refresh).values(**asking))
        connection.execute(sa.insert(prompt_reply).values(request_id=request_id, first_at=at))
    return house, ids


def shown(house: House, x_user_id: str = X_USER) -> dict[str, Any]:
    """What we say we hold, by table."""
    answer = house.call("GET", f"/v1/customers/{x_user_id}", house.key())
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
    house, ids = held_in_full(engine)
    found = shown(house)
    text = json.dumps(found)
    assert [each for each in HERS if each not in text] == []
    assert {row["id"] for row in found["feedback_request"]} == {ids["answered"], ids["open"], ids["by_handle"]}
    assert [row["text"] for row in found["result"]] == [WORDS]
    assert [each for each in (ids["other"], "mine was fine", "called back") if each in text] == []
    assert {"lease_token", "counted"} & set(found["feedback_request"][0]) == set()


def test_whatever_erasing_changes_was_shown_before(engine: Engine) -> None:
    house, _ = held_in_full(engine)
    found, before = shown(house), by_key(engine)
    housekeeping.erase(engine, house.settings, X_USER, by="bo", now=house.clock.now)
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
    house, _ = held_in_full(engine, privacy__erase_scores=erase_scores)
    house.call("DELETE", f"/v1/customers/{X_USER}", house.key())
    found = shown(house)
    assert set(found) == {"opt_out"}
    assert [(row["account"], row["reason"]) for row in found["opt_out"]] == [("*", "erased")]


def test_rows_known_only_by_hash_are_shown_too(sqlite_engine: Engine) -> None:
    house, ids = held_in_full(sqlite_engine)
    house.clock.forward(days=1000)
    housekeeping.prune(sqlite_engine, house.settings, house.clock.now, dry_run=False)
    assert ids["answered"] in {row["id"] for row in shown(house)["feedback_request"]}


def test_nothing_is_shown_of_a_stranger(sqlite_engine: Engine) -> None:
    house, _ = held_in_full(sqlite_engine)
    assert shown(house, "999") == {}


def test_whoever_reads_what_we_hold_is_audited_without_the_person(sqlite_engine: Engine) -> None:
    house, _ = held_in_full(sqlite_engine)
    before = len(house.audit())
    shown(house)
    actor, action, detail = house.audit()[before]
    assert actor.startswith("ada (")
    assert (action, detail["feedback_request"], detail["result"]) == ("customer.export", 3, 1)
    assert X_USER not in str(house.audit())


def test_only_admins_of_every_account_read_what_we_hold(house: House) -> None:
    path = f"/v1/customers/{X_USER}"
    assert house.refused(403, "GET", path, house.key("supervisor")) == "role_not_allowed"
    assert house.refused(403, "GET", path, house.key("admin", "acme")) == "whole_service_only"
    assert house.audit() == []


# -- a missing identity


def skipped(house: House, reason: str = "no_x_identity", **columns: Any) -> str:
    row = request_row(house.clock.now, x_user_id=None, state="skipped", reason=reason, outcome_at=house.clock.now)
    row |= columns
    with writing(house.engine) as connection:
        connection.execute(sa.insert(feedback_request).values(row))
    return str(row["id"])


def test_a_request_without_an_x_user_is_completed(sqlite_engine: Engine) -> None:
    house = House(sqlite_engine)
    request_id = skipped(house)
    answer = house.call("PUT", f"/v1/requests/{request_id}/x-identity", house.key(), {"x_user_id": X_USER})
    assert (answer.status_code, answer.get_json()) == (200, {"id": request_id, "state": "received"})
    (row,) = house.rows(feedback_request)
    assert (row.x_user_id, row.state, row.reason, row.outcome_at) == (X_USER, "received", None, None)
    assert [(action, detail) for _, action, detail in house.audit()] == [
        ("request.complete", {"request_id": request_id})
    ]


def test_only_what_lacks_an_identity_is_completed(house: House) -> None:
    path = f"/v1/requests/{skipped(house, 'stale')}/x-identity"
    assert house.refused(409, "PUT", path, house.key(), {"x_user_id": X_USER}) == "identity_not_missing"
    assert house.refused(422, "PUT", path, house.key(), {"x_user_id": "12\n"}) == "invalid_parameter"
    nobody = "/v1/requests/fr_0/x-identity"
    assert house.refused(404, "PUT", nobody, house.key(), {"x_user_id": X_USER}) == "unknown_request"


def test_a_key_of_another_account_does_not_learn_that_the_request_exists(house: House) -> None:
    path = f"/v1/requests/{skipped(house)}/x-identity"
    assert house.refused(404, "PUT", path, house.key("admin", "other"), {"x_user_id": X_USER}) == "unknown_request"
    assert house.refused(403, "PUT", path, house.key("supervisor"), {"x_user_id": X_USER}) == "role_not_allowed"
