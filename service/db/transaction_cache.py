"""Caches the answer to a question for the length of one read transaction.

A read transaction sees one state of the database (`reading`), so asking again cannot give another answer. Outside of
one, every question is asked anew.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from sqlalchemy.engine import Connection

Answer = TypeVar("Answer")
OF = "the transaction it was found in"


def once_per_transaction(connection: Connection, what: Hashable, find: Callable[[], Answer]) -> Answer:
    """Return what `find` returns, calling it once per transaction."""
    options, transaction = connection.get_execution_options(), connection.get_transaction()
    found: dict[Hashable, Any] | None = options.get("dm_feedback_found")
    if found is None or transaction is None or not options.get("dm_feedback_steady"):
        return find()
    if found.get(OF) is not transaction:  # a connection may read one state after another
        found.clear()
        found[OF] = transaction
    if what not in found:
        found[what] = find()
    return cast("Answer", found[what])
