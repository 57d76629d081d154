"""a repeat keeps the time of its end.

Revision 0004, after 0003. A late reopening judges repeats by that time instead of reading every delivery again; rows
stored before have none and are read again, as ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
form = "before"

REPEATS = sa.text("reason = 'same_conversation'")


def upgrade() -> None:
    """Go there."""
    op.add_column("delivery_item", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_delivery_item_repeats",
        "delivery_item",
        ["conversation_id"],
        sqlite_where=REPEATS,
        postgresql_where=REPEATS,
    )


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_delivery_item_repeats", "delivery_item")
    with op.batch_alter_table("delivery_item", schema=None) as batch_op:
        batch_op.drop_column("ended_at")
