"""How far behind the replica was that an answer came from, as a header and a line on a page. Knows flask.

Not in the body: a figure that has not changed keeps its ETag.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import flask
from sqlalchemy.engine import Connection, Engine

from service import replica

T = TypeVar("T")
BEHIND = "Data-Behind"


def read(engine: Engine, ask: Callable[[Connection], T]) -> T:
    """Ask the replica, or the primary if none can answer, and let the response say which."""
    told = replica.read(engine, ask)
    tell_behind(told.behind)
    return told.value


def tell_behind(behind: timedelta | None) -> None:
    """Let the response say how far behind its answer is; with several, the furthest."""
    if behind is not None:
        flask.g.behind = max(behind, flask.g.get("behind", behind))


def behind_header() -> dict[str, str]:
    """Return the header of this response, in seconds. None: nothing in it came from a replica."""
    behind: timedelta | None = flask.g.get("behind")
    return {} if behind is None else {BEHIND: f"{behind.total_seconds():.3f}"}
