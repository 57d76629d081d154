"""The worker: a wrong key holds its account at the start; told to stop, it finishes what is in flight."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from service.accounts import holds
from service.accounts.holds import Hold
from service.db import open_engine, reading, writing
from service.errors import Unavailable
from service.loops import each_step
from service.models import account_state, feedback_request, worker_seen
from service.results.inbox import InboxReport
from service.results.poll import PollReport
from service.results.refresh import RefreshReport
from service.sandbox import Assumptions, BusinessAccount, SandboxConfig, SandboxServer
from service.settings import Account, Settings
from service.side_by_side import FORK, _tell
from service.worker import account_reader, chores, loop
from service.worker.account_reader import AccountReader
from service.x_api import Credentials, XClient
from tests.support import World, request_row, settings_of

PATIENCE_S = 120  # costs nothing where all is well
ACME = settings_of().accounts["acme"]
OTHER = {
    "user_id": "3434",
    "screen_name": "other",
    "base_url": "http://sandbox.test",
    "consumer_key": "ck-other",
    "consumer_secret": "cs-other",
    "token": "3434-t",
    "token_secret": "ts-other",
}


@pytest.fixture
def world(sqlite_engine: Engine) -> World:
    return World(sqlite_engine, settings_of(accounts__other=OTHER, sources__crm__account="acme"))


def held(engine: Engine) -> dict[str, tuple[int | None, str | None]]:
    s = account_state.c
    with reading(engine) as connection:
        return {a: (c, r) for a, c, r in connection.execute(sa.select(s.account, s.hold_code, s.hold_reason))}


def reader_of(world: World, account: Account, client: XClient) -> AccountReader:
    return AccountReader(world.place, account, client, world.clock, threading.Event())


def checked(world: World, **clients: XClient) -> dict[str, tuple[int | None, str | None]]:
    for name, client in {**world.clients, **clients}.items():
        reader_of(world, world.settings.accounts[name], client).check_access()
    return held(world.engine)


def client_of(world: World, transport: httpx.BaseTransport | None = None, **wrong: str) -> XClient:
    secrets = Credentials(ACME.consumer_key, ACME.consumer_secret, ACME.token, ACME.token_secret)
    return XClient(
        replace(secrets, **wrong),
        base_url=ACME.base_url,
        clock=world.clock,
        transport=transport or httpx.WSGITransport(app=world.x_app),
    )


class Saying(httpx.BaseTransport):
    """X with one header changed, or away."""

    def __init__(self, world: World, level: str | None) -> None:
        self._inner, self._level = httpx.WSGITransport(app=world.x_app), level

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._level is None:
            raise httpx.ConnectError("nobody answers", request=request)
        response = self._inner.handle_request(request)
        response.headers["x-access-level"] = self._level
        return response


FREE = (None, None)


# -- who are we?


def test_valid_keys_hold_no_account(world: World) -> None:
    assert checked(world) == {"acme": FREE, "other": FREE}


def test_a_token_of_somebody_else_holds_the_account(world: World) -> None:
    assert checked(world, acme=world.clients["other"]) == {
        "acme": (None, "user_id_is_not_the_tokens"),
        "other": FREE,
    }


@pytest.mark.parametrize("level", ["read", "read-write", ""])
def test_an_app_that_may_not_write_dms_holds_the_account(world: World, level: str) -> None:
    found = checked(world, acme=client_of(world, Saying(world, level)))
    assert found == {"acme": (None, "app_may_not_write_dms") if level else FREE, "other": FREE}


@pytest.mark.parametrize("part", ["consumer_secret", "token_secret", "token", "consumer_key"])
def test_a_wrong_key_holds_the_account_with_what_x_said(world: World, part: str) -> None:
    found = checked(world, acme=client_of(world, **{part: "wrong"}))
    code, reason = found["acme"]
    assert code in {32, 89}
    assert reason
    assert found["other"] == FREE


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, 0, None), (403, 0, None), (404, 34, None), (404, 0, None), (410, 251, None), (403, 453, None),
        (403, 220, None), (429, 88, None),
        (401, 32, "not_authenticated"), (403, 64, "account_suspended"), (403, 326, "account_locked"),
    ],
)  # fmt: skip
def test_only_a_refusal_of_every_call_holds_at_the_start(
    world: World, status: int, code: int, reason: str | None
) -> None:
    """An app may be let into cards and DMs and not into this one thing that we ask for first."""
    said = httpx.Response(status, json={"errors": [{"code": code, "message": ""}]} if code else None)
    found = checked(world, acme=client_of(world, httpx.MockTransport(lambda _: said)))["acme"]
    assert found == ((code, reason) if reason else FREE)


def test_over_v2_a_wrong_key_shows_at_the_start_although_no_refusal_has_a_code(world: World) -> None:
    said = httpx.Response(401, json={"title": "Unauthorized", "type": "about:blank", "status": 401})
    account = replace(ACME, api="v2")
    reader_of(world, account, client_of(world, httpx.MockTransport(lambda _: said))).check_access()
    assert held(world.engine)["acme"] == (None, "unauthorized")


def test_an_x_outage_holds_no_account(world: World) -> None:
    assert checked(world, acme=client_of(world, Saying(world, None))) == {"acme": FREE, "other": FREE}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": "99-t"}, "user_id_is_not_the_tokens"),
        ({"token": f"{ACME.user_id}-t"}, None),
        ({"token": "t"}, None),
        ({"token": "99-t", "client_id": "app-1"}, None),
    ],
    ids=["somebody else's", "ours", "says nothing", "signs nothing"],
)
def test_a_token_that_says_whose_it_is_needs_no_x_to_hold_the_account(
    world: World, changes: dict[str, str], reason: str | None
) -> None:
    account, away = replace(ACME, **changes), client_of(world, Saying(world, None))
    reader_of(world, account, away).check_access()
    assert held(world.engine)["acme"] == (None, reason)


def test_a_hold_by_hand_is_not_overwritten(world: World) -> None:
    with writing(world.engine) as connection:
        holds.hold(connection, "acme", Hold(None, "held_by_hand"), world.clock.now)
    assert checked(world, acme=client_of(world, token_secret="wrong"))["acme"] == (None, "held_by_hand")


# -- the loop itself


def test_a_failing_step_stops_no_other() -> None:
    done: list[str] = []
    well = each_step(
        "failed",
        {"bug": lambda: done[1], "away": lambda: httpx.get("http://127.0.0.1:1"), "good": lambda: done.append("x")},
    )
    assert (well, done) == (False, ["x"])
    assert each_step("failed", {"good": lambda: None})


def test_a_slow_x_keeps_unclear_sends_from_being_looked_for_no_longer_than_a_fast_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = list[datetime]()

    def slowly(*_: Any, **__: Any) -> RefreshReport:
        turns.append(world.clock.forward(seconds=20))
        return RefreshReport(more=True)

    monkeypatch.setattr(account_reader, "refresh_once", slowly)
    monkeypatch.setattr(account_reader, "poll_once", lambda *_, **__: PollReport("idle"))
    monkeypatch.setattr(account_reader, "read_inbox", lambda *_: InboxReport())
    reader_of(world, ACME, world.clients["acme"]).collect()
    assert len(turns) == 2


def test_a_signal_skips_children_that_have_ended() -> None:
    ended, lives = FORK.Process(target=int), FORK.Process(target=time.sleep, args=(10 * PATIENCE_S,))
    for child in (ended, lives):
        child.start()
    ended.join()
    _tell([ended, lives], signal.SIGTERM)
    lives.join(PATIENCE_S)
    assert (ended.exitcode, lives.exitcode) == (0, -signal.SIGTERM)


@pytest.fixture
def x() -> Iterator[SandboxServer]:
    account = BusinessAccount(
        name="acme",
        user_id=ACME.user_id,
        screen_name=ACME.screen_name,
        consumer_key=ACME.consumer_key,
        consumer_secret=ACME.consumer_secret,
        token=ACME.token,
        token_secret=ACME.token_secret,
    )
    switches = Assumptions(auto_create_customers=True, webhooks=False, list_lag_s=0)
    profile = {"can_dm": True}
    with SandboxServer(SandboxConfig(accounts=(account,), assumptions=switches, default_profile=profile)) as server:
        yield server


def working(x: SandboxServer, **changes: Any) -> Settings:
    return settings_of(
        accounts__acme__base_url=x.url,
        campaigns__care__delay="0s",
        worker={"concurrency": 2, "idle": "20ms", "shutdown_within": "5s"},
        **changes,
    )


def due(engine: Engine, n: int) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    with writing(engine) as connection:
        rows = [request_row(at, conversation_id=f"c-{each}", x_user_id=str(500 + each)) for each in range(n)]
        connection.execute(sa.insert(feedback_request), rows)


def states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(feedback_request.c.state)))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_it_sends_what_is_due_says_it_is_alive_and_leaves_nothing_when_stopped(
    engine: Engine, x: SandboxServer
) -> None:
    due(engine, 3)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(working(x), engine), kwargs={"stop": stop})
    with capture_logs(processors=[merge_contextvars]) as lines:
        thread.start()
        try:
            wait_until(lambda: states(engine) == ["card_sent"] * 3)
            with reading(engine) as connection:
                assert connection.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 1
        finally:
            stop.set()
            thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert {line.get("account") for line in lines if line["event"] == "x_called"} == {"acme"}
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 0
        leases = connection.scalars(sa.select(feedback_request.c.lease_token))
        assert set(leases) == {None}


def test_told_to_stop_it_finishes_the_call_in_flight(sqlite_engine: Engine, x: SandboxServer) -> None:
    due(sqlite_engine, 1)
    slow = {"endpoint": "direct_messages/events/new", "fault": "slow", "seconds": 0.5}
    with httpx.Client(base_url=x.url) as control:
        control.post("/_control/faults", json=slow).raise_for_status()
        stop = threading.Event()
        thread = threading.Thread(target=loop.run, args=(working(x), sqlite_engine), kwargs={"stop": stop})
        thread.start()
        wait_until(lambda: control.get("/_control/faults").json()["rules"][0]["hits"])
        stop.set()
        thread.join(PATIENCE_S)
        sent = control.get("/_control/truth").json()
    with reading(sqlite_engine) as connection:
        row = connection.execute(sa.select(feedback_request)).one()
    assert row.state in {"dm_sent", "card_sent"}
    assert row.lease_token is None
    assert row.dm_event_id in str(sent)


def test_a_worker_starts_on_a_host_of_the_longest_name(
    engine: Engine, x: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 63)
    named = list[str]()
    monkeypatch.setattr(chores, "say_gone", lambda place: named.append(place.worker))
    stop = threading.Event()
    stop.set()
    loop.run(working(x), engine, stop=stop)
    column = worker_seen.c.name.type
    assert isinstance(column, sa.String)
    assert [len(name) <= (column.length or 0) for name in named] == [True]


def test_a_foreign_schema_is_refused_before_anything_is_sent(tmp_path: Any, x: SandboxServer) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(Unavailable, match="db upgrade"):
        loop.run(working(x), engine, stop=threading.Event())
    engine.dispose()
