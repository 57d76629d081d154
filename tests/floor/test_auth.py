"""Keys, roles, accounts, rate limits, sessions, and the same refusal for everybody who may not read."""

import base64
import hashlib
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from structlog.testing import capture_logs

from service.auth import ROLES, Reader, access, chain, keys, log_access, sessions
from service.auth.attempts import TOLD_PER_WINDOW, WRONG_PER_WINDOW, Attempts
from service.db import reading, writing
from service.errors import Invalid, NotAuthenticated, TooMany
from service.models import access_log, api_key, key_use, session
from tests.floor.app import App
from tests.support import START, Clock, settings_of

LIST = "/v1/requests"
CHALLENGE = 'Bearer realm="dm-feedback", Basic realm="dm-feedback", charset="UTF-8"'


def made(engine: Engine, role: str = "supervisor", *accounts: str, name: str = "ada") -> str:
    with writing(engine) as connection:
        return keys.create(connection, name, role, accounts, START)


def found(engine: Engine, key: str) -> Reader:
    with reading(engine) as connection:
        return keys.find(connection, key, START)


# -- keys


def test_a_key_is_shown_once_and_only_its_digest_is_stored(engine: Engine) -> None:
    key = made(engine, "supervisor", "acme")
    key_id, _, secret = key.removeprefix("dmf_").partition(".")
    with reading(engine) as connection:
        row = connection.execute(sa.select(api_key)).one()
        (line,) = keys.listed(connection)
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(tuple(row))
    assert secret not in repr(line)
    assert (line.id, line.name, line.role, line.accounts, line.last_used_at) == (
        key_id,
        "ada",
        "supervisor",
        ("acme",),
        None,
    )
    assert len(secret) >= 43, "256 random bits"


def test_two_keys_differ(sqlite_engine: Engine) -> None:
    assert len({made(sqlite_engine) for _ in range(20)}) == 20


def test_a_key_finds_its_reader(sqlite_engine: Engine) -> None:
    reader = found(sqlite_engine, made(sqlite_engine, "analyst", "acme", "other"))
    assert (reader.name, reader.role, reader.accounts) == ("ada", "analyst", ("acme", "other"))
    assert reader.actor == f"ada ({reader.key_id})"


def test_every_wrong_key_is_refused_in_the_same_words(engine: Engine) -> None:
    good, other = made(engine), made(engine)
    gone = made(engine)
    with writing(engine) as connection:
        assert keys.revoke(connection, gone, START)
    key_id, _, secret = good.removeprefix("dmf_").partition(".")
    wrong = [
        gone,
        other.partition(".")[0] + "." + secret,
        f"dmf_{key_id}.",
        f"dmf_{key_id}",
        f"dmf_{key_id}.{secret}x",
        f"dmf_{key_id.upper()}X.{secret}",
        f"dmf_{'0' * 12}.{secret}",
        f"dmf_{'x' * 5000}.{secret}",
        "dmf_\0.\0",
        f"dmf_{key_id}.\ud800",
        "dmf_\ud800.x",
        "",
        ".",
        "dmf_' OR 1=1 --.x",
    ]
    said = set()
    for key in wrong:
        with pytest.raises(NotAuthenticated) as caught:
            found(engine, key)
        said.add((caught.value.code, caught.value.sentence, caught.value.headers["WWW-Authenticate"]))
    assert len(said) == 1
    assert found(engine, good).name == "ada"


def test_a_revoked_key_stays_in_the_list_and_is_revoked_once(sqlite_engine: Engine) -> None:
    key = made(sqlite_engine)
    with writing(sqlite_engine) as connection:
        (line,) = keys.listed(connection)
        assert keys.revoke(connection, line.id, START)
        assert not keys.revoke(connection, line.id, START)
        assert not keys.revoke(connection, "nobody", START)
        (line,) = keys.listed(connection)
        assert keys.by_id(connection, line.id, START) is None
    assert line.revoked_at == START
    with pytest.raises(NotAuthenticated):
        found(sqlite_engine, key)


@pytest.mark.parametrize("role", ["agent", "", "Admin", "root"])
def test_there_is_no_role_for_an_agent(role: str, sqlite_engine: Engine) -> None:
    assert "agent" not in ROLES
    with pytest.raises(Invalid, match="there are admin, supervisor, analyst"):
        made(sqlite_engine, role)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0b", "a\nb", "\ud800"])
def test_a_name_that_cannot_be_stored_is_refused_before(name: str, sqlite_engine: Engine) -> None:
    with pytest.raises(Invalid, match="printable") as caught:
        made(sqlite_engine, name=name)
    assert caught.value.code == "bad_name"


def test_the_use_of_a_key_is_noted_with_the_first_call_of_a_minute(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key, noted = app.key(), []
    for seconds in (50, 59, 61, 62):
        app.clock.now = START + timedelta(seconds=seconds)
        app.call("GET", LIST, key)
        noted += [(row.last_used_at - START).seconds for row in app.rows(api_key)]
    assert noted == [50, 50, 61, 61]
    assert [(row.minute, row.used) for row in app.rows(key_use)] == [(START + timedelta(minutes=1), 2)]


# -- what a route demands


def test_a_request_without_a_key_is_told_how_to_send_one(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    for sent in (None, "Basic YTo=", "Basic YQ==", "Basic !", "Basic ", "Bearer ", "dmf_1.2"):
        answer = app.call("GET", LIST, headers={"Authorization": sent} if sent else {})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "key_missing")
        assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert app.refused(401, "GET", LIST, "dmf_0.0") == "key_invalid"


@pytest.mark.parametrize("user", ["", "ada", "anybody at all", "Jürgen"])
def test_a_spreadsheet_reads_with_the_key_as_the_password_of_any_user(sqlite_engine: Engine, user: str) -> None:
    app = App(sqlite_engine)
    assert app.call("GET", LIST, auth=(user, app.key("supervisor"))).status_code == 200
    refused = app.call("GET", LIST, auth=(user, app.key("monitor")))
    assert (refused.status_code, refused.get_json()["code"]) == (403, "role_not_allowed")


def test_a_key_with_a_long_name_is_identified_in_the_ledger() -> None:
    reader = Reader("a1b2c3d4e5f6", "n" * 64, "admin", ())
    assert reader.signature == f"{'n' * 49} (a1b2c3d4e5f6)"
    assert len(reader.signature) == 64
    assert Reader("a1b2c3d4e5f6", "ada", "admin", ()).signature == "ada (a1b2c3d4e5f6)"


def test_a_wrong_password_is_a_wrong_key_and_counts_as_one(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    codes = [app.call("GET", LIST, auth=("ada", "dmf_0.0")).get_json()["code"] for _ in range(WRONG_PER_WINDOW + 1)]
    assert codes == ["key_invalid"] * WRONG_PER_WINDOW + ["wrong_keys"]


def test_a_browsers_basic_password_cannot_change_anything(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    for method, path in (("POST", "/v1/opt-outs"), ("DELETE", "/v1/customers/7717"), ("DELETE", "/v1/opt-outs/7717")):
        answer = app.call(method, path, json={"x_user_ids": ["7717"]}, auth=("ada", app.key()))
        assert (answer.status_code, answer.get_json()["code"]) == (401, "basic_only_reads")
    assert app.audit() == []


def test_a_password_is_never_logged(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = app.key("monitor")
    with capture_logs() as said:
        app.call("GET", LIST, auth=("ada", key))
        app.call("GET", LIST, auth=("ada", f"{key}x"))
    assert [each["event"] for each in said] == ["call_refused", "key_refused"]
    kept = f"{said} {app.audit()}"
    assert key.partition(".")[2] not in kept
    assert base64.b64encode(f"ada:{key}".encode()).decode()[:-4] not in kept


def test_a_key_in_the_address_is_no_key(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    assert app.refused(401, "GET", f"{LIST}?key={app.key()}") == "key_missing"


def test_a_revoked_key_ends_at_once(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = app.key()
    assert app.call("GET", LIST, key).status_code == 200
    with writing(sqlite_engine) as connection:
        keys.revoke(connection, key, app.clock.now)
    assert app.refused(401, "GET", LIST, key) == "key_invalid"


def test_what_is_for_admins_is_refused_to_the_others(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    for role in ("supervisor", "analyst"):
        assert app.refused(403, "POST", "/v1/opt-outs", app.key(role), {"x_user_ids": ["1"]}) == "role_not_allowed"
    assert app.refused(403, "GET", "/v1/results", app.key("analyst")) == "role_not_allowed"


def test_a_key_sees_only_the_accounts_it_covers(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine, settings_of(accounts__other={**TREE, "user_id": "2"}, sources__crm__account="acme"))
    assert app.refused(403, "GET", f"{LIST}?account=other", app.key("supervisor", "acme")) == "account_not_allowed"
    assert app.call("GET", f"{LIST}?account=acme", app.key("supervisor", "acme")).status_code == 200


TREE = {"consumer_key": "k", "consumer_secret": "s", "token": "t", "token_secret": "u"}


def test_a_reader_without_accounts_sees_all_of_them() -> None:
    assert Reader("k", "n", "admin", ()).may_see("acme")
    assert Reader("k", "n", "admin", ("acme",)).may_see("acme")
    assert not Reader("k", "n", "admin", ("acme",)).may_see("other")


# -- rate limit


def test_a_full_minute_is_refused_and_says_until_when(engine: Engine) -> None:
    app = App(engine, settings_of(web__requests_per_minute=3))
    key, other = app.key(), app.key()
    app.clock.forward(seconds=15)
    left = [app.call("GET", LIST, key).headers["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = app.call("GET", LIST, key)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"] == "46"
    assert answer.headers["RateLimit-Limit"] == "3"
    assert app.call("GET", LIST, other).status_code == 200, "each key has its own"
    app.clock.forward(seconds=46)
    assert app.call("GET", LIST, key).headers["RateLimit-Remaining"] == "2"


def test_the_count_is_the_same_for_every_process(sqlite_engine: Engine) -> None:
    settings = settings_of(web__requests_per_minute=2)
    one, other = App(sqlite_engine, settings), App(sqlite_engine, settings)
    key = one.key()
    assert [each.call("GET", LIST, key).status_code for each in (one, other, one, other)] == [200, 200, 429, 429]


def test_counters_of_past_minutes_do_not_pile_up(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = app.key()
    for _ in range(4):
        app.call("GET", LIST, key)
        app.clock.forward(minutes=1)
    assert len(app.rows(key_use)) == 1


def test_a_refusal_for_a_role_counts_as_a_call_and_says_so(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    answer = app.call("GET", "/v1/results", app.key("analyst"))
    assert answer.status_code == 403
    assert answer.headers["RateLimit-Remaining"] == "599"


# -- sessions

IDLE = timedelta(minutes=30)


@pytest.fixture
def signed_in(sqlite_engine: Engine) -> tuple[str, str]:
    """A key and the cookie of its session."""
    key = made(sqlite_engine)
    with writing(sqlite_engine) as connection:
        return key, sessions.begin(connection, keys.find(connection, key, START), START)


def who(engine: Engine, cookie: str, after: timedelta) -> str | None:
    with reading(engine) as connection:
        found = sessions.find(connection, cookie, IDLE, START + after)
    return None if found is None else found.reader.name


def test_a_session_is_stored_as_a_digest(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    _, cookie = signed_in
    with reading(sqlite_engine) as connection:
        row = connection.execute(sa.select(session)).one()
    assert row.digest == hashlib.sha256(cookie.encode()).hexdigest()
    assert cookie not in str(tuple(row))


def test_an_idle_session_ends(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    _, cookie = signed_in
    assert who(sqlite_engine, cookie, IDLE - timedelta(microseconds=1)) == "ada"
    assert who(sqlite_engine, cookie, IDLE) is None


def test_a_click_keeps_it_but_not_beyond_the_longest(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    _, cookie = signed_in
    clicks = [timedelta(minutes=20 * each) for each in range(1, 37)]
    for after in clicks:
        assert who(sqlite_engine, cookie, after) == ("ada" if after < sessions.LONGEST else None)
        with writing(sqlite_engine) as connection:
            sessions.touch(connection, cookie, START + after)
    assert clicks[-1] == sessions.LONGEST


def test_a_session_ends_with_its_key(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    key, cookie = signed_in
    with writing(sqlite_engine) as connection:
        keys.revoke(connection, key, START)
    assert who(sqlite_engine, cookie, timedelta(0)) is None


def test_signing_out_ends_it_on_the_server(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    _, cookie = signed_in
    with writing(sqlite_engine) as connection:
        sessions.end(connection, cookie)
    assert who(sqlite_engine, cookie, timedelta(0)) is None


@pytest.mark.parametrize("cookie", ["", "x", "\0", "\ud800", "a" * 10_000])
def test_an_unknown_cookie_signs_nobody_in(sqlite_engine: Engine, signed_in: tuple[str, str], cookie: str) -> None:
    assert who(sqlite_engine, cookie, timedelta(0)) is None


def test_old_sessions_are_removed(sqlite_engine: Engine, signed_in: tuple[str, str]) -> None:
    with writing(sqlite_engine) as connection:
        assert sessions.prune(connection, START + sessions.LONGEST - timedelta(seconds=1)) == 0
        assert sessions.prune(connection, START + sessions.LONGEST) == 1


# -- bounds


def bound(engine: Engine, role: str = "analyst", **bounds: Any) -> str:
    with writing(engine) as connection:
        return keys.create(connection, "bound", role, (), START, keys.Bounds(**bounds))


def test_a_key_expires_and_only_its_owner_is_told_why(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = bound(sqlite_engine, "supervisor", expires_at=START + timedelta(days=1))
    app.clock.forward(hours=23, minutes=59)
    assert app.call("GET", LIST, key).status_code == 200
    app.clock.forward(minutes=1)
    assert app.refused(401, "GET", LIST, key) == "key_expired"
    assert app.refused(401, "GET", LIST, key + "x") == "key_invalid"


def test_a_rotated_key_and_the_new_one_overlap(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    old = bound(sqlite_engine, "supervisor", expires_at=START + timedelta(days=30), routes=("/v1/requests",))
    app.clock.forward(days=10)
    with writing(sqlite_engine) as connection:
        new = keys.rotate(connection, keys.public_id(old) or "", timedelta(hours=1), app.clock.now)
    assert [app.call("GET", LIST, key).status_code for key in (old, new)] == [200, 200]
    assert app.refused(403, "GET", "/v1/results", new) == "route_not_allowed"
    app.clock.forward(hours=1)
    assert [app.call("GET", LIST, key).status_code for key in (old, new)] == [401, 200]
    app.clock.forward(days=30)
    assert app.call("GET", LIST, new).status_code == 401, "it lasts as long as the old one was meant to"


def test_a_rotation_never_lengthens_a_life(sqlite_engine: Engine) -> None:
    key = bound(sqlite_engine, expires_at=START + timedelta(hours=1))
    with writing(sqlite_engine) as connection:
        keys.rotate(connection, keys.public_id(key) or "", timedelta(days=1), START)
        (line,) = [each for each in keys.listed(connection) if each.id == keys.public_id(key)]
    assert line.bounds.expires_at == START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/summary", 200), ("/v1/summary?type=csat", 200), ("/v1/funnel", 403), ("/v1/summaryx", 404), ("/v1", 404)],
)
def test_a_key_bound_to_a_route_opens_no_other(sqlite_engine: Engine, path: str, status: int) -> None:
    assert App(sqlite_engine).call("GET", path, bound(sqlite_engine, routes=("/v1/summary",))).status_code == status


def test_a_route_covers_what_lies_below_and_its_files() -> None:
    reader = Reader("k", "n", "admin", (), ("/v1/results",))
    for path in ("/v1/results", "/v1/results/fr_1", "/v1/results.csv"):
        assert reader.may_call(path)
    for path in ("/v1/resultsx", "/v1", "/v1/requests", "/dashboard/sign-in"):
        assert not reader.may_call(path)


def test_a_key_bound_to_a_network_is_not_valid_elsewhere(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = bound(sqlite_engine, networks=("10.0.0.0/8", "2001:db8::/32"))
    for address, status in (("10.1.2.3", 200), ("2001:db8::1", 200), ("::ffff:10.0.0.1", 200), ("11.0.0.1", 403)):
        answer = app.call("GET", "/v1/summary", key, environ_overrides={"REMOTE_ADDR": address})
        assert answer.status_code == status, address


def test_what_a_valid_key_is_refused_is_logged_with_its_owner_and_address(engine: Engine) -> None:
    """A stolen one that is used elsewhere, and whatever else its owner may not do."""
    app = App(engine)
    refused = [
        (bound(engine, networks=("10.0.0.0/8",)), "/v1/summary", "network_not_allowed"),
        (bound(engine, routes=("/v1/summary",)), "/v1/funnel", "route_not_allowed"),
        (app.key("analyst"), "/v1/results", "role_not_allowed"),
        (app.key("supervisor", "acme"), "/v1/summary?account=globex", "account_not_allowed"),
        (app.key("analyst"), "/readyz", "role_not_allowed"),
    ]
    with capture_logs() as said:
        for key, path, code in [*refused, *refused]:
            answer = app.call("GET", path, key, environ_overrides={"REMOTE_ADDR": "192.0.2.9"})
            assert (answer.status_code, answer.get_json()["code"]) == (403, code)
    told = [(each["key_id"], each["code"]) for each in said if each["event"] == "call_refused"]
    whose = [(keys.public_id(key), code) for key, _, code in refused]
    assert told == [*whose, *whose]
    lines = [row for row in app.rows(access_log) if row.action == "call.refused"]
    assert [(row.actor.partition("(")[2], row.detail["code"], row.address, row.outcome) for row in lines] == [
        (f"{key_id})", code, "192.0.2.9", "refused") for key_id, code in whose
    ], "once each in ten minutes: who has a key could fill the log"
    assert all("untold_until" in row.detail for row in lines)
    app.clock.forward(minutes=10)
    app.call("GET", "/v1/summary", refused[0][0])
    assert [row.action for row in app.rows(access_log)].count("call.refused") == len(refused) + 1
    assert [row.used for row in app.rows(key_use) if row.key_id.startswith("~")] == [1], "those before are forgotten"


@pytest.mark.parametrize(
    "bounds",
    [
        {"routes": ("summary",)},
        {"routes": ("/v1/\0",)},
        {"routes": ("/v1/",)},
        {"networks": ("10.0.0.300",)},
        {"expires_at": START},
    ],
)
def test_bounds_that_cannot_hold_are_refused(sqlite_engine: Engine, bounds: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        bound(sqlite_engine, **bounds)
    assert caught.value.code in {"bad_route", "bad_network", "bad_expiry"}


# -- roles of machines


@pytest.mark.parametrize("role", ["hand_in", "monitor"])
def test_keys_of_machines_read_no_answer_and_no_figure(sqlite_engine: Engine, role: str) -> None:
    app = App(sqlite_engine)
    key, refused = app.key(role), 0
    for rule in app.client.application.url_map.iter_rules():
        if rule.rule.startswith("/v1/") and "GET" in (rule.methods or ()):
            path = rule.rule.replace("<request_id>", "fr_1")
            # a feed is read by its own address, whatever key comes along: a wrong one is no place
            expected = 404 if path.startswith("/v1/feeds/<") else 403
            assert app.call("GET", path, key).status_code == expected, path
            refused += 1
    assert refused > 15
    assert app.call("GET", "/metrics", key).status_code == (200 if role == "monitor" else 403)


def test_counts_of_answers_are_for_monitors_and_admins_only(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    for role in ("supervisor", "analyst", "hand_in"):
        assert app.refused(403, "GET", "/metrics", app.key(role)) == "role_not_allowed"


# -- wrong keys


def test_wrong_keys_over_the_api_are_counted_and_logged_with_their_address(engine: Engine) -> None:
    app = App(engine)
    right = app.key("supervisor")
    codes = [app.call("GET", LIST, "dmf_0.0").status_code for _ in range(WRONG_PER_WINDOW + 3)]
    assert codes == [401] * WRONG_PER_WINDOW + [429] * 3
    assert app.call("GET", LIST, right).status_code == 200
    lines = [row for row in app.rows(access_log) if row.action == "key.refused"]
    assert [(row.address, row.outcome, row.actor) for row in lines] == [("127.0.0.1", "refused", "nobody")] * 10
    assert ["untold_until" in row.detail for row in lines] == [False] * 9 + [True]


def test_twelve_wrong_keys_at_once_are_twelve(engine: Engine) -> None:
    attempts = Attempts(engine, lambda: START, "api")
    said: list[type[Exception]] = []

    def guess() -> None:
        try:
            attempts.reader_of("dmf_0.0", "192.0.2.1")
        except (NotAuthenticated, TooMany) as error:
            said.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=120)
    assert (said.count(NotAuthenticated), said.count(TooMany)) == (10, 2)


def test_wrong_keys_from_everywhere_fill_no_access_log(engine: Engine) -> None:
    app, attempts = App(engine), Attempts(engine, lambda: START, "api")
    for each in range(TOLD_PER_WINDOW + 20):
        with pytest.raises(NotAuthenticated):
            attempts.reader_of("dmf_0.0", f"2001:db8:0:{each:x}::1")
    untold = [row.detail.get("untold_until") for row in app.rows(access_log)]
    assert untold == [None] * (TOLD_PER_WINDOW - 1) + ["2026-11-22T12:10:00+00:00"]


def test_the_database_is_never_asked_under_the_lock_of_every_request(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts(sqlite_engine, lambda: START, "api")
    held: list[bool] = []

    def slow(_connection: Connection, _now: datetime) -> frozenset[str]:
        held.append(attempts._lock.locked())
        return frozenset()

    monkeypatch.setattr(keys, "valid_digests", slow)
    attempts._limit("192.0.2.1", START)
    for _ in range(2):
        with pytest.raises(TooMany):
            attempts.reader_of("dmf_0.0", "192.0.2.1")
    assert held == [False], "once, and in nobody's way"


def test_a_flood_from_everywhere_is_forgotten_in_time(sqlite_engine: Engine) -> None:
    clock = Clock()
    attempts = Attempts(sqlite_engine, clock, "api")
    for each in range(3):
        attempts._limit(f"192.0.2.{each}", clock.now)
    clock.forward(minutes=10)
    attempts._limit("192.0.2.9", clock.now)
    assert not attempts._is_limited("192.0.2.1", clock.now)
    assert attempts._is_limited("192.0.2.9", clock.now)


# -- the access log


def test_the_access_log_is_read_page_by_page_the_newest_first(engine: Engine) -> None:
    with writing(engine) as connection:
        for each in range(5):
            log_access(connection, "a" * 200, "key.create", {"n": each}, START + timedelta(days=each))
        first = access.listed(connection, None, 2)
        second = access.listed(connection, first[-1].id, 10)
        assert [row.detail["n"] for row in first + second] == [4, 3, 2, 1, 0]
        assert {len(row.actor) for row in first} == {96}
        before = START + timedelta(days=2)
        chain.seal(connection)
        assert chain.older_than(connection, before) == chain.prune(connection, before) == 2
        assert connection.scalar(sa.select(sa.func.count()).select_from(access_log)) == 3
