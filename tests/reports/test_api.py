"""The results API over HTTP: pages, figures, notes, refusals."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.auth import keys
from service.db import reading, writing
from service.models import access_log, posted_once, review_note
from service.privacy import housekeeping
from service.reports.statistics.definitions import DEFINITIONS
from tests.reports.world import NOW, Client, World, settings_of

AGGREGATES = (
    "/v1/summary",
    "/v1/trend",
    "/v1/breakdown?by=team",
    "/v1/coverage",
    "/v1/funnel",
    "/v1/completeness",
    "/v1/definitions",
    "/v1/compare?by=team&a=red&b=blue",
)


def pages(client: Client, path: str, **query):
    cursor = ""
    while True:
        page = client.json(path, cursor=cursor, **query)
        yield page
        cursor = page["next_cursor"]
        if not cursor:
            return


def actions(world: World) -> list[tuple[str, dict]]:
    with reading(world.engine) as connection:
        rows = connection.execute(sa.select(access_log.c.action, access_log.c.detail).order_by(access_log.c.id))
        return [(row.action, row.detail) for row in rows]


def test_a_supervisor_reads_results_page_by_page(world):
    made = world.add(9, score=5, text="thank you")
    client = world.client()
    found = [row for page in pages(client, "/v1/results", limit=4) for row in page["items"]]
    assert [row["request_id"] for row in found] == made
    assert found[0]["text"] == "thank you"
    assert found[0]["score"] == 5
    assert found[0]["ended_at"].endswith("Z")
    assert (found[0]["score_after_s"], found[0]["text_after_s"]) == (540, 600)
    assert found[0]["conversation_url"] == "https://crm.example/c/c-1"


def test_resumed_lists_follow_the_order_of_commits(world):
    world.add(3, score=5, days_ago=1)
    client = world.client()
    resume = client.json("/v1/results")["resume_cursor"]
    assert client.json("/v1/results", cursor=resume)["items"] == []
    [late] = world.add(1, score=4, days_ago=2)
    world.set_result(late, updated_at=NOW - timedelta(days=2))
    page = client.json("/v1/results", cursor=resume)
    assert [row["request_id"] for row in page["items"]] == [late], "stamped long before, sealed after"
    assert client.json("/v1/results", cursor=page["resume_cursor"])["items"] == []


def test_one_result_has_its_history_and_one_request_its_life(world):
    made = world.add(9, score=5, text="fine")
    client = world.client()
    result = client.json(f"/v1/results/{made[0]}")
    assert (result["score"], result["text"], result["updates"]) == (5, "fine", [])
    request = client.json(f"/v1/requests/{made[0]}")
    assert [(step["from_state"], step["to_state"]) for step in request["transitions"]] == [("received", "card_sent")]
    assert not {"score", "text", "score_at", "text_at"} & request.keys()


def test_the_reason_somebody_was_not_asked_is_shown(quick):
    [skipped] = quick.add(state="skipped", reason="cooldown", agent_id="bob")
    [row] = quick.client().json("/v1/requests", reason="cooldown")["items"]
    assert (row["request_id"], row["state"], row["reason"], row["agent_id"]) == (skipped, "skipped", "cooldown", "bob")


def test_notes_are_kept_beside_the_result(world):
    [one] = world.add(1, score=5)
    client = world.client()
    path = f"/v1/results/{one}/notes"
    headers = {"Authorization": f"Bearer {client.key}"}
    answer = client.app.test_client().post(path, json={"text": " called back "}, headers=headers)
    assert answer.status_code == 201
    assert answer.get_json()["text"] == "called back"
    [note] = client.json(path)["items"]
    assert note["author"].startswith("supervisor key")
    assert [action for action, _ in actions(world)] == ["notes.add", "notes.read"]
    assert "called back" not in json.dumps(actions(world))


def test_a_note_with_an_idempotency_key_is_stored_once(world):
    [one, *_] = world.add(9, score=5)
    client = world.client()
    path, named = f"/v1/results/{one}/notes", {"Authorization": f"Bearer {client.key}", "Idempotency-Key": "n-1"}

    def post(text, headers=named):
        return client.app.test_client().post(path, json={"text": text}, headers=headers)

    first, again = post("call back"), post("call back")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    other = post("something else")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    assert len(client.json(path)["items"]) == 1
    assert post("call back", {**named, "Idempotency-Key": "n-2"}).status_code == 201
    assert post("x", {**named, "Idempotency-Key": "n" * 256}).get_json()["code"] == "invalid_idempotency_key"
    world.clock.now += timedelta(days=2)
    post("call back")
    assert len(client.json(path)["items"]) == 3


def test_an_idempotency_key_stores_no_text_and_expires_after_a_day(world):
    [one, *_] = world.add(9, score=5)
    client = world.client()
    path, named = f"/v1/results/{one}/notes", {"Authorization": f"Bearer {client.key}", "Idempotency-Key": "n-1"}

    def post():
        return client.app.test_client().post(path, json={"text": "call back"}, headers=named)

    note = post().get_json()
    with writing(world.engine) as connection:
        assert connection.scalars(sa.select(posted_once.c.answer)).all() == [{"id": note["id"]}]
        connection.execute(sa.delete(review_note))
    again = post()
    assert (again.status_code, again.get_json()["code"]) == (409, "note_gone")
    housekeeping.prune(world.engine, world.settings, world.clock.now + timedelta(hours=23), dry_run=False)
    assert post().status_code == 409
    housekeeping.prune(world.engine, world.settings, world.clock.now + timedelta(hours=25), dry_run=False)
    with reading(world.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(posted_once)) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": ""}, "invalid_note"),
        ({"text": "a\0b"}, "invalid_note"),
        ({"text": "a" * 4001}, "invalid_note"),
        ({"text": 5}, "invalid_parameter"),
        ({}, "invalid_parameter"),
        ({"text": "a", "author": "me"}, "unknown_parameter"),
    ],
)
def test_notes_that_cannot_be_kept_are_refused(quick, body, code):
    [one] = quick.add(1, score=5)
    client = quick.client()
    answer = client.app.test_client().post(
        f"/v1/results/{one}/notes", json=body, headers={"Authorization": f"Bearer {client.key}"}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_body_that_is_no_json_is_refused_as_such(quick):
    [one] = quick.add(1, score=5)
    client = quick.client()
    http, headers = client.app.test_client(), {"Authorization": f"Bearer {client.key}"}
    path = f"/v1/results/{one}/notes"
    assert http.post(path, data={"text": "a"}, headers=headers).status_code == 415
    broken = http.post(path, data=b'{"text', content_type="application/json", headers=headers)
    assert (broken.status_code, broken.get_json()["code"]) == (400, "not_json")


@pytest.mark.parametrize("path", AGGREGATES)
def test_figures_have_an_etag_and_answer_304_until_they_change(quick, path):
    quick.add(9, score=5)
    client = quick.client("analyst")
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_an_answer_changes_the_etag(quick):
    quick.add(9, score=5)
    client = quick.client()
    before = client.get("/v1/summary").headers["ETag"]
    quick.add(1, score=1)
    assert client.get("/v1/summary").headers["ETag"] != before


def test_a_summary_is_written_as_documented(quick):
    quick.add(6, score=5)
    summary = quick.client("supervisor").json("/v1/summary", since="2026-11-01")
    assert summary["csat"]["distribution"][-1] == {"score": 5, "n": 6}
    assert summary["csat"]["method"] == "wilson"
    assert summary["since"] == "2026-11-01T00:00:00.000000Z"
    assert summary["nps"]["n"] == 0
    assert summary["response_rate_of_delivered"]["value"] == 100


def test_two_periods_are_compared(quick):
    quick.add(40, score=5, days_ago=20)
    quick.add(40, score=2, days_ago=5)
    found = quick.client("supervisor").json(
        "/v1/compare", since="2026-10-20", until="2026-11-10", other_since="2026-11-10", other_until="2026-11-22"
    )
    csat = found["comparisons"][0]
    assert (csat["a"]["value"], csat["b"]["value"], csat["change"]["verdict"]) == (100, 0, "changed")


@pytest.mark.parametrize(
    "query",
    [{}, {"by": "team"}, {"by": "team", "a": "x"}, {"by": "team", "a": "x", "b": "y", "other_since": "2026-01-01"}],
)
def test_a_comparison_needs_two_sides(quick, query):
    assert quick.client().refused("/v1/compare", 422, **query) == "two_sides_needed"


def test_definitions_are_in_words(quick):
    found = quick.client("analyst").json("/v1/definitions")
    assert {each["name"] for each in found["definitions"]} == set(DEFINITIONS)


def test_every_reading_of_answers_is_logged_without_their_words(world):
    made = world.add(9, score=5, text="a secret word")
    client = world.client()
    client.json("/v1/results", agent_id="ann")
    client.json(f"/v1/results/{made[0]}")
    client.get("/v1/results.csv", answered="true").get_data()
    logged = actions(world)
    assert [action for action, _ in logged] == ["results.list", "results.read", "results.export"]
    assert logged[0][1] == {"filter": {"agent_id": ["ann"]}, "rows": 9, "on": False}
    assert "secret" not in json.dumps(logged)


def test_an_admin_of_everything_reads_the_access_log_page_by_page(world):
    world.add(1, score=5)
    supervisor, admin = world.client(), world.client("admin")
    for _ in range(5):
        supervisor.json("/v1/results")
    found = [line for page in pages(admin, "/v1/access-log", limit=2) for line in page["items"]]
    assert [line["action"] for line in found] == ["results.list"] * 5
    assert found[0]["actor"].startswith("supervisor key (")
    assert (found[0]["address"], found[0]["outcome"]) == ("127.0.0.1", "done")
    assert world.client("admin", "acme").refused("/v1/access-log", 403) == "whole_service_only"
    assert supervisor.refused("/v1/access-log", 403) == "role_not_allowed"


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/results", {"agent": "ann"}, "unknown_parameter"),
        ("/v1/results", {"limit": "251"}, "invalid_parameter"),
        ("/v1/results", {"limit": "0"}, "invalid_parameter"),
        ("/v1/results", {"limit": "2.0"}, "invalid_parameter"),
        ("/v1/results", {"limit": ["1", "2"]}, "invalid_parameter"),
        ("/v1/results", {"sort": "score"}, "invalid_parameter"),
        ("/v1/results", {"cursor": "abc"}, "bad_cursor"),
        ("/v1/results", {"cursor": "é"}, "bad_cursor"),
        ("/v1/results", {"cursor": "A" * 5000}, "bad_cursor"),
        ("/v1/results", {"since": "2026-02-01", "until": "2026-01-01"}, "since_after_until"),
        ("/v1/results", {"request_id": [f"fr_{i}" for i in range(10_000)]}, "invalid_parameter"),
        ("/v1/results", {"agent_id": "a\0"}, "invalid_parameter"),
        ("/v1/access-log", {"cursor": "abc"}, "bad_cursor"),
        ("/v1/summary", {"score": "5"}, "unknown_parameter"),
        ("/v1/summary", {"request_id": "fr_1"}, "unknown_parameter"),
        ("/v1/definitions", {"x": "1"}, "unknown_parameter"),
        ("/v1/breakdown", {}, "invalid_parameter"),
        ("/v1/breakdown", {"by": "customer"}, "invalid_parameter"),
        ("/v1/trend", {"since": "1926-11-22", "until": "2026-11-22"}, "range_too_long"),
        ("/v1/trend", {"since": "2026-11-01", "until": "2126-11-22"}, "range_too_long"),
        ("/v1/trend", {"period": "hour"}, "invalid_parameter"),
        ("/v1/trend", {"zone": "Mars/Phobos"}, "unknown_zone"),
        ("/v1/trend", {"zone": "../../etc/passwd"}, "unknown_zone"),
        ("/v1/compare", {"by": "variant", "a": "x", "b": "2"}, "invalid_parameter"),
        ("/v1/compare", {"by": "variant", "a": "9" * 20, "b": "2"}, "invalid_parameter"),
        ("/v1/compare", {"by": "variant", "a": "\u0663", "b": "2"}, "invalid_parameter"),
        ("/v1/results.csv", {"limit": "5"}, "unknown_parameter"),
    ],
)
def test_bad_input_is_refused_with_a_stable_code(quick, path, query, code):
    assert quick.client("admin").refused(path, 422, **query) == code


def test_a_cursor_of_another_filter_is_refused(quick):
    quick.add(3, score=5)
    client = quick.client()
    cursor = client.json("/v1/results", limit=1)["next_cursor"]
    assert client.refused("/v1/results", 422, cursor=cursor, agent_id="ann") == "cursor_of_another_question"
    assert client.refused("/v1/results", 422, cursor=cursor, sort="ended_at") == "cursor_of_another_question"
    assert client.refused("/v1/requests", 422, cursor=cursor) == "cursor_of_another_question"
    other = quick.client("supervisor", "acme")
    assert other.refused("/v1/results", 422, cursor=cursor) == "cursor_of_another_question"
    assert client.json("/v1/results", cursor=cursor, limit=2)["items"]


def test_a_cursor_that_was_tampered_with_is_refused(quick):
    quick.add(3, score=5)
    client = quick.client()
    cursor = client.json("/v1/results", limit=1)["next_cursor"]
    flipped = cursor[:-3] + ("A" if cursor[-3] != "A" else "B") + cursor[-2:]
    assert client.refused("/v1/results", 422, cursor=flipped) == "bad_cursor"


def test_keys_that_are_missing_wrong_or_revoked_are_refused(quick):
    app, good = quick.app(), quick.key()
    assert Client(app, None).refused("/v1/summary", 401) == "key_missing"
    assert Client(app, "dmf_x.y").refused("/v1/summary", 401) == "key_invalid"
    assert Client(app, good).get("/v1/summary").status_code == 200
    with writing(quick.engine) as connection:
        keys.revoke(connection, good, quick.clock.now)
    answer = Client(app, good).get("/v1/summary")
    assert (answer.status_code, answer.get_json()["code"]) == (401, "key_invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_key_is_checked_before_anything_else(quick):
    assert Client(quick.app(), None).refused("/v1/results", 401, nonsense="1") == "key_missing"


def test_calls_are_counted_and_the_headers_say_so(quick):
    quick.settings = settings_of(web__requests_per_minute=3)
    client = quick.client()
    left = [client.get("/v1/definitions").headers["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = client.get("/v1/definitions")
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]


def test_several_figures_come_in_one_call_and_are_those_of_the_calls_alone(world):
    world.add(30, score=5)
    world.add(12, score=1, team_id="blue", agent_id="bob")
    client = world.client()
    asked = {"figure": ["summary", "trend", "breakdown", "coverage", "funnel"], "by": ["team", "agent"]}
    told = client.json("/v1/figures", **asked, trend_by="team", period="month", coverage_by="team")
    assert told["summary"] == client.json("/v1/summary")
    assert told["funnel"] == client.json("/v1/funnel")
    assert told["trend"] == client.json("/v1/trend", by="team", period="month")
    assert told["coverage"] == client.json("/v1/coverage", by="team")
    alone = [client.json("/v1/breakdown", by=by)["items"] for by in ("team", "agent")]
    assert told["breakdown"]["items"] == alone[0] + alone[1]
    assert told["completeness"] is None
    for wrong in ({}, {"figure": "results"}, {"figure": "breakdown"}, {"figure": "summary", "by": "team"}):
        assert client.refused("/v1/figures", 422, **wrong) == "invalid_parameter"


def test_a_file_is_served_as_plain_bytes_on_request(world):
    world.add(1, score=5)
    client = world.client()
    for kind, own in (("xlsx", "application/vnd."), ("parquet", "application/vnd."), ("jsonl", "application/jsonl")):
        path = f"/v1/results.{kind}"
        named = client.get(path)
        size = len(named.data)
        plain = client.get(path, {"Accept": "application/octet-stream"})
        assert named.content_type.startswith(own)
        assert plain.content_type == "application/octet-stream"
        assert len(plain.data) == size > 0
    assert client.get("/v1/results.csv", {"Accept": "application/octet-stream"}).mimetype == "text/csv"
