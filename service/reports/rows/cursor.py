"""Where a list goes on: in, a position and what it belongs to; out, an opaque signed text, and back.

A cursor is bound to its filter, its order and the key's accounts: with another filter it would silently skip rows, so
it is refused. It holds a moment and a request id, nothing about a customer.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.auth.keys import Reader
from service.db import EPOCH, MICROSECOND
from service.errors import Invalid
from service.reports.filters import Filter
from service.reports.rows.query import Order, Position

SIGNATURE_BYTES = 16
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list."""

    secret_key: str
    scope: str

    def write(self, position: Position | None) -> str:
        """Return the cursor behind a page; empty at the end."""
        if position is None:
            return ""
        payload = json.dumps([self.scope, (position.at - EPOCH) // MICROSECOND, position.id]).encode()
        return base64.urlsafe_b64encode(self._sign(payload) + payload).rstrip(b"=").decode()

    def read(self, cursor: str) -> Position | None:
        """Return where to go on; None for the beginning. Raises Invalid."""
        if not cursor:
            return None
        scope, micros, request_id = self._opened(cursor)
        if scope != self.scope:
            raise Invalid(
                "cursor_of_another_question",
                "This cursor belongs to another filter, order or key. Keep all parameters while you page, "
                "or begin again without a cursor.",
            )
        return Position(EPOCH + int(micros) * MICROSECOND, str(request_id))

    def _opened(self, cursor: str) -> tuple[str, int, str]:
        try:
            raw = base64.b64decode(cursor[:LONGEST].encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise _not_ours() from error
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise _not_ours()
        scope, micros, request_id = json.loads(payload)
        return scope, micros, request_id

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self.secret_key.encode(), b"cursor\x1f" + payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _not_ours() -> Invalid:
    return Invalid("bad_cursor", "This is no cursor of ours. Send 'next_cursor' back unchanged, or leave it out.")


def cursors(secret_key: str, reader: Reader, filter: Filter, order: Order) -> Cursors:
    """Return what writes and reads the cursors of this reader's question."""
    asked: Mapping[str, Any] = {"filter": filter.described(), "order": [order.sort, order.kind, order.newest_first]}
    text = json.dumps([asked, sorted(reader.accounts)], sort_keys=True)
    return Cursors(secret_key, hashlib.sha256(text.encode()).hexdigest()[:16])
