"""nothing leads back to an erased person.

Revision 0002, after 0001. Deliveries are recognised by a digest instead of the sender's own words, and what the first
house left of erased people - their conversations' ids, notes about them - goes.
"""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AT_ONCE = 2000
OF_THE_ERASED = "SELECT id FROM feedback_request WHERE erased_at IS NOT NULL"
CONVERSATION_OF_THE_ERASED = """
    DELETE FROM {0} WHERE EXISTS (
        SELECT 1 FROM delivery_item i JOIN feedback_request f ON f.id = i.request_id
        WHERE f.erased_at IS NOT NULL AND f.source = {0}.source AND i.conversation_id = {0}.conversation_id
    )
"""


def upgrade() -> None:
    """Go there."""
    connection = op.get_bind()
    for table in ("conversation", "reopening"):
        op.execute(CONVERSATION_OF_THE_ERASED.format(table))
    op.execute(f"UPDATE delivery_item SET conversation_id = NULL WHERE request_id IN ({OF_THE_ERASED})")  # noqa: S608 - constants
    op.execute(f"DELETE FROM review_note WHERE request_id IN ({OF_THE_ERASED})")  # noqa: S608 - constants
    last = ""
    while rows := _next(connection, last):
        digest = sa.text("UPDATE webhook_delivery SET dedupe_key = :digest WHERE id = :id")
        connection.execute(digest, [{"id": row.id, "digest": _digest(row.dedupe_key)} for row in rows])
        last = rows[-1].id


def downgrade() -> None:
    """Come back. A digest tells nothing, and needs not: the first house compares keys and does not read them."""


def _next(connection: Any, last: str) -> Any:
    page = sa.text("SELECT id, dedupe_key FROM webhook_delivery WHERE id > :last ORDER BY id LIMIT :at_once")
    return connection.execute(page, {"last": last, "at_once": AT_ONCE}).all()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
