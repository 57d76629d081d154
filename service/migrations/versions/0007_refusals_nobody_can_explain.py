"""refusals nobody can explain.

Revision 0007, after 0006. Who met one, by account and endpoint, so that all workers notice together when it is about us.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "strange_refusal",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["feedback_request.id"], name=op.f("fk_strange_refusal_request_id_feedback_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "endpoint", name=op.f("pk_strange_refusal")),
    )
    op.create_index(op.f("ix_strange_refusal_account_endpoint"), "strange_refusal", ["account", "endpoint"])


def downgrade() -> None:
    """Come back. What was counted is counted anew."""
    op.drop_table("strange_refusal")
