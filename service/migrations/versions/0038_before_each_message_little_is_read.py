"""What is asked before each message is answered by two indexes that hold it all.

Revision 0038, after 0037. Whether others sent this customer a link: SQLite read every card of the account in the
cool-down for that, three times a conversation. How many slots of the day are taken: each send's row was looked up.
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

SLOTS = ["account", "kind", "intended_at"]


def upgrade() -> None:
    """Go there."""
    handed = sa.text("way = 'handed_over'")
    op.create_index(
        "ix_feedback_request_handed_over",
        "feedback_request",
        ["account", "x_user_id", "card_sent_at"],
        sqlite_where=handed,
        postgresql_where=handed,
    )
    op.create_index("ix_send_attempt_account_kind_intended_at_outcome", "send_attempt", [*SLOTS, "outcome"])
    op.drop_index("ix_send_attempt_account_kind_intended_at", "send_attempt")


def downgrade() -> None:
    """Come back."""
    op.create_index("ix_send_attempt_account_kind_intended_at", "send_attempt", SLOTS)
    op.drop_index("ix_send_attempt_account_kind_intended_at_outcome", "send_attempt")
    op.drop_index("ix_feedback_request_handed_over", "feedback_request")
