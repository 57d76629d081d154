"""Values may be encrypted at rest: under which key, how far that has come, and which keys each process holds.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    counts = [
        sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        for name in ("looked_at", "changed", "rewritten", "skipped", "refused")
    ]
    op.create_table(
        "encryption",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(8), nullable=True),
        sa.Column("digest_key", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("at_table", sa.String(64), nullable=True),
        sa.Column("at_row", sa.JSON(), nullable=True),
        sa.Column("everybody", sa.Boolean(), nullable=True),
        *counts,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encryption")),
    )
    op.create_table(
        "encryption_key",
        sa.Column("id", sa.String(8), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encryption_key")),
    )
    op.add_column("process_count", sa.Column("encryption", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("process_count", "encryption")
    op.drop_table("encryption_key")
    op.drop_table("encryption")
