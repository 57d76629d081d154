"""Whatever is sent to any route is answered, and never with 500, on both databases.

Each route gets odd paths, queries, headers and bodies, with and without a key that may do everything. By default a few
of each; DM_FEEDBACK_FUZZ=1000 for as many per route and method as one has time for.
"""

import json
import os
from typing import Any

import flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from service.app import create_app
from service.auth import keys
from service.db import writing
from tests.fuzz.http import address
from tests.support import START, Clock, settings_of

EXAMPLES = int(os.environ.get("DM_FEEDBACK_FUZZ", "6"))
CALM = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
ODD = st.sampled_from(
    [
        "\0", "a\0b", "\ud800", "\u202e", "'", '"; DROP TABLE api_key; --', "../..", "%00", "%", "{}", "null", "-1",
        "0", "9" * 5000, "1e999", "٣", "\r\nX: y", "<script>", "=1+1", "🙂" * 300, "x" * 5000, "2026-13-45",
        "0001-01-01",
        "9999-12-31T23:59:59+23:59", "NaN", "true", "csat", "agent", "hour", "acme", "fr_1", "next_day", "ß", "İ", "",
    ]
)  # fmt: skip
TEXT = ODD | st.text(max_size=40)
NAMES = st.sampled_from(
    [
        "since", "until", "date_field", "account", "campaign", "source", "team_id", "agent_id", "type", "score",
        "state", "reason", "cursor", "limit", "sort", "by", "a", "b", "q", "interval", "zone", "time_zone", "format",
        "language",
        "has_text", "answered", "updated_since", "include_test", "request_id", "bom", "manifest", "other_since", "next",
        "crc_token", "why", "v", "all", "period", "question_variant_id", "x_user_ids", "text", "key", "form_token",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXT, inner, max_size=4),
    max_leaves=8,
)
ODD_BODIES = (
    b"[" * 50_000, b'{"a":' * 20_000, b"9" * 5_000, b'{"x":1e999}', b'"\\ud800"', b"\xff\xfe", b"a=%ff&b=%00", b"",
)  # fmt: skip
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    | st.sampled_from(ODD_BODIES)
)
TYPES = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-7", "x", ""]
)
LOGINS = ["", "Basic \xff", "Basic Og==", "Bearer x.y", "Bearer \xff", "Basic AAAA====", "Digest x"]
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Range", "If-None-Match", "If-Modified-Since", "Accept", "Cookie", "Origin", "X-Request-Id", "Host",
         "Content-Encoding", "webhook-id", "webhook-timestamp", "webhook-signature", "X-Twitter-Webhooks-Signature"]
    ),
    TEXT.map(lambda text: "".join(c for c in text if c.isprintable() and ord(c) < 256) or "x"),
    max_size=3,
)  # fmt: skip


def application(engine: Engine) -> tuple[flask.Flask, str]:
    settings_ = settings_of(web__requests_per_minute=1_000_000)
    app = create_app(settings_, engine, Clock())
    with writing(engine) as connection:
        return app, keys.create(connection, "fuzz", "admin", (), START)


def test_no_request_causes_a_500(engine: Engine) -> None:
    app, key = application(engine)
    client = app.test_client()
    assert client.post("/dashboard/sign-in", data={"key": key}).status_code == 303
    routes = list(app.url_map.iter_rules())
    rules = [(rule, method) for rule in routes for method in sorted((rule.methods or set()) - {"HEAD"})]
    assert len(rules) > 100
    logins = [*LOGINS, *[f"Bearer {key}"] * 4]

    @CALM
    @given(
        values=st.lists(TEXT | st.just("crm") | st.just("acme"), min_size=4, max_size=4),
        query_string=st.lists(st.tuples(NAMES | TEXT, TEXT), max_size=4),
        headers=HEADERS, login=st.sampled_from(logins), data=BODIES, content_type=TYPES,
    )  # fmt: skip
    def every_route_answers(values: list[str], headers: dict[str, str], login: str, **sent: Any) -> None:
        sent["headers"] = {**headers, **({"Authorization": login} if login else {})}
        for rule, method in rules:
            assert_answers(client, method, address(app, rule, values), sent)

    every_route_answers()
    for rule in routes:  # the view of GET answers it: once is enough
        if "HEAD" in (rule.methods or ()):
            sent = {"headers": {"Authorization": f"Bearer {key}"}}
            assert_answers(client, "HEAD", address(app, rule, ["crm", "acme", "a\0b", "'"]), sent)


def assert_answers(client: FlaskClient, method: str, path: str, sent: dict[str, Any]) -> None:
    try:
        asked = client.open(path, method=method, **sent)
    except UnicodeEncodeError:  # the test's own client cannot even write it
        return
    told = asked.get_data()
    assert asked.status_code < 500, (method, path, sent, told[:300])
