"""Keeps a loop running whatever happens inside it, and logs what happened.

A failure that may pass by itself (database or X away) is a warning; a bug is logged with its stack trace.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import structlog

from service.db.outages import is_away, why_away
from service.x_api import XError

UNWELL = timedelta(seconds=2)
"""Between two tries of what has failed, such as when the database is away."""

log = structlog.get_logger("service.worker")


@contextmanager
def keeping_on(event: str, **told: str) -> Iterator[None]:
    """Let the loop go on, whatever happens inside."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            log.warning(event, error=type(error).__name__, database=why_away(error), **told)
        elif isinstance(error, XError):
            log.warning(event, error=type(error).__name__, **told)
        else:
            log.exception(event, error=type(error).__name__, **told)


def each_step(event: str, steps: Mapping[str, Callable[[], object]], **told: str) -> bool:
    """Take each step, whatever became of the others: a bug in one must not stop unrelated ones."""
    well = 0
    for name, step in steps.items():
        with keeping_on(event, step=name, **told):
            step()
            well += 1
    return well == len(steps)
