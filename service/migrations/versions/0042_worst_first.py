"""Answers by score and moment: lists with the worst first follow it.

Revision 0042, after 0041. They were sorted by a number made of both, for which every answer of the period was read.
"""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.create_index(op.f("ix_result_score_updated_at_request_id"), "result", ["score", "updated_at", "request_id"])


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_result_score_updated_at_request_id", "result")
