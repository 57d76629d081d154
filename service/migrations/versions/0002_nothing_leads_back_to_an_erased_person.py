"""nothing leads back to an erased person.

Revision 0002, after 0001. Deliveries are recognised by a digest instead of the sender's own words, and what the first
house left of erased people - their conversations' ids, notes about them - goes.
"""

import hashlib
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
form = "before"

AT_ONCE = 2000
OF_THE_ERASED = "SELECT id FROM feedback_request WHERE erased_at IS NOT NULL"
CONVERSATIONS_OF_THE_ERASED = """
    (source, conversation_id) IN (
        SELECT f.source, i.conversation_id FROM feedback_request f JOIN delivery_item i ON i.request_id = f.id
        WHERE f.erased_at IS NOT NULL AND i.conversation_id IS NOT NULL
    )
"""
FORGET = (
    f"DELETE FROM conversation WHERE {CONVERSATIONS_OF_THE_ERASED}",
    f"DELETE FROM reopening WHERE {CONVERSATIONS_OF_THE_ERASED}",
    f"UPDATE delivery_item SET conversation_id = NULL WHERE request_id IN ({OF_THE_ERASED})",
    f"DELETE FROM review_note WHERE request_id IN ({OF_THE_ERASED})",
    f"UPDATE send_attempt SET x_id = NULL WHERE request_id IN ({OF_THE_ERASED})",
    "UPDATE feedback_request SET dm_event_id = NULL, card_dm_id = NULL, feedback_id = NULL WHERE erased_at IS NOT NULL",
)  # constants, all of them


def upgrade() -> None:
    """Go there."""
    connection = op.get_bind()
    for statement in FORGET:
        op.execute(statement)
    _forget_feedback_ids(connection)
    _watch_the_channels()
    last = ""
    while rows := _next(connection, last):
        digest = sa.text("UPDATE webhook_delivery SET dedupe_key = :digest WHERE id = :id")
        connection.execute(digest, [{"id": row.id, "digest": _digest(row.dedupe_key)} for row in rows])
        last = rows[-1].id


def downgrade() -> None:
    """Come back. A digest tells nothing, and needs not: the first house compares keys and does not read them."""
    with op.batch_alter_table("poll_window", schema=None) as batch_op:
        batch_op.drop_column("unreadable")
    with op.batch_alter_table("stray_feedback", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stray_feedback_account_first_seen_at"))
        batch_op.create_index(batch_op.f("ix_stray_feedback_account"), ["account"], unique=False)
    with op.batch_alter_table("result_update", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_result_update_channel_seen_at"))


def _forget_feedback_ids(connection: Any) -> None:
    """X answers a feedback id with the person's own id: where the person is erased, another stands for it."""
    for request_id in connection.execute(sa.text(OF_THE_ERASED)).scalars().all():
        values = {"request_id": request_id, "nothing": "e" + secrets.token_hex(11)}
        for table in ("result", "result_update", "refresh"):
            update = f"UPDATE {table} SET feedback_id = :nothing WHERE request_id = :request_id"  # noqa: S608 - constants
            connection.execute(sa.text(update), values)


def _watch_the_channels() -> None:
    """What the webhook did not bring, strays by day, and events nobody could read."""
    with op.batch_alter_table("poll_window", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unreadable", sa.Integer(), server_default=sa.text("0"), nullable=False))
    with op.batch_alter_table("stray_feedback", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stray_feedback_account"))
        recent = batch_op.f("ix_stray_feedback_account_first_seen_at")
        batch_op.create_index(recent, ["account", "first_seen_at"], unique=False)
    with op.batch_alter_table("result_update", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_result_update_channel_seen_at"), ["channel", "seen_at"], unique=False)


def _next(connection: Any, last: str) -> Any:
    page = sa.text("SELECT id, dedupe_key FROM webhook_delivery WHERE id > :last ORDER BY id LIMIT :at_once")
    return connection.execute(page, {"last": last, "at_once": AT_ONCE}).all()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
