"""Digests of encrypted texts, made with a key of our own: a plain digest of a short text can be guessed."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from service.at_rest.columns import ring_of


class Blinded(sa.types.TypeDecorator[str]):
    """A digest of an encrypted text, under a key of our own: a plain digest of a short text could be guessed.

    Read as stored: to find one, look for both forms, `digest` and `blinding(connection)(digest)`.
    """

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Blind what is written, where that is on."""
        ring = ring_of(dialect)
        return value if ring is None or ring.under is None or value is None else ring.blinded(value)


def blinding(connection: Connection) -> Callable[[str], str]:
    """Return what turns a digest into its other form."""
    ring = ring_of(connection.dialect)
    return str if ring is None else ring.blinded
