"""notes on the time line.

Revision 0031, after 0030. Supervisors write what happened on a day. Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "timeline_note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("account", sa.String(64), nullable=True),
        sa.Column("text", sa.String(120), nullable=False),
        sa.Column("author", sa.String(96), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_note")),
    )
    op.create_index(op.f("ix_timeline_note_day"), "timeline_note", ["day"])


def downgrade() -> None:
    """Come back."""
    op.drop_index(op.f("ix_timeline_note_day"), "timeline_note")
    op.drop_table("timeline_note")
