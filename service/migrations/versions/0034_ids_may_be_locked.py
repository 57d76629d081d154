"""Ids, names and notes on the time line may be locked: what holds them is long enough for it.

Revision 0034, after 0033. *before*: on PostgreSQL no row and no index is written anew; SQLite's columns hold any length.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

LONGER = (
    ("feedback_request", "conversation_id", 256), ("feedback_request", "x_user_id", 20),
    ("feedback_request", "x_handle", 15), ("feedback_request", "customer_ref", 256), ("send_attempt", "x_user_id", 20),
    ("delivery_item", "conversation_id", 256), ("reopening", "conversation_id", 256),
    ("conversation", "conversation_id", 256), ("x_identity", "handle", 15), ("x_identity", "x_user_id", 20),
    ("found_identity", "x_user_id", 20), ("found_identity", "x_handle", 15), ("person_name", "name", 120),
    ("timeline_note", "text", 120),
)  # fmt: skip


def upgrade() -> None:
    """Go there."""
    op.add_column("encryption", sa.Column("ids", sa.Boolean(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table, column, _ in LONGER:
            op.alter_column(table, column, type_=sa.Text())


def downgrade() -> None:
    """Come back."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column, length in LONGER:
            op.alter_column(table, column, type_=sa.String(length))
    op.drop_column("encryption", "ids")
