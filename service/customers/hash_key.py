"""The random key behind our keyed hashes, stored in the database encrypted under the settings' secret.

Hashes cannot be recomputed without the ids behind them, which we no longer have. So they use a key of their own, which
never changes: a wrong secret is noticed because it does not decrypt the key, and rotating the secret only encrypts the
same key anew.
"""

import secrets

import sqlalchemy as sa
from cryptography.fernet import InvalidToken
from sqlalchemy.engine import Connection, Engine

from service.at_rest.keyring import fernet_of
from service.db import insert_missing, reading, writing
from service.errors import Conflict, Unavailable
from service.models import data_key, feedback_request, opt_out

NAME = "person"
dk = data_key.c
WRONG = (
    "service.secret_key is not the one this database was set up with: nobody on the opt-out list would be recognised, "
    "and people would be asked again. Put the old secret back; or, to change it, run `dm-feedback keys rotate-secret`, "
    "which asks for the old one."
)


def open_key(engine: Engine, secret: str) -> str:
    """Return the key, created at the first start. Raises Unavailable if the secret does not decrypt it."""
    with reading(engine) as connection:
        found = find(connection, secret)
    if found is not None:
        return found
    with writing(engine) as connection:
        return begin(connection, secret)


def demand_right_secret(engine: Engine, secret: str) -> None:
    """Refuse to start with another secret than this database's. Raises Unavailable if it does not decrypt the key.

    Writes nothing: the first user of the key creates it.
    """
    with reading(engine) as connection:
        find(connection, secret)


def find(connection: Connection, secret: str) -> str | None:
    """Return the key, or None before the first start. Raises Unavailable if the secret does not decrypt it."""
    wrapped = connection.scalar(sa.select(dk.wrapped).where(dk.name == NAME))
    return None if wrapped is None else _unlocked(wrapped, secret)


def begin(connection: Connection, secret: str) -> str:
    """Return the key, creating it if there is none yet. Needs a write transaction."""
    if (there := find(connection, secret)) is not None:
        return there
    fresh = secret if _hashes_are_there(connection) else secrets.token_urlsafe(32)
    insert_missing(connection, data_key, [{"name": NAME, "wrapped": _locked(fresh, secret)}])
    found = find(connection, secret)
    assert found is not None
    return found


def rotate(connection: Connection, old: str, new: str) -> bool:
    """Encrypt the key with another secret. False: it already is. Raises Conflict for a wrong old one."""
    wrapped = connection.scalar(sa.select(dk.wrapped).where(dk.name == NAME).with_for_update())
    if wrapped is None:
        begin(connection, old)
        return rotate(connection, old, new)
    if _opens(wrapped, new):
        return False
    if not _opens(wrapped, old):
        sentence = "The old secret that was given is not the one this database was set up with. Nothing was changed."
        raise Conflict("not_the_old_secret", sentence)
    anew = {"wrapped": _locked(_unlocked(wrapped, old), new)}
    connection.execute(sa.update(data_key).where(dk.name == NAME).values(anew))
    return True


def _hashes_are_there(connection: Connection) -> bool:
    """Whether there are hashes from before there was a key: made with the secret itself, which then stays the key."""
    fr = feedback_request.c
    hashes = (sa.select(opt_out.c.person), sa.select(fr.person).where(fr.person.is_not(None)))
    return any(connection.scalar(each.limit(1)) is not None for each in hashes)


def _locked(key: str, secret: str) -> str:
    return fernet_of("data keys", secret).encrypt(key.encode()).decode()


def _unlocked(wrapped: str, secret: str) -> str:
    try:
        return fernet_of("data keys", secret).decrypt(wrapped.encode()).decode()
    except InvalidToken:
        raise Unavailable("secret_key_changed", WRONG) from None


def _opens(wrapped: str, secret: str) -> bool:
    try:
        _unlocked(wrapped, secret)
    except Unavailable:
        return False
    return True
