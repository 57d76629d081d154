"""Logs: one line per event with its fields; never a message's text or a secret."""

import errno
import io
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from sqlalchemy.engine import Engine

import service
from service.db import writing
from service.telemetry import logs
from tests.floor.app import App

SERVICE = Path(service.__file__).parent


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()  # what an earlier test of the web left behind
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = captured.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_json_with_event_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    structlog.get_logger("x").info("card_sent", request_id="fr_1", account="acme")
    (line,) = lines(capsys)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "card_sent", "level": "info", "request_id": "fr_1", "account": "acme"}


@pytest.mark.parametrize("name", sorted(logs.NEVER))
@pytest.mark.parametrize("form", ["json", "text"])
def test_what_must_not_leak_is_dropped(name: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form)
    structlog.get_logger("x").warning("happened", **{name: "hush-hush"}, request_id="fr_1")
    _, err = capsys.readouterr()
    assert "hush-hush" not in err
    assert "happened" in err
    assert "fr_1" in err


def test_control_characters_are_escaped_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    structlog.get_logger("x").warning("intake.unknown_source", source="\x1b]0;owned\x07\u202e")
    _, err = capsys.readouterr()
    assert "\\x1b]0;owned\\x07\\u202e" in err
    assert not {"\x1b]", "\x07", "\u202e"} & set(err)


def test_texts_and_secrets_are_on_the_list_of_dropped_fields() -> None:
    assert {"text", "body", "message", "opening_text", "card_text", "secret", "authorization"} <= logs.NEVER


def test_context_fields_are_filtered_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    structlog.contextvars.bind_contextvars(http_request_id="r-1", authorization="Bearer hush")
    structlog.get_logger("x").info("asked")
    (line,) = lines(capsys)
    assert line["http_request_id"] == "r-1"
    assert "hush" not in json.dumps(line)


def test_a_fault_is_logged_with_its_trace_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        structlog.get_logger("x").error("walk_failed", exc_info=error)
    (line,) = lines(capsys)
    assert "ZeroDivisionError" in str(line["exception"])


def test_details_for_developers_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    structlog.get_logger("x").debug("claimed")
    assert lines(capsys) == []


def test_a_logger_used_before_configuration_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    log = structlog.get_logger("x")
    log.info("first")
    logs.configure("text")
    log.info("second")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("{")
    assert "second" in second
    assert not second.startswith("{")


def lines_of(events: Iterable[dict[str, object]], clock: Callable[[], float] = float) -> list[dict[str, object]]:
    """What passes of some events."""
    ration, passed = logs.Ration(clock), []
    for each in events:
        with suppress(structlog.DropEvent):
            passed.append(dict(ration(None, "warning", dict(each))))
    return passed


def test_events_strangers_cause_are_rate_limited_with_a_count() -> None:
    seconds = [0.0] * 1000 + [61.0] * 2
    now = iter(seconds)
    said = lines_of([{"event": "key_refused"}] * len(seconds), lambda: next(now))
    assert len(said) == logs.A_MINUTE + 2
    assert [each.get("left_out") for each in said[-3:]] == [None, 1000 - logs.A_MINUTE, None]


def test_a_flood_of_one_source_hides_no_other_lines() -> None:
    flood = [{"event": "intake.refused", "source": "crm"}] * 500
    ours = [{"event": "account_held", "account": "acme"}] * 500
    said = lines_of([*flood, {"event": "intake.refused", "source": "desk"}, *ours])
    assert len(said) == logs.A_MINUTE + 1 + 500


@pytest.mark.parametrize("event", logs.RATIONED)
def test_each_rate_limited_event_exists(event: str) -> None:
    assert any(f'"{event}"' in each.read_text("utf-8") for each in SERVICE.rglob("*.py") if each.name != "logs.py")


STRANGERS = {
    "a wrong key": ("GET", "/v1/results", {"Authorization": "Bearer dmf_000000000000.x"}),
    "a delivery that nobody signed": ("POST", "/webhooks/crm/crm", {}),
    "a source that is not there": ("POST", "/webhooks/crm/nobody", {}),
    "a sender who asks to be called back": (
        "OPTIONS",
        "/webhooks/crm/crm",
        {"WebHook-Request-Callback": "https://e.x/"},
    ),
    "the same at no source": ("OPTIONS", "/webhooks/crm/nobody", {"WebHook-Request-Callback": "https://e.x/"}),
    "X's webhook without its password": ("POST", "/webhooks/x/acme", {}),
    "X's webhook for DMs, not signed": ("POST", "/webhooks/x", {}),
    "an address that is none": ("GET", "/nothing", {}),
    "whether it is ready": ("GET", "/readyz", {}),
}


@pytest.mark.parametrize("what", STRANGERS)
@pytest.mark.parametrize("away", [False, True])
def test_no_stranger_fills_a_disk_with_our_lines(
    what: str, away: bool, sqlite_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    method, path, headers = STRANGERS[what]
    app = App(sqlite_engine)
    logs.configure("json")
    if away:
        with writing(sqlite_engine) as connection:
            for table in ("api_key", "alembic_version"):
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
    for _ in range(3 * logs.A_MINUTE):
        app.client.open(path, method=method, headers=headers)
    assert len(lines(capsys)) <= 2 * logs.A_MINUTE, "a minute may end meanwhile"


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no room"), BrokenPipeError(), ValueError("closed")])
def test_a_line_that_cannot_be_written_fails_nobody(
    form: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        room = False

        def write(self, text: str) -> int:
            if not self.room:
                raise error
            return super().write(text)

    full = Full()
    monkeypatch.setattr(sys, "stderr", full)
    logs.configure(form)
    for level in ("debug", "info", "warning", "error", "exception", "critical"):
        getattr(structlog.get_logger("x"), level)("lost")
    full.room = True
    structlog.get_logger("x").info("kept")
    assert "kept" in full.getvalue()
    assert "lost" not in full.getvalue()


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR, logging.CRITICAL, 35])
def test_what_a_library_says_is_a_line_like_ours(level: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline that reads JSON would drop any other, and with it that a process was killed for want of memory."""
    logging.getLogger().handlers.clear()
    logs.configure("json")
    try:
        int("on two\nlines")
    except ValueError:
        logging.getLogger("some.library").log(level, "%s went", "something", exc_info=True)
    (line,) = lines(capsys)
    assert (line["event"], line["library"], line["said"]) == ("library_said", "some.library", "something went")
    assert "ValueError" in str(line["exception"])
