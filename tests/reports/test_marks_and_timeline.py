"""Marks and notes over the API: answers done and assigned, and what happened on a day."""

from datetime import timedelta
from typing import Any

import pytest

from service.auth import keys
from service.db import writing
from service.models import posted_once, timeline_note
from tests.floor.app import App
from tests.reports.world import World, settings_of

LAUNCH = {"day": "2026-11-20", "text": "  The new\tapp  is out "}


@pytest.fixture
def app(world: World) -> App:
    return App(world.engine, settings_of(), world.clock)


@pytest.fixture
def answer(app: App, world: World) -> str:
    return f"/v1/results/{world.add(1, score=1, text='no')[0]}/mark"


def mark(app: App, path: str, key: str, **changes: Any) -> Any:
    told = app.call("PATCH", path, key, changes)
    assert told.status_code == 200, told.text
    return told.get_json()


def test_an_answer_is_finished_once_opened_again_and_handed_over(app: App, answer: str) -> None:
    ada, bob = app.key("supervisor"), app.key("admin", name="bob")
    assert app.call("GET", answer, ada).get_json() == {
        "request_id": answer.split("/")[3], "done": False, "done_at": None, "done_by": None, "owner": None,
        "owner_at": None, "owner_by": None, "notes": 0,
    }  # fmt: skip
    first = mark(app, answer, ada, done=True)
    app.clock.forward(hours=1)
    assert mark(app, answer, bob, done=True) == first, "who was first stays"
    assert (first["done_by"], first["done"]) == ("ada", True)
    given = mark(app, answer, ada, done=False, owner="bob")
    assert (given["done"], given["owner"], given["owner_by"]) == (False, "bob", "ada")
    assert mark(app, answer, ada, owner=None)["owner"] is None
    assert [row["request_id"] for row in app.call("GET", "/v1/results?done=false", ada).get_json()["items"]]
    assert [(action, detail) for _, action, detail in app.audit() if action == "results.mark"] == [
        ("results.mark", {"request_id": first["request_id"], **changes})
        for changes in ({"done": True}, {"done": True}, {"done": False, "owner": "bob"}, {"owner": None})
    ]


@pytest.mark.parametrize("body", [{}, {"done": "perhaps"}, {"done": None}, {"owner": "nobody"}, {"mark": 1}, []])
def test_an_empty_mark_is_refused(app: App, answer: str, body: Any) -> None:
    app.refused(422, "PATCH", answer, app.key("supervisor"), body)


def test_only_readers_of_an_answer_may_mark_it(app: App, answer: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"done": True})):
        assert app.refused(403, method, answer, app.key("analyst"), body) == "role_not_allowed"
        assert app.refused(404, method, answer, app.key("supervisor", "other"), body) == "no_such_result"
        assert app.refused(401, method, answer, None, body) == "key_missing"
    with writing(app.engine) as connection:
        bound = keys.Bounds(expires_at=app.clock.now + timedelta(hours=1))
        keys.create(connection, "soon gone", "supervisor", [], app.clock.now, bound)
    app.key("supervisor", "other", name="of another account")
    mark(app, answer, app.key("supervisor"), owner="soon gone")
    app.clock.forward(hours=2)
    for owner in ("soon gone", "of another account"):
        code = app.refused(422, "PATCH", answer, app.key("supervisor"), {"owner": owner})
        assert code == "no_such_owner"


def test_a_timeline_note_is_written_read_by_all_and_removed(app: App) -> None:
    key = app.key("supervisor")
    made = app.call("POST", "/v1/timeline", key, LAUNCH)
    assert made.status_code == 201
    note = made.get_json()
    assert (note["day"], note["text"], note["account"], note["author"]) == (
        "2026-11-20", "The new app is out", None, "ada",
    )  # fmt: skip
    for reader in (key, app.key("analyst"), app.key("analyst", "other")):
        assert app.call("GET", "/v1/timeline", reader).get_json()["items"] == [note]
    for query, n in (("since=2026-11-20", 1), ("since=2026-11-21", 0), ("until=2026-11-20", 0)):
        assert len(app.call("GET", f"/v1/timeline?{query}", key).get_json()["items"]) == n
    assert app.refused(404, "DELETE", "/v1/timeline/99", key) == "no_such_note"
    assert app.refused(404, "DELETE", "/v1/timeline/one", key) == "no_such_note"
    assert app.call("DELETE", f"/v1/timeline/{note['id']}", key).status_code == 204
    assert app.rows(timeline_note) == []
    told = {"id": note["id"], "day": "2026-11-20", "account": None, "characters": 18}
    assert [line[1:] for line in app.audit()] == [("timeline.add", told), ("timeline.remove", told)]


def test_a_note_of_one_account_is_of_those_who_see_it(app: App) -> None:
    mine, theirs, all_ = app.key("supervisor", "acme"), app.key("supervisor", "other"), app.key("supervisor")
    assert app.refused(403, "POST", "/v1/timeline", mine, LAUNCH) == "account_not_allowed"
    assert app.refused(403, "POST", "/v1/timeline", theirs, {**LAUNCH, "account": "acme"}) == "account_not_allowed"
    note = app.call("POST", "/v1/timeline", mine, {**LAUNCH, "account": "acme"}).get_json()
    shown = [len(app.call("GET", "/v1/timeline", key).get_json()["items"]) for key in (mine, theirs, all_)]
    assert shown == [1, 0, 1]
    assert app.refused(404, "DELETE", f"/v1/timeline/{note['id']}", theirs) == "no_such_note"
    of_all = app.call("POST", "/v1/timeline", all_, LAUNCH).get_json()
    assert app.refused(403, "DELETE", f"/v1/timeline/{of_all['id']}", mine) == "account_not_allowed"


def test_a_repeated_note_is_written_once(app: App) -> None:
    key, named = app.key("supervisor"), {"Idempotency-Key": "n-1"}
    told = [app.call("POST", "/v1/timeline", key, LAUNCH, headers=named) for _ in range(2)]
    assert [each.status_code for each in told] == [201, 201]
    assert told[0].get_json() == told[1].get_json()
    assert len(app.rows(timeline_note)) == len(app.rows(posted_once)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "  "}, {"text": "x" * 121}, {"text": "a\0b"}, {"text": "a\u202eb"}, {"day": "soon"},
        {"day": "0001-01-01"}, {"account": 7}, {"account": "acmee"}, {"account": ""}, {"colour": "red"},
    ],
)  # fmt: skip
def test_an_unusable_timeline_note_is_refused(app: App, wrong: dict[str, Any]) -> None:
    app.refused(422, "POST", "/v1/timeline", app.key("supervisor"), {**LAUNCH, **wrong})
    assert app.refused(403, "POST", "/v1/timeline", app.key("analyst"), LAUNCH) == "role_not_allowed"
    assert app.rows(timeline_note) == []
