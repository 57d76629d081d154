"""When the ledger was put back from a backup, and until when it knew then.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "restore",
        sa.Column("restored_at", sa.BigInteger(), nullable=False),
        sa.Column("known_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("restored_at", name=op.f("pk_restore")),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_table("restore")
