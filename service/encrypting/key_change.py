"""Turns encryption on, moves it to another key, or turns it off; refuses if that is not safe yet.

Every process follows for new values within seconds; existing_rows.py rewrites what is stored. Code that could not read
them is kept from starting on this database. Never rewrites a value itself.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from service.at_rest.columns import keyring_of
from service.at_rest.keyring import Keyring
from service.db import insert_missing, upsert
from service.encrypting.in_force import PLACE, ProcessKeys, WalkProgress, follow, hold_alone, living, progress
from service.errors import Conflict, Invalid
from service.migrations import set_floor
from service.models import encryption, encryption_key

ANEW: Mapping[str, Any] = {
    "finished_at": None, "at_table": None, "at_row": None, "everybody": None,
    "looked_at": 0, "changed": 0, "rewritten": 0, "skipped": 0, "refused": 0,
}  # fmt: skip


def turn_on(connection: Connection, now: datetime) -> str:
    """Change to the first key in the settings; return its id. Raises Conflict, Invalid with what would be right."""
    keyring = keyring_of(connection.dialect)
    if keyring is None:
        raise Invalid(
            "no_encryption_key",
            "There is no privacy.encryption_key: make one with `openssl rand -base64 32`, keep a copy where the "
            "database is not, write it into the settings, restart web and workers, and run this again.",
        )
    _demand_idle(progress(connection), keyring.first)
    _demand_held(living(connection, now), keyring.first)
    _go_over(connection, keyring, keyring.first, now)
    return keyring.first


def turn_off(connection: Connection, now: datetime) -> None:
    """Change to no key. Raises Conflict if nothing is encrypted."""
    keyring, found = keyring_of(connection.dialect), progress(connection)
    if keyring is None or found is None or found.key_id is None:
        raise Conflict("not_encrypted", "Nothing is encrypted here, or decryption is already under way.")
    _demand_held(living(connection, now), None)
    _go_over(connection, keyring, None, now)


def _go_over(connection: Connection, keyring: Keyring, to: str | None, now: datetime) -> None:
    hold_alone(connection)
    follow(connection)
    secret = keyring.digest_key or secrets.token_bytes(32)
    held = secret.hex() if to is None else keyring.encrypt_text(secret.hex(), PLACE, to)
    row = {"key_id": to, "ids": to is not None and keyring.encrypts_ids, "digest_key": held, "begun_at": now, **ANEW}
    upsert(connection, encryption, {"id": 1}, row)
    if to is not None:
        insert_missing(connection, encryption_key, [{"id": to, "since": now}])
    set_floor(connection)
    follow(connection)


def _demand_idle(found: WalkProgress | None, wanted: str) -> None:
    if found is not None and found.key_id == wanted and found.ids is not None:
        state = "everything is" if found.finished_at else "everything is being"
        raise Conflict(
            "encrypted_already", f"The first key of privacy.encryption_key is already in use, {state} encrypted."
        )


def _demand_held(processes: Iterable[ProcessKeys], wanted: str | None) -> None:
    """Refuse if a process lacks the key: it would show encrypted values as they are stored."""
    without = sorted(each.name for each in processes if not each.known or (wanted and wanted not in each.held))
    if without:
        sentence = (
            f"{', '.join(without)} run without the key: restart them with these settings, and run this again half a "
            "minute later, when those that have ended are forgotten."
        )
        raise Conflict("processes_without_key", sentence)
