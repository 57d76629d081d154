"""answers are marked.

Revision 0025, after 0024. Supervisors mark an answer as done and hand it to one of them. Only adds: the version before
runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "review_mark",
        sa.Column("request_id", sa.String(40), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.String(96), nullable=True),
        sa.Column("owner", sa.String(96), nullable=True),
        sa.Column("owner_at", sa.BigInteger(), nullable=True),
        sa.Column("owner_by", sa.String(96), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["feedback_request.id"], name=op.f("fk_review_mark_request_id_feedback_request")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_review_mark")),
    )
    op.create_index(op.f("ix_review_mark_owner"), "review_mark", ["owner"])


def downgrade() -> None:
    """Come back."""
    op.drop_index(op.f("ix_review_mark_owner"), "review_mark")
    op.drop_table("review_mark")
