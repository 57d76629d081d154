"""No path leads an agent to a result: every route, wrong keys, filters, and every trace an answer leaves."""

import itertools
import json
import re
from dataclasses import fields, is_dataclass

import pytest
import sqlalchemy as sa

from service import web
from service.auth import Guard, log_access
from service.db import reading, writing
from service.models import access_log
from service.reports.api import register as api
from service.reports.api import row_schemas, schemas
from service.reports.figures import shapes, then_now
from tests.filled_ledgers import poured
from tests.reports.world import NOW, Client, World, settings_of
from tests.support import SOURCE_KEY

SECRET = "the customer's very own words"
CONVERSATION = "c-of-the-agent"
ROWS = (
    "/v1/results",
    "/v1/requests",
    "/v1/results/{request_id}",
    "/v1/requests/{request_id}",
    "/v1/results/{request_id}/notes",
    "/v1/results/{request_id}/mark",
    "/v1/results.csv",
    "/v1/results.jsonl",
    "/v1/results.xlsx",
    "/v1/results.parquet",
    "/v1/results.csv?manifest=true",
    "/v1/access-log",
    "/v1/people",
)
FIGURES = (
    "/v1/summary",
    "/v1/trend",
    "/v1/trend?by=agent&period=month",
    "/v1/breakdown?by=agent",
    "/v1/breakdown?by=team",
    "/v1/breakdown?by=hour",
    "/v1/coverage",
    "/v1/funnel",
    "/v1/compare?by=agent&a=ann&b=bob",
)
ONE_CONVERSATION = (
    {"conversation_id": CONVERSATION},
    {"agent_id": "bob"},
    {"agent_id": "bob", "team_id": "red"},
    {"team_id": "green"},
    {"agent_id": "bob", "score": "1"},
    {"agent_id": "bob", "has_text": "true"},
)


@pytest.fixture
def world(quick: World) -> World:
    """One answer of a small agent among the many of a large one; the same in another account."""
    quick.number, quick.bobs = poured(quick.engine, "one among many", lambda: filled(quick))
    return quick


def filled(world: World) -> tuple[int, str]:
    world.add(40, score=5, text="fine")
    world.add(40, score=2, text="bad", agent_id="cat", team_id="blue")
    [bobs] = world.add(1, score=1, text=SECRET, agent_id="bob", team_id="green", conversation_id=CONVERSATION)
    world.add(40, score=5, account="other")
    world.told()
    return world.number, bobs


def at(path: str, world: World) -> str:
    return path.replace("{request_id}", world.bobs)


def everything(answer) -> str:
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    return answer.get_data().decode("utf-8", "replace") + json.dumps(headers)


def routes(app) -> list[tuple[str, str]]:
    return sorted(
        (method, re.sub(r"<[^>]*>", "x", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"OPTIONS", "HEAD"}
    )


def test_every_route_says_how_it_is_guarded(world):
    app = world.app()
    silent = [name for name, view in app.view_functions.items() if not hasattr(view, "authentication")]
    assert silent == []
    open_ones = {n for n, view in app.view_functions.items() if not view.authentication.startswith("key: ")}
    described = ("openapi", "openapi_json", "page", "problem", "style", "versions")
    # a feed's address is its key; `/` leads browsers on and tells programs where everything is
    assert open_ones == {f"docs.{name}" for name in described} | {"reports.read_feed", "root"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer ",
        f"Bearer {SOURCE_KEY}",  # what a CRM signs with
        "Bearer dmf_nobody.nothing",
        "Basic eDphLWxvbmctcmFuZG9tLXBhc3N3b3JkLTE=",  # X's own way in
    ],
)
def test_no_route_tells_anything_without_a_key_of_ours(world, header):
    app, strangers = world.app(), itertools.count()
    for method, path in routes(app):
        if not path.startswith("/v1/"):
            continue
        # a feed's address is its key: a wrong one is no place at all
        refused = 404 if path == "/v1/feeds/x/x.csv" else 401
        for real in (path, path.replace("/x", f"/{world.bobs}")):
            # each from an address of its own: one that tries many wrong keys is answered 429
            answer = app.test_client().open(
                f"{real}?key={world.key()}",
                environ_overrides={"REMOTE_ADDR": f"198.51.100.{next(strangers)}"},
                method=method,
                json={} if method == "POST" else None,
                headers={} if header is None else {"Authorization": header},
            )
            assert answer.status_code == refused, (method, path)
            assert set(answer.get_json()) == {"type", "title", "status", "code", "detail", "request_id"}
            assert "ETag" not in answer.headers


def test_the_refusal_is_the_same_whether_the_result_exists_or_not(world):
    app = world.app()
    for path in (f"/v1/results/{world.bobs}", "/v1/results/fr_none"):
        answer = Client(app, None).get(path)
        body = answer.get_json() | {"request_id": ""}
        assert body["code"] == "key_missing"
    analyst = world.client("analyst")
    codes = {analyst.refused(path, 403) for path in (f"/v1/results/{world.bobs}", "/v1/results/fr_none")}
    assert codes == {"role_not_allowed"}


@pytest.mark.parametrize("path", ROWS)
def test_an_analyst_never_gets_a_row(world, path):
    analyst = world.client("analyst")
    answer = analyst.get(at(path, world))
    assert answer.status_code == 403
    assert world.bobs not in everything(answer)


@pytest.mark.parametrize("path", FIGURES)
def test_what_an_analyst_gets_names_no_conversation_and_no_words(world, path):
    told = everything(world.client("analyst").get(path))
    assert world.bobs not in told
    assert CONVERSATION not in told
    assert SECRET not in told


@pytest.mark.parametrize("path", FIGURES)
@pytest.mark.parametrize("query", ONE_CONVERSATION)
def test_no_figure_narrows_down_to_one_conversation(world, path, query):
    path, _, own = path.partition("?")
    given = {**dict(pair.split("=") for pair in own.split("&") if pair), **query}
    if path == "/v1/trend":
        given.setdefault("period", "week")
    answer = world.client("analyst").get(path, **given)
    if answer.status_code == 200:
        assert answered_figures(answer.get_json()) == []
    else:
        assert answer.get_json()["code"] in REFUSED


REFUSED = {"unknown_parameter", "invalid_parameter", "period_too_short", "one_at_a_time", "by_people_only"}


def answered_figures(value, path=""):
    """Every published number that is made of answers and not zero."""
    made_of_answers = {"n", "value", "mean", "low", "high", "successes", "answered", "scored", "commented"}
    if isinstance(value, dict):
        is_score = "distribution" in value
        is_rate = "successes" in value
        found = []
        for name, each in value.items():
            if name in made_of_answers and (is_score or (is_rate and name != "n") or name in {"answered", "scored"}):
                found += [(f"{path}.{name}", each)] if each not in (None, 0, 0.0) else []
            elif isinstance(each, (dict, list)):
                found += answered_figures(each, f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [one for i, each in enumerate(value) for one in answered_figures(each, f"{path}[{i}]")]
    return []


def test_the_search_for_published_figures_would_find_them(world):
    assert answered_figures(world.client("supervisor").get("/v1/summary").get_json())
    assert answered_figures(world.client("supervisor").get("/v1/funnel").get_json())


@pytest.mark.parametrize("path", ["/v1/results", "/v1/requests"])
@pytest.mark.parametrize("query", ONE_CONVERSATION)
def test_not_even_a_supervisor_finds_a_small_agents_answer_by_name(world, path, query):
    found = world.client().json(path, **query)
    assert found["items"] == []
    assert found["withheld"]


@pytest.mark.parametrize("query", ONE_CONVERSATION)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_small_agents_answer_is_not_named_in_an_export(world, ending, query):
    told = everything(world.client().get(f"/v1/results.{ending}", **query))
    assert world.bobs not in told
    assert SECRET not in told


def test_a_small_agents_row_leads_nowhere(world):
    supervisor = world.client()
    for path in (f"/v1/results/{world.bobs}", f"/v1/requests/{world.bobs}"):
        row = supervisor.json(path)
        assert (row["agent_id"], row["team_id"], row["conversation_id"], row["conversation_url"]) == (None,) * 4
        told = json.dumps(row)
        assert "bob" not in told
        assert CONVERSATION not in told
        assert SECRET not in told


def test_another_accounts_key_does_not_know_that_the_result_exists(world):
    other = world.client("supervisor", "other")
    assert other.refused(f"/v1/results/{world.bobs}", 404) == "no_such_result"
    assert other.refused("/v1/results/fr_none", 404) == "no_such_result"
    assert other.refused(f"/v1/requests/{world.bobs}", 404) == "no_such_request"
    assert other.refused(f"/v1/results/{world.bobs}/notes", 404) == "no_such_result"
    assert other.refused("/v1/results", 403, account="acme") == "account_not_allowed"
    assert {row["account"] for row in other.json("/v1/results", limit=250)["items"]} == {"other"}
    assert b"acme" not in other.get("/v1/results.csv").get_data()
    assert other.json("/v1/summary")["csat"]["n"] == 40


def test_a_note_cannot_be_left_at_another_accounts_result(world):
    other = world.client("supervisor", "other")
    answer = other.app.test_client().post(
        f"/v1/results/{world.bobs}/notes", json={"text": "x"}, headers={"Authorization": f"Bearer {other.key}"}
    )
    assert answer.status_code == 404


def test_an_etag_cannot_be_used_to_guess_an_answer(world):
    """A guess costs a key that may read the figure; then the ETag adds nothing to the figure itself."""
    supervisor, analyst = world.client(), world.client("analyst")
    for path in ("/v1/summary", "/v1/summary?agent_id=bob"):
        first, second = supervisor.get(path), analyst.get(path)
        assert (first.headers["ETag"] == second.headers["ETag"]) == (first.get_data() == second.get_data())
    nobody = Client(world.app(), None)
    for reader, path in ((analyst, "/v1/summary"), (supervisor, "/v1/results")):
        etag = reader.get(path).headers["ETag"]
        assert nobody.get(path, headers={"If-None-Match": etag}).status_code == 401
    assert analyst.get("/v1/results", headers={"If-None-Match": etag}).status_code == 403


def test_the_etag_of_a_small_agents_figure_is_the_same_whatever_the_score(quick):
    quick.add(40, score=3)
    [one] = quick.add(1, score=1, agent_id="bob")
    client, etags = quick.client("analyst"), set()
    for score in (1, 3, 5):
        quick.set_result(one, score=score)
        etags.add(client.get("/v1/breakdown?by=agent&agent_id=bob&type=csat").headers["ETag"])
    assert len(etags) == 1


def test_the_access_log_holds_no_answer(world):
    supervisor = world.client()
    supervisor.json("/v1/results", limit=250)
    supervisor.get("/v1/results.csv").get_data()
    supervisor.json(f"/v1/results/{world.bobs}")
    with reading(world.engine) as connection:
        told = str(connection.execute(sa.select(access_log)).all())
    assert SECRET not in told
    assert "score" not in told


def test_no_error_repeats_an_answer(world):
    supervisor = world.client()
    for query in ({"score": SECRET}, {"since": SECRET}, {"cursor": "x"}):
        assert SECRET not in everything(supervisor.get("/v1/results", **query))


def test_under_an_embargo_nothing_of_today_shows_on_any_route(world):
    world.settings = settings_of(reports__embargo="next_day")
    with_today = World(world.engine, world.settings)
    client = with_today.client("admin")
    before = {path: client.get(path).get_data() for path in FIGURES if path != "/v1/coverage"}
    before_rows = client.json("/v1/results", limit=250)["items"]
    world.number += 1000
    with_today.number = world.number
    today = with_today.add(12, score=1, text="today's words", days_ago=0.2, agent_id="cat", team_id="blue")
    for path, body in before.items():
        assert scores_of(client.get(path).get_json()) == scores_of(json.loads(body)), path
    assert client.json("/v1/results", limit=250)["items"] == before_rows
    assert client.refused(f"/v1/results/{today[0]}", 404) == "no_such_result"
    told = client.get("/v1/results.csv").get_data().decode()
    assert "today's words" not in told
    ledger = client.json(f"/v1/requests/{today[0]}")
    assert ledger["updated_at"] < "2026-11-22T09"


def scores_of(value):
    if isinstance(value, dict):
        own = [value["distribution"], value["n"]] if value.get("n") and "distribution" in value else []
        return own + [one for each in value.values() for one in scores_of(each)]
    return [one for each in value for one in scores_of(each)] if isinstance(value, list) else []


def test_agents_are_data_and_have_no_role():
    from service.auth import ROLES

    assert set(ROLES) == {"admin", "supervisor", "analyst", "monitor", "hand_in"}


def test_no_answer_carries_the_customers_identity():
    """Supervisors rate service, not people: the X user is in no schema, the CRM's customer for admins only."""
    words = {"x_user_id", "x_handle", "feedback_id", "card_dm_id", "dm_event_id"}
    for module in (schemas, row_schemas):
        for name in dir(module):
            if name.endswith("Schema"):
                assert not words & set(getattr(module, name)._declared_fields), name
    for shape in (*vars(shapes).values(), *vars(then_now).values()):
        assert not (is_dataclass(shape) and words & {each.name for each in fields(shape)}), shape
    from service.reports.rows.export import COLUMNS

    assert not words & set(COLUMNS)


def test_the_crms_customer_is_told_to_admins_only(quick):
    quick.add(9, score=5, customer_ref="cust-77", tags=["vip"], channel="x_dm")
    for path in ("/v1/results", "/v1/requests"):
        assert quick.client("admin").json(path)["items"][0]["customer_ref"] == "cust-77"
        told = quick.client("supervisor").json(path)["items"][0]
        assert (told["customer_ref"], told["tags"], told["channel"]) == (None, ["vip"], "x_dm")
    for format_ in ("csv", "jsonl"):
        assert "cust-77" not in quick.client("supervisor").get(f"/v1/results.{format_}").get_data(as_text=True)
        assert "cust-77" in quick.client("admin").get(f"/v1/results.{format_}").get_data(as_text=True)


def test_a_route_without_a_guard_would_be_found(world):
    app = world.app()
    app.add_url_rule("/v1/leak", "leak", lambda: "x")
    assert [name for name, view in app.view_functions.items() if not hasattr(view, "authentication")] == ["leak"]


def test_the_log_of_reading_is_written_before_the_first_byte_leaves(world):
    supervisor = world.client()
    answer = supervisor.get("/v1/results.csv")
    with reading(world.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(access_log)) == 1
    answer.get_data()


def test_an_answer_that_cannot_be_logged_is_not_given(world):
    """If the access log cannot be written, the export does not begin."""
    from flask import Flask

    app = Flask("broken")
    guard = Guard(world.engine, world.clock, 600)
    built = web.setup(app, world.settings.web)
    built.register_blueprint(api.blueprint(world.settings, world.engine, guard, world.clock))
    key = world.key()
    with writing(world.engine) as connection:
        log_access(connection, "x", "y", {}, NOW)
        connection.execute(sa.text("ALTER TABLE access_log RENAME TO gone"))
    answer = Client(app, key).get("/v1/results.csv")
    assert answer.status_code >= 500
    assert SECRET not in everything(answer)
