"""Marks and notes over the API: answers done and assigned, and what happened on a day."""

from datetime import timedelta
from typing import Any

import pytest

from service.auth import keys
from service.db import writing
from service.models import posted_once, timeline_note
from tests.floor.house import House
from tests.reports.world import World, settings_of

LAUNCH = {"day": "2026-11-20", "text": "  The new\tapp  is out "}


@pytest.fixture
def house(world: World) -> House:
    return House(world.engine, settings_of(), world.clock)


@pytest.fixture
def answer(house: House, world: World) -> str:
    return f"/v1/results/{world.add(1, score=1, text='no')[0]}/mark"


def mark(house: House, path: str, key: str, **changes: Any) -> Any:
    told = house.call("PATCH", path, key, changes)
    assert told.status_code == 200, told.text
    return told.get_json()


def test_an_answer_is_finished_once_opened_again_and_handed_over(house: House, answer: str) -> None:
    ada, bob = house.key("supervisor"), house.key("admin", name="bob")
    assert house.call("GET", answer, ada).get_json() == {
        "request_id": answer.split("/")[3], "done": False, "done_at": None, "done_by": None, "owner": None,
        "owner_at": None, "owner_by": None, "notes": 0,
    }  # fmt: skip
    first = mark(house, answer, ada, done=True)
    house.clock.forward(hours=1)
    assert mark(house, answer, bob, done=True) == first, "who was first stays"
    assert (first["done_by"], first["done"]) == ("ada", True)
    given = mark(house, answer, ada, done=False, owner="bob")
    assert (given["done"], given["owner"], given["owner_by"]) == (False, "bob", "ada")
    assert mark(house, answer, ada, owner=None)["owner"] is None
    assert [row["request_id"] for row in house.call("GET", "/v1/results?done=false", ada).get_json()["items"]]
    assert [(action, detail) for _, action, detail in house.audit() if action == "results.mark"] == [
        ("results.mark", {"request_id": first["request_id"], **changes})
        for changes in ({"done": True}, {"done": True}, {"done": False, "owner": "bob"}, {"owner": None})
    ]


@pytest.mark.parametrize("body", [{}, {"done": "perhaps"}, {"done": None}, {"owner": "nobody"}, {"mark": 1}, []])
def test_an_empty_mark_is_refused(house: House, answer: str, body: Any) -> None:
    house.refused(422, "PATCH", answer, house.key("supervisor"), body)


def test_only_readers_of_an_answer_may_mark_it(house: House, answer: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"done": True})):
        assert house.refused(403, method, answer, house.key("analyst"), body) == "role_not_allowed"
        assert house.refused(404, method, answer, house.key("supervisor", "other"), body) == "no_such_result"
        assert house.refused(401, method, answer, None, body) == "key_missing"
    with writing(house.engine) as connection:
        bound = keys.Bounds(expires_at=house.clock.now + timedelta(hours=1))
        keys.create(connection, "soon gone", "supervisor", [], house.clock.now, bound)
    house.key("supervisor", "other", name="of another account")
    mark(house, answer, house.key("supervisor"), owner="soon gone")
    house.clock.forward(hours=2)
    for owner in ("soon gone", "of another account"):
        code = house.refused(422, "PATCH", answer, house.key("supervisor"), {"owner": owner})
        assert code == "no_such_owner"


def test_a_timeline_note_is_written_read_by_all_and_removed(house: House) -> None:
    key = house.key("supervisor")
    made = house.call("POST", "/v1/timeline", key, LAUNCH)
    assert made.status_code == 201
    note = made.get_json()
    assert (note["day"], note["text"], note["account"], note["author"]) == (
        "2026-11-20", "The new app is out", None, "ada",
    )  # fmt: skip
    for reader in (key, house.key("analyst"), house.key("analyst", "other")):
        assert house.call("GET", "/v1/timeline", reader).get_json()["items"] == [note]
    for query, n in (("since=2026-11-20", 1), ("since=2026-11-21", 0), ("until=2026-11-20", 0)):
        assert len(house.call("GET", f"/v1/timeline?{query}", key).get_json()["items"]) == n
    assert house.refused(404, "DELETE", "/v1/timeline/99", key) == "no_such_note"
    assert house.refused(404, "DELETE", "/v1/timeline/one", key) == "no_such_note"
    assert house.call("DELETE", f"/v1/timeline/{note['id']}", key).status_code == 204
    assert house.rows(timeline_note) == []
    told = {"id": note["id"], "day": "2026-11-20", "account": None, "characters": 18}
    assert [line[1:] for line in house.audit()] == [("timeline.add", told), ("timeline.remove", told)]


def test_a_note_of_one_account_is_of_those_who_see_it(house: House) -> None:
    mine, theirs, all_ = house.key("supervisor", "acme"), house.key("supervisor", "other"), house.key("supervisor")
    assert house.refused(403, "POST", "/v1/timeline", mine, LAUNCH) == "account_not_allowed"
    assert house.refused(403, "POST", "/v1/timeline", theirs, {**LAUNCH, "account": "acme"}) == "account_not_allowed"
    note = house.call("POST", "/v1/timeline", mine, {**LAUNCH, "account": "acme"}).get_json()
    shown = [len(house.call("GET", "/v1/timeline", key).get_json()["items"]) for key in (mine, theirs, all_)]
    assert shown == [1, 0, 1]
    assert house.refused(404, "DELETE", f"/v1/timeline/{note['id']}", theirs) == "no_such_note"
    of_all = house.call("POST", "/v1/timeline", all_, LAUNCH).get_json()
    assert house.refused(403, "DELETE", f"/v1/timeline/{of_all['id']}", mine) == "account_not_allowed"


def test_a_repeated_note_is_written_once(house: House) -> None:
    key, named = house.key("supervisor"), {"Idempotency-Key": "n-1"}
    told = [house.call("POST", "/v1/timeline", key, LAUNCH, headers=named) for _ in range(2)]
    assert [each.status_code for each in told] == [201, 201]
    assert told[0].get_json() == told[1].get_json()
    assert len(house.rows(timeline_note)) == len(house.rows(posted_once)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "  "}, {"text": "x" * 121}, {"text": "a\0b"}, {"text": "a\u202eb"}, {"day": "soon"},
        {"day": "0001-01-01"}, {"account": 7}, {"colour": "red"},
    ],
)  # fmt: skip
def test_an_unusable_timeline_note_is_refused(house: House, wrong: dict[str, Any]) -> None:
    house.refused(422, "POST", "/v1/timeline", house.key("supervisor"), {**LAUNCH, **wrong})
    assert house.refused(403, "POST", "/v1/timeline", house.key("analyst"), LAUNCH) == "role_not_allowed"
    assert house.rows(timeline_note) == []
