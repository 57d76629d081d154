"""Ended conversations whose webhook never came are found by the CRM's list: how far it is read.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "source_sweep",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("read_until", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.String(2000), nullable=True),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(64), nullable=True),
        sa.Column("lease_token", sa.String(40), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_sweep")),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_table("source_sweep")
