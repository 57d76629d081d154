"""The column type for digests of encrypted texts, and the same function for comparing."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from service.at_rest.columns import keyring_of


class KeyedDigest(sa.types.TypeDecorator[str]):
    """A digest of an encrypted text, under a key of our own: a plain digest of a short text could be guessed.

    Read as stored: to find one, look for both forms, `digest` and `keyed_digest_of(connection)(digest)`.
    """

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the keyed digest of what is written, where encryption is on."""
        keyring = keyring_of(dialect)
        return value if keyring is None or keyring.active is None or value is None else keyring.keyed_digest(value)


def keyed_digest_of(connection: Connection) -> Callable[[str], str]:
    """Return what turns a plain digest into the keyed one."""
    keyring = keyring_of(connection.dialect)
    return str if keyring is None else keyring.keyed_digest
