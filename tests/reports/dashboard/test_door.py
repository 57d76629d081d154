"""Signing in to the dashboard: who gets in, for how long, and that no other site can act in their name."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.auth.attempts import WRONG_PER_WINDOW
from service.db import reading, writing
from service.models import access_log, key_use, review_note, session
from service.reports.dashboard.door import safe_path
from service.settings import Settings, from_tree
from tests.reports.dashboard.population import Population, settings_tree
from tests.support import Clock

PAGES = (
    *("/", "/explore", "/comments", "/coverage", "/operations", "/conversations", "/timeline", "/definitions"),
    "/report",
)
DOWNLOADS = ("/download/rows.csv", "/download/figures.csv", "/download/figures.xlsx")


@pytest.mark.parametrize("path", [*PAGES, *DOWNLOADS, "/results/fr_1"])
def test_nobody_sees_a_page_without_a_session(app: flask.Flask, path: str) -> None:
    answer = app.test_client().get(f"/dashboard{path}")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/dashboard/sign-in?next=/dashboard")


def test_every_route_of_the_dashboard_says_how_it_authenticates(app: flask.Flask) -> None:
    ours = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("dashboard.")}
    silent = {name for name in ours if not getattr(app.view_functions[name], "authentication", None)}
    assert len(ours) >= 14
    assert silent == set()


def test_a_key_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(
    app: flask.Flask, population: Population
) -> None:
    answer = app.test_client().post(
        "/dashboard/sign-in", data={"key": f" {population.keys['analyst']} ", "next": "/dashboard/coverage?by=team"}
    )
    cookie = answer.headers["Set-Cookie"]
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/coverage?by=team")
    assert cookie.startswith("dmf=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert population.keys["analyst"].partition(".")[2] not in cookie


def test_over_https_the_cookie_is_bound_to_this_very_host(engine: Engine, population: Population, clock: Clock) -> None:
    app = create_app(from_tree(settings_tree("sqlite:///x.db", web__secure_cookies=True), {}), engine, clock)
    client = app.test_client()
    answer = client.post(
        "/dashboard/sign-in", data={"key": population.keys["admin"]}, base_url="https://feedback.example"
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-dmf=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain=" not in cookie
    assert client.get("/dashboard/", base_url="https://feedback.example").status_code == 200


def test_every_wrong_key_gets_the_same_words(
    app: flask.Flask, engine: Engine, population: Population, clock: Clock
) -> None:
    with writing(engine) as connection:
        revoked = keys.create(connection, "gone", "admin", [], clock.now)
        keys.revoke(connection, revoked, clock.now)
    right = population.keys["admin"]
    answers = {
        app.test_client().post("/dashboard/sign-in", data={"key": key}).text
        for key in (
            right[:-1] + ("A" if right[-1] != "A" else "B"),
            "dmf_0000.nothing",
            "nonsense",
            "dmf_\0.x",
            "\u202e",
            "",
            revoked,
        )
    }
    assert len(answers) == 1
    assert "This key is not valid" in answers.pop()


def wrong(client: FlaskClient, key: str = "dmf_x.wrong", address: str = "192.0.2.1") -> int:
    where = {"REMOTE_ADDR": address}
    return client.post("/dashboard/sign-in", data={"key": key}, environ_overrides=where).status_code


def test_wrong_keys_of_an_address_are_limited_and_never_lock_the_right_one_out(
    app: flask.Flask, population: Population, clock: Clock
) -> None:
    client = app.test_client()
    assert [wrong(client) for _ in range(WRONG_PER_WINDOW + 2)] == [401] * WRONG_PER_WINDOW + [429] * 2
    refused = client.post("/dashboard/sign-in", data={"key": "x"}, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert int(refused.headers["Retry-After"]) <= 600
    assert wrong(client, population.keys["admin"]) == 303
    assert wrong(client, address="192.0.2.2") == 401
    clock.forward(minutes=11)
    assert wrong(client) == 401


def test_a_whole_network_of_ipv6_is_one_client(app: flask.Flask) -> None:
    client = app.test_client()
    said = [wrong(client, address=f"2001:db8::{each:x}") for each in range(1, WRONG_PER_WINDOW + 2)]
    assert said == [401] * WRONG_PER_WINDOW + [429]
    assert wrong(client, address="2001:db8:0:1::1") == 401


def begins_to_write(connection: sa.Connection) -> list[str]:
    return ["WRITES"] if connection.get_execution_options().get("dm_feedback_writes") else []


def test_beyond_the_limit_a_wrong_key_costs_no_query(app: flask.Flask, engine: Engine, population: Population) -> None:
    client = app.test_client()
    for _ in range(WRONG_PER_WINDOW + 1):
        wrong(client)
    asked: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_rest: asked.append(statement))
    sa.event.listen(engine, "begin", lambda connection: asked.extend(begins_to_write(connection)))
    assert [wrong(client) for _ in range(5)] == [429] * 5
    assert len([each for each in asked if each.startswith("SELECT")]) <= 1, "the valid ones are asked for once"
    assert not [each for each in asked if each.startswith(("INSERT", "UPDATE", "WRITES"))]


def test_old_counts_are_removed(app: flask.Flask, engine: Engine, clock: Clock) -> None:
    client = app.test_client()
    wrong(client)
    clock.forward(minutes=30)
    wrong(client)
    with reading(engine) as connection:
        assert connection.scalars(sa.select(key_use.c.used)).all() == [1, 1], "of the address, and of all"


def test_sign_ins_and_outs_are_logged_without_a_secret(
    app: flask.Flask, engine: Engine, population: Population
) -> None:
    client = app.test_client()
    wrong(client, population.keys["admin"][:-3] + "xyz", "192.0.2.9")
    client.post("/dashboard/sign-in", data={"key": population.keys["admin"]})
    client.get("/dashboard/")
    client.post("/dashboard/sign-out", data={"form_token": token_of(client)})
    with reading(engine) as connection:
        lines = connection.execute(sa.select(access_log).order_by(access_log.c.id)).all()
    admin = population.keys["admin"].removeprefix("dmf_").partition(".")[0]
    assert [(line.action, line.outcome, line.address) for line in lines] == [
        ("key.refused", "refused", "192.0.2.9"),
        ("session.begin", "done", "127.0.0.1"),
        ("dashboard.worst", "done", "127.0.0.1"),
        ("session.end", "done", "127.0.0.1"),
    ]
    assert lines[0].detail == {"surface": "dashboard", "code": "key_invalid", "key_id": admin}
    assert lines[0].actor == "nobody"
    assert population.keys["admin"].partition(".")[2][:-3] not in str(lines)


def test_a_new_sign_in_ends_the_old_session_of_the_browser(client: FlaskClient, population: Population) -> None:
    old = client.get_cookie("dmf")
    assert old is not None
    assert client.post("/dashboard/sign-in", data={"key": population.keys["admin"]}).status_code == 303
    other = client.application.test_client()
    other.set_cookie("dmf", old.value)
    assert other.get("/dashboard/").status_code == 303


def test_ones_own_sessions_are_listed_and_ended_and_nobody_elses(
    signed_in: Callable[[str], FlaskClient], client: FlaskClient
) -> None:
    second, stranger = signed_in("supervisor"), signed_in("admin")
    page = client.get("/dashboard/sessions").text
    assert (page.count("This browser"), page.count("Another browser")) == (1, 1)
    ends = re.findall(r'action="(/dashboard/sessions/[0-9a-f]{16}/end)"', page)
    their = re.findall(r'action="(/dashboard/sessions/[0-9a-f]{16}/end)"', stranger.get("/dashboard/sessions").text)
    (other,) = [each for each in ends if f'{each}"' not in page[: page.index("Another browser")]]
    form = {"form_token": token_of(client)}
    assert client.post(their[0], data=form).status_code == 404
    assert client.post(other, data=form).status_code == 303
    assert second.get("/dashboard/").status_code == 303
    assert stranger.get("/dashboard/").status_code == 200
    assert client.get("/dashboard/").status_code == 200


@pytest.mark.parametrize("role", ["monitor", "hand_in"])
def test_keys_of_machines_open_no_dashboard(app: flask.Flask, engine: Engine, clock: Clock, role: str) -> None:
    with writing(engine) as connection:
        key = keys.create(connection, "machine", role, [], clock.now)
    assert wrong(app.test_client(), key) == 403
    with reading(engine) as connection:
        line = connection.execute(sa.select(access_log)).one()
    assert (line.action, line.outcome, line.detail["code"]) == ("call.refused", "refused", "role_not_allowed")
    assert line.actor.startswith("machine (")


def test_a_session_is_valid_only_where_its_key_is(app: flask.Flask, engine: Engine, clock: Clock) -> None:
    with writing(engine) as connection:
        bounds = keys.Bounds(networks=("127.0.0.0/8",), expires_at=clock.now + timedelta(minutes=5))
        key = keys.create(connection, "bound", "analyst", [], clock.now, bounds)
        narrow = keys.create(connection, "api", "analyst", [], clock.now, keys.Bounds(routes=("/v1/summary",)))
    client = app.test_client()
    assert wrong(client, narrow) == 403
    assert wrong(client, key, "192.0.2.1") == 403
    assert wrong(client, key, "127.0.0.1") == 303
    assert client.get("/dashboard/").status_code == 200
    assert client.get("/dashboard/", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    clock.forward(minutes=5)
    assert client.get("/dashboard/").status_code == 303


def test_a_session_ends_by_idling_and_the_page_says_so(client: FlaskClient, clock: Clock) -> None:
    clock.forward(minutes=29)
    assert client.get("/dashboard/operations").status_code == 200
    clock.forward(minutes=29)
    assert client.get("/dashboard/operations").status_code == 200
    clock.forward(minutes=31)
    answer = client.get("/dashboard/operations", follow_redirects=True)
    assert "Your session has ended" in answer.text
    assert 'value="/dashboard/operations"' in answer.text


def test_a_form_outlives_its_session_and_is_sent_again(
    client: FlaskClient, population: Population, engine: Engine, clock: Clock
) -> None:
    path = f"/dashboard/results/{population.commented[0]}/notes"
    said = "Rang twice.\r\n<b>Nobody</b> there."
    sent = {"text": said, "back": f"/dashboard/results/{population.commented[0]}?mood=unhappy", "form_token": "old"}
    clock.forward(minutes=31)
    page = client.post(path, data=sent)
    assert page.status_code == 401
    assert "what you typed is kept" in page.text
    again = client.post("/dashboard/sign-in", data={**hidden_of(page.text), "key": "dmf_0.0"})
    assert again.status_code == 401
    assert "WWW-Authenticate" not in again.headers, "a browser would ask for a password of its own"
    form = client.post("/dashboard/sign-in", data={**hidden_of(again.text), "key": population.keys["supervisor"]})
    assert form.status_code == 200
    assert html.escape(said, quote=False).replace("\r\n", "\n") in form.text.replace("\r\n", "\n")
    assert f'action="{path}"' in form.text
    assert "/dashboard/results/" in form.text
    assert "mood=unhappy" in form.text
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(review_note)) == 0, "nothing is done unasked"
    assert client.post(path, data={**hidden_of(form.text), "text": said}).status_code == 303
    with reading(engine) as connection:
        assert connection.scalar(sa.select(review_note.c.text)) == said


def hidden_of(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def test_a_form_of_another_site_is_not_carried_over_the_sign_in(app: flask.Flask, population: Population) -> None:
    client, path = app.test_client(), f"/dashboard/results/{population.commented[0]}/notes"
    foreign = client.post(path, data={"text": "planted"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    data = {"key": population.keys["supervisor"], "unsent_action": "https://evil.example/", "unsent.text": "x"}
    assert client.post("/dashboard/sign-in", data=data).headers["Location"] == "/dashboard/"
    assert client.post("/dashboard/sign-out", data={"form_token": "x"}).status_code == 403


def test_a_click_is_noted_once_a_minute_and_the_others_write_nothing(
    client: FlaskClient, engine: Engine, clock: Clock
) -> None:
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE session"):
            written.append("UPDATE")

    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "begin", lambda connection: written.extend(begins_to_write(connection)))
    clock.forward(seconds=60)
    assert client.get("/dashboard/explore").status_code == 200
    assert written == []
    clock.forward(seconds=1)
    assert client.get("/dashboard/explore").status_code == 200
    assert written == ["WRITES", "UPDATE"]


def test_a_database_that_takes_no_writes_can_still_be_read(client: FlaskClient, engine: Engine, clock: Clock) -> None:
    def query_only(connection: Any, *_rest: object) -> None:
        connection.cursor().execute("PRAGMA query_only=ON")

    sa.event.listen(engine, "checkout", query_only)
    clock.forward(minutes=5)
    assert client.get("/dashboard/").status_code == 200
    assert client.get("/dashboard/comments").status_code == 503  # reading words is logged, or not done


def test_the_sign_in_page_tells_when_a_session_ends(app: flask.Flask) -> None:
    page = " ".join(app.test_client().get("/dashboard/sign-in").text.split())
    assert "ends after 30 minutes without a click, after 12 hours at the latest, when you sign out" in page


def test_a_session_ends_with_its_key(client: FlaskClient, engine: Engine, population: Population, clock: Clock) -> None:
    with writing(engine) as connection:
        keys.revoke(connection, population.keys["supervisor"], clock.now)
    assert client.get("/dashboard/").status_code == 303


def test_signing_out_ends_the_session_on_the_server(client: FlaskClient, engine: Engine) -> None:
    stolen = client.get_cookie("dmf")
    assert stolen is not None
    answer = client.post("/dashboard/sign-out", data={"form_token": token_of(client)}, follow_redirects=True)
    assert "You are signed out" in answer.text
    client.set_cookie("dmf", stolen.value)
    assert client.get("/dashboard/").status_code == 303
    with reading(engine) as connection:
        assert connection.execute(sa.select(session)).all() == []


@pytest.mark.parametrize("token", ["", "0" * 64, "\u00e9", None])
def test_a_form_without_its_token_changes_nothing(
    client: FlaskClient, engine: Engine, population: Population, token: str | None
) -> None:
    data = {"text": "forged"} | ({} if token is None else {"form_token": token})
    answer = client.post(f"/dashboard/results/{population.commented[0]}/notes", data=data)
    assert answer.status_code == 403
    with reading(engine) as connection:
        assert connection.execute(sa.select(review_note)).all() == []


def test_a_token_of_another_session_is_refused(
    signed_in: Callable[[str], FlaskClient], client: FlaskClient, population: Population
) -> None:
    other = token_of(signed_in("admin"))
    answer = client.post(f"/dashboard/results/{population.commented[0]}/notes", data={"text": "x", "form_token": other})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_neither_sign_us_in_nor_out(
    app: flask.Flask, client: FlaskClient, population: Population, headers: dict[str, str]
) -> None:
    key = {"key": population.keys["admin"]}
    assert app.test_client().post("/dashboard/sign-in", data=key, headers=headers).status_code == 403
    out = client.post("/dashboard/sign-out", data={"form_token": token_of(client)}, headers=headers)
    assert out.status_code == 403
    assert client.get("/dashboard/").status_code == 200


def test_our_own_pages_may_post(app: flask.Flask, population: Population) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    answer = app.test_client().post("/dashboard/sign-in", data={"key": population.keys["admin"]}, headers=own)
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/dashboard/",
        "//evil.example/dashboard/",
        "/\\evil.example",
        "/dashboard/\\..",
        "/dashboard/../v1/results",
        "/dashboard/sign-out",
        "javascript:alert(1)",
        "/dashboard/\r\nX: y",
        "",
    ],
)
def test_after_signing_in_no_redirect_leaves_the_dashboard(onward: str) -> None:
    assert safe_path(onward) == "/dashboard/"


def test_pages_are_stored_nowhere_and_carry_the_strict_policy(client: FlaskClient) -> None:
    headers = client.get("/dashboard/").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_style_sheet_is_kept_a_year_under_the_digest_of_its_content(client: FlaskClient) -> None:
    address = re.search(r'href="(/dashboard/static/dashboard\.css\?v=[0-9a-f]{16})"', client.get("/dashboard/").text)
    assert address is not None
    kept = client.get(address[1])
    assert "immutable" in kept.headers["Cache-Control"]
    assert client.get(address[1], headers={"If-None-Match": kept.headers["ETag"]}).status_code == 304
    assert client.get("/dashboard/static/dashboard.css?v=old").headers["Cache-Control"] == "no-store"
    assert client.get("/dashboard/static/..%2f__init__.py").status_code == 404


def test_a_wrong_address_is_a_page_not_a_stack(client: FlaskClient, settings: Settings) -> None:
    answer = client.get("/dashboard/nowhere/at/all")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def token_of(client: FlaskClient) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', client.get("/dashboard/sessions").text)
    assert found is not None
    return found[1]
