"""replies to prompts.

Revision 0013, after 0012. That somebody said something after our prompt, so that only the first bare number counts.
"""

import sqlalchemy as sa
from alembic import op

from service.db import Micros

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "prompt_reply",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("first_at", Micros(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["feedback_request.id"], name=op.f("fk_prompt_reply_request_id_feedback_request")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_prompt_reply")),
    )


def downgrade() -> None:
    """Come back. What came after a prompt is counted anew."""
    op.drop_table("prompt_reply")
