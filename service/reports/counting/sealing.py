"""Sealing: in, requests that changed; out, their numbers in commit order. Any number of sealers may run.

Never decides what a reader may see; a request that somebody is changing is left for the next turn.
"""

from datetime import datetime

from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.requests import changes
from service.settings import Settings

AT_ONCE = 200  # a transaction that writes stays short, whatever waits behind it


def seal(engine: Engine, settings: Settings, now: datetime, limit: int = AT_ONCE) -> int:  # noqa: ARG001
    """Number up to `limit` changed requests; return how many. 0: nothing is left that can be sealed now."""
    with reading(engine) as connection:
        if not changes.anything_to_seal(connection):
            return 0
    with writing(engine) as connection:
        ids = changes.lock_unsealed(connection, limit)
        if ids:
            numbers = changes.take_numbers(connection, len(ids), now)
            sealed = [
                {"this": each, "number": number, "counts": None} for each, number in zip(ids, numbers, strict=True)
            ]
            changes.write_sealed(connection, sealed)
    return len(ids)
