"""Caches the answer to a question for the length of one read transaction.

A read transaction sees one state of the database, so asking again cannot give another answer; `reading` gives each an
empty cache. In any other, every question is asked anew.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from sqlalchemy.engine import Connection

Answer = TypeVar("Answer")


def once_per_transaction(connection: Connection, what: Hashable, find: Callable[[], Answer]) -> Answer:
    """Return what `find` returns, calling it once per transaction."""
    found: dict[Hashable, Any] | None = connection.get_execution_options().get("dm_feedback_found")
    if found is None:
        return find()
    if what not in found:
        found[what] = find()
    return cast("Answer", found[what])
