"""What is rarely asked has indexes too: erasing a person, and what may still be proven of a send.

Revision 0041, after 0040. An erasure read every item, every send and whoever has no id, while nobody else could write;
and whoever was asked by another way than the card stayed for good among those whose card may still appear.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

BEFORE = "state = 'unknown' OR (state = 'card_sent' AND feedback_id IS NULL)"
BY_CARD = "(way IS NULL OR way = 'card')"
SINCE = f"erased_at IS NULL AND (state = 'unknown' OR (state = 'card_sent' AND feedback_id IS NULL AND {BY_CARD}))"
REPEATS = "reason = 'same_conversation'"
ONLY_HANDLE = "x_user_id IS NULL AND x_handle IS NOT NULL"


def upgrade() -> None:
    """Go there."""
    op.drop_index("ix_feedback_request_unproven", "feedback_request")
    _of_some("ix_feedback_request_unproven", "feedback_request", ["account"], SINCE)
    _of_some("ix_feedback_request_only_handle", "feedback_request", ["x_user_id", "x_handle"], ONLY_HANDLE)
    _of_some("ix_send_attempt_x_user_id", "send_attempt", ["x_user_id"], "x_user_id <> ''")
    op.create_index(op.f("ix_delivery_item_conversation_id"), "delivery_item", ["conversation_id"])
    _of_some("ix_delivery_item_request_id", "delivery_item", ["request_id"], "request_id IS NOT NULL")
    op.drop_index("ix_delivery_item_repeats", "delivery_item")


def downgrade() -> None:
    """Come back."""
    _of_some("ix_delivery_item_repeats", "delivery_item", ["conversation_id"], REPEATS)
    op.drop_index("ix_delivery_item_request_id", "delivery_item")
    op.drop_index(op.f("ix_delivery_item_conversation_id"), "delivery_item")
    op.drop_index("ix_send_attempt_x_user_id", "send_attempt")
    op.drop_index("ix_feedback_request_only_handle", "feedback_request")
    op.drop_index("ix_feedback_request_unproven", "feedback_request")
    _of_some("ix_feedback_request_unproven", "feedback_request", ["account"], BEFORE)


def _of_some(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
