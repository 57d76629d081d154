"""Logging: an event name and fields become one line on standard error. Never a message's text or a secret.

`json` for machines, `text` for a terminal. Fields that could carry what a customer wrote are dropped here once more,
should a caller ever pass one. Logging never fails its caller, and strangers cannot fill a disk with our lines.
"""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, TextIO

import structlog

from service.text import harmless

NEVER = frozenset({"text", "body", "message", "opening_text", "card_text", "secret", "token_secret", "authorization"})
RATIONED: Mapping[str, str | None] = {
    "answer_failed": None,
    "call_refused": "key_id",
    "database_away": None,
    "http.refused": None,
    "intake.callback_not_fetched": "source",
    "intake.group_parted": None,
    "intake.handshake": "source",
    "intake.not_proven_yet": "source",
    "intake.refused": "source",
    "intake.unknown_source": None,
    "key_refused": None,
    "not_ready": None,
    "question_too_long": "path",
    "unexpected_error": "path",
    "wrong_key_not_counted": None,
    "x_activity_refused": None,
    "x_webhook_refused": "account",
}
"""Events that anybody who can reach us can cause at will, and the field by which their lines are counted."""

A_MINUTE = 60
"""Lines of each."""


def configure(log_format: str) -> None:
    """Set up structlog and the standard library's logging for this process."""
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_shown_not_obeyed, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[
            Ration(time.monotonic),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_what_must_not_leak,
            structlog.processors.format_exc_info,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=partial(_Lines, sys.stderr),
        # not cached: a logger used before this, or with another stream, would keep its old configuration
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()])


class Ration:
    """Drops lines of RATIONED beyond those of a minute; the next line that passes says how many were left out."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._minute = clock, 0.0
        self._seen: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Let a line pass, or raise DropEvent."""
        if event["event"] not in RATIONED:
            return event
        kind = f"{event['event']} {event.get(RATIONED[event['event']] or '', '')}"
        if (minute := self._clock() // 60) != self._minute:
            self._minute = minute
            self._seen.clear()
        self._seen[kind] += 1
        if self._seen[kind] > A_MINUTE:
            self._left_out[kind] += 1
            raise structlog.DropEvent
        if left_out := self._left_out.pop(kind, 0):
            event["left_out"] = left_out
        return event


class Libraries(logging.Handler):
    """Writes what libraries say, gunicorn of a process that was killed for one, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one. Never fails its caller."""
        with suppress(Exception):
            log = structlog.get_logger(record.name)
            say = getattr(log, record.levelname.lower(), log.warning)
            say("library_said", library=record.name, said=record.getMessage(), exc_info=record.exc_info or None)


class _Lines(structlog.PrintLogger):
    """Drops a line that cannot be written, because the disk is full or nobody reads it, and never fails its caller.

    Otherwise a full disk would end the writing threads in the middle of what they do.
    """

    def __init__(self, file: TextIO, *_names: object) -> None:
        super().__init__(file)

    def msg(self, message: str) -> None:
        """Write it if it can be written."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _drop_what_must_not_leak(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in event.items() if name not in NEVER}


def _shown_not_obeyed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: harmless(value) if isinstance(value, str) else value for name, value in event.items()}
