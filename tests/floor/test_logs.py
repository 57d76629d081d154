"""Logs: one line each, event and fields; never a message's text or a secret."""

import errno
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from service import logs


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


def test_a_terminal_is_shown_what_steers_it_and_does_not_obey(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    structlog.get_logger("x").warning("intake.unknown_source", source="\x1b]0;owned\x07\u202e")
    _, err = capsys.readouterr()
    assert "\\x1b]0;owned\\x07\\u202e" in err
    assert not {"\x1b]", "\x07", "\u202e"} & set(err)


def test_what_customers_write_and_what_opens_doors_is_on_the_list() -> None:
    assert {"text", "body", "message", "opening_text", "card_text", "secret", "authorization"} <= logs.NEVER


def test_what_is_bound_for_a_whole_request_is_looked_at_too(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_logger_that_was_used_before_follows_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    log = structlog.get_logger("x")
    log.info("first")
    logs.configure("text")
    log.info("second")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("{")
    assert "second" in second
    assert not second.startswith("{")


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no room"), BrokenPipeError(), ValueError("closed")])
def test_who_logs_goes_on_where_no_line_can_be_written(
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
