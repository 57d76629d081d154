"""Pages of other origins may read the API if a setting says so, and not otherwise."""

import pytest
from sqlalchemy.engine import Engine

from tests.floor.app import App
from tests.support import settings_of

BOARD = "https://board.example"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def app(sqlite_engine: Engine) -> App:
    return App(sqlite_engine, settings_of(web__origins=[BOARD, "http://localhost:3000"]))


def test_a_page_of_a_named_origin_reads_answers_and_refusals(app: App) -> None:
    for key, status in ((app.key("supervisor"), 200), (None, 401)):
        answer = app.call("GET", "/v1/requests", key, headers={"Origin": BOARD})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == BOARD
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert {"Origin", "Authorization"} <= set(answer.vary)
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/results/fr_1", "/v1/changes"])
def test_a_browser_may_ask_first_and_needs_no_key_for_it(app: App, path: str) -> None:
    answer = app.call("OPTIONS", path, headers={"Origin": BOARD, **PREFLIGHT})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == BOARD
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://board.example.evil.example", "http://board.example", "https://board.example:444", "null", ""]
)
def test_other_origins_get_no_cors_headers(app: App, origin: str) -> None:
    for method, headers in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        answer = app.call(method, "/v1/requests", app.key(), headers={"Origin": origin, **headers})
        assert [name for name, _ in answer.headers if name.startswith("Access-Control-")] == []


def test_the_dashboard_and_webhooks_get_no_cors_headers(app: App) -> None:
    for path in ("/dashboard/", "/webhooks/crm/crm", "/healthz", "/openapi.json"):
        answer = app.call("GET", path, headers={"Origin": BOARD})
        assert "Access-Control-Allow-Origin" not in answer.headers, path


def test_without_the_setting_there_are_no_cors_headers(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    answer = app.call("GET", "/v1/requests", app.key(), headers={"Origin": BOARD})
    assert answer.status_code == 200
    assert [name for name, _ in answer.headers if name.startswith("Access-Control-")] == []
    assert "Origin" not in answer.vary
