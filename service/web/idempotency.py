"""`Idempotency-Key`: whether a POST with this key was done before, and the id of what it made. Knows flask.

The key is stored in the same commit as what the POST made: both or neither. It can be reused a day later. Of what was
made only the id is kept.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import flask
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.columns import encrypting
from service.at_rest.digests import keyed_digest_of
from service.at_rest.keyring import damaged
from service.at_rest.unreadable import is_unreadable
from service.db import insert
from service.errors import Invalid
from service.ids import secret_digest
from service.models import posted_once

po = posted_once.c
KEPT = timedelta(days=1)
HEADER = "Idempotency-Key"
LONGEST = 255
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Your own id for this call. If you repeat the call within a day, it changes nothing and "
    "returns what the first one created",
    "schema": {"type": "string", "maxLength": LONGEST},
}


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """One POST with a key, within the transaction that does its work."""

    connection: Connection
    key_id: str
    name: str | None

    def before(self, now: datetime) -> str | None:
        """Claim the key; return the id of what was made if it was done before.

        Raises Invalid if another call used the key, Unavailable if the id cannot be read any more.
        """
        if self.name is None:
            return None
        prune(self.connection, now)
        call = _digest()
        claim = insert(self.connection, posted_once).values(key_id=self.key_id, name=self.name, digest=call, at=now)
        if self.connection.execute(claim.on_conflict_do_nothing().returning(po.name)).first() is not None:
            return None
        known = self.connection.execute(sa.select(po.digest, po.answer).where(*self._mine())).one()
        if known.digest not in {call, keyed_digest_of(self.connection)(call)}:
            raise Invalid(
                "idempotency_key_reused",
                f"This {HEADER} was already used for a different call; give each call its own key.",
            )
        if is_unreadable(known.answer):
            raise damaged(f"posted_once.answer\x1f{self.key_id}\x1f{self.name}")
        return str((known.answer or {})["id"])

    def after(self, made: str) -> None:
        """Remember the id of what was made."""
        if self.name is not None:
            told = encrypting(posted_once, {"answer": {"id": made}}, self.key_id, self.name)
            self.connection.execute(sa.update(posted_once).where(*self._mine()).values(told))

    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return po.key_id == self.key_id, po.name == self.name


def once(connection: Connection, key_id: str) -> IdempotencyKey:
    """Return the present call's key, if it has one. Raises Invalid if it is too long."""
    given = flask.request.headers.get(HEADER)
    if given is None:
        return IdempotencyKey(connection, key_id, None)
    if not 1 <= len(given) <= LONGEST:
        raise Invalid("invalid_idempotency_key", f"An {HEADER} has 1 to {LONGEST} characters.")
    return IdempotencyKey(connection, key_id, secret_digest(given))


def prune(connection: Connection, now: datetime) -> None:
    """Forget the calls of more than a day ago."""
    connection.execute(sa.delete(posted_once).where(po.at < now - KEPT))


def _digest() -> str:
    asked = flask.request
    return hashlib.sha256(b"\x1f".join((asked.method.encode(), asked.path.encode(), asked.get_data()))).hexdigest()
