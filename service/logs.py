"""Logs: in, an event name and fields; out, one line each on standard error. Never a message's text or a secret.

`json` for machines, `text` for a terminal. Fields that could carry what a customer wrote are dropped here once more,
should a caller ever pass one.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

NEVER = frozenset({"text", "body", "message", "opening_text", "card_text", "secret", "token_secret", "authorization"})


def configure(log_format: str = "json") -> None:
    """Set up structlog and the standard library's logging for this process."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_what_must_not_leak,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # not cached: a logger used before this, or with another stream, would keep what it had then
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _drop_what_must_not_leak(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in event.items() if name not in NEVER}
