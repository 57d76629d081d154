"""what was begun goes first, and that X is away is said.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
form = "before"

BEGUN = "state = 'dm_sent' OR (state = 'dm_allowed' AND reason IN ('unclear','proven_unsent'))"


def upgrade() -> None:
    """Go there. A column and a small index: SQLite would copy a whole table for a batch."""
    op.add_column("account_state", sa.Column("x_away_since", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_feedback_request_begun",
        "feedback_request",
        ["account", "scheduled_at"],
        unique=False,
        sqlite_where=sa.text(BEGUN),
        postgresql_where=sa.text(BEGUN),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_feedback_request_begun", table_name="feedback_request")
    op.drop_column("account_state", "x_away_since")
