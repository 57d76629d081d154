"""Prompts with quick replies have an index of their own: each second somebody asks whether one waits for its answer.

Revision 0037, after 0036. An account that asks by cards alone had every card of four weeks read for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    prompts = sa.text("way = 'quick_reply'")
    op.create_index(
        "ix_feedback_request_prompts",
        "feedback_request",
        ["account", "card_sent_at"],
        sqlite_where=prompts,
        postgresql_where=prompts,
    )


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_feedback_request_prompts", "feedback_request")
