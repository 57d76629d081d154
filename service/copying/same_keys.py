"""Refuses to copy between databases whose secret keys differ.

Hashes of people, page links and encrypted values mean nothing under other keys. An empty database takes over the keys
with its first accounts.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.at_rest.columns import keyring_of
from service.at_rest.keyring import Keyring
from service.customers import hash_key
from service.db import reading
from service.encrypting import in_force
from service.errors import Conflict, Unavailable
from service.models import encryption


def demand_same_keys(source: Engine, target: Engine, secret: str) -> None:
    """Refuse a target with keys of its own. Raises Conflict."""
    with reading(source) as ours, reading(target) as theirs:
        here, there = hash_key.find(ours, secret), _hash_key_there(theirs, secret)
        in_force_here = _demand_at_rest(ours, "This database", keyring := keyring_of(ours.dialect))
        if there is None:
            return
        if here != there:
            sentence = (
                "The database of --to hashes people under a key of its own, and would not recognise who opted out: a "
                "further cluster begins with an empty database, into which the first accounts are carried."
            )
            raise Conflict("copy_other_keys", sentence)
        if in_force_here != _demand_at_rest(theirs, "The database of --to", keyring):
            sentence = (
                "The two databases are not encrypted alike, or each began to by itself: encrypt the first before the "
                "accounts of a further cluster are carried into an empty database."
            )
            raise Conflict("copy_other_encryption", sentence)


def _hash_key_there(theirs: Connection, secret: str) -> str | None:
    try:
        return hash_key.find(theirs, secret)
    except Unavailable:
        sentence = "The database of --to was set up with another service.secret_key: all clusters need the same."
        raise Conflict("copy_other_secret", sentence) from None


def _demand_at_rest(
    connection: Connection, name: str, keyring: Keyring | None
) -> tuple[str | None, bool, bytes] | None:
    """Return the key in force, unless a change to another one is under way."""
    found = in_force.progress(connection)
    if found is None:
        return None
    if found.finished_at is None:
        sentence = f"{name} goes over to another encryption key: wait until `dm-feedback privacy status` says done."
        raise Conflict("copy_encryption_under_way", sentence)
    if keyring is None:
        raise Conflict("copy_other_encryption", f"{name} was encrypted: privacy.encryption_key must hold its key.")
    held = connection.execute(sa.select(encryption.c.digest_key)).scalar_one()
    return found.key_id, bool(found.ids), in_force.digest_key(keyring, found.key_id, held)
