"""Logging: an event name and fields become one line on standard error. Never a message's text or a secret.

`json` for machines, `text` for a terminal. Fields that could carry what a customer wrote are dropped here once more,
should a caller ever pass one. Logging never fails its caller.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, TextIO

import structlog

from service.words import harmless

NEVER = frozenset({"text", "body", "message", "opening_text", "card_text", "secret", "token_secret", "authorization"})


def configure(log_format: str = "json") -> None:
    """Set up structlog and the standard library's logging for this process."""
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_shown_not_obeyed, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


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
