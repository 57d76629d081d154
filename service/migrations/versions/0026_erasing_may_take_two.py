"""Erasing may take two people: that the first has asked.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "erasure_ask",
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("asked_by", sa.String(96), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_erasure_ask")),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_table("erasure_ask")
