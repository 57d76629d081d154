"""Where a list continues: a position becomes an opaque signed text, and back.

A cursor is bound to its filter, order and the key's accounts; with another filter it would silently skip rows, so it is
refused. It holds a moment and a request id, nothing about a customer.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.auth.keys import Reader
from service.db import from_micros, to_micros
from service.errors import Invalid
from service.reports.filters import Filter
from service.reports.rows.changes import ChangePosition
from service.reports.rows.order import Order
from service.reports.rows.position import Position

SIGNATURE_BYTES = 16
LONGEST = 400


@dataclass(frozen=True, slots=True)
class SignedText:
    """Writes and reads signed opaque texts for one scope."""

    secret_key: str
    scope: str

    def write(self, *values: Any) -> str:
        """Return the text that stands for these values."""
        payload = json.dumps([self.scope, *values]).encode()
        return base64.urlsafe_b64encode(self._sign(payload) + payload).rstrip(b"=").decode()

    def read(self, cursor: str) -> Sequence[Any]:
        """Return the values. Raises Invalid for a text of another scope, or one we did not sign."""
        try:
            raw = base64.b64decode(cursor[:LONGEST].encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise _not_ours() from error
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise _not_ours()
        scope, *values = json.loads(payload)
        if scope != self.scope:
            raise Invalid(
                "cursor_of_another_question",
                "This cursor belongs to another filter, order or key. Keep all parameters the same while you page, or "
                "start again without a cursor.",
            )
        found: Sequence[Any] = values
        return found

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self.secret_key.encode(), b"cursor\x1f" + payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a list continues: after a row, or once it was read to its end, after the changes it began with."""

    position: Position | None
    begun: ChangePosition


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list."""

    signed: SignedText

    def write(self, position: Position | None, begun: ChangePosition | None = None) -> str:
        """Return the cursor behind a page; empty at the end."""
        if position is None:
            return ""
        mark = () if begun is None else (begun.epoch, begun.number)
        return self.signed.write(to_micros(position.at), position.id, *mark)

    def resume(self, begun: ChangePosition) -> str:
        """Return the cursor for what changes after a full read."""
        return self.signed.write(None, None, begun.epoch, begun.number)

    def place(self, cursor: str) -> Bookmark | None:
        """Return where to continue; None for the beginning. Raises Invalid."""
        if not cursor:
            return None
        match self.signed.read(cursor):
            case [None, None, epoch, number]:
                return Bookmark(None, ChangePosition(str(epoch), int(number)))
            case [micros, request_id, epoch, number]:
                return Bookmark(_position(micros, request_id), ChangePosition(str(epoch), int(number)))
        raise _not_ours()  # of the same question on a page, which nobody resumes

    def read(self, cursor: str) -> Position | None:
        """Return where to continue in a list that cannot be resumed; None for the beginning. Raises Invalid."""
        if not cursor:
            return None
        micros, request_id, *_ = self.signed.read(cursor)
        if micros is None:
            raise _not_ours()  # for what changes after a full read
        return _position(micros, request_id)


def _position(micros: Any, request_id: Any) -> Position:
    return Position(from_micros(int(micros)), str(request_id))


def _not_ours() -> Invalid:
    return Invalid("bad_cursor", "This cursor is not valid. Send 'next_cursor' back unchanged, or leave it out.")


@dataclass(frozen=True, slots=True)
class ChangeCursors:
    """Writes and reads the cursors of the feed of changes, for the accounts of one key."""

    signed: SignedText

    def write(self, position: ChangePosition) -> str:
        """Return the cursor for a place. There is no end."""
        return self.signed.write(position.epoch, position.number)

    def read(self, cursor: str) -> ChangePosition | None:
        """Return the place; None for the beginning. Raises Invalid."""
        if not cursor:
            return None
        epoch, number = self.signed.read(cursor)
        return ChangePosition(str(epoch), int(number))


def change_cursors(secret_key: str, reader: Reader) -> ChangeCursors:
    """Return the codec of this reader's places in the feed."""
    accounts = hashlib.sha256(json.dumps(sorted(reader.accounts)).encode()).hexdigest()[:16]
    return ChangeCursors(SignedText(secret_key, f"changes {accounts}"))


def cursors(secret_key: str, reader: Reader, filter: Filter, order: Order) -> Cursors:
    """Return the codec of the cursors of this reader's question."""
    asked: Mapping[str, Any] = {"filter": filter.described(), "order": [order.sort, order.kind, order.newest_first]}
    text = json.dumps([asked, sorted(reader.accounts)], sort_keys=True)
    return Cursors(SignedText(secret_key, hashlib.sha256(text.encode()).hexdigest()[:16]))
