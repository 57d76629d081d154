"""customers are looked up in the CRM.

Revision 0018, after 0017. How a source's API stands, who is to be looked up there, what was found, and who handled a
conversation. Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.add_column("feedback_request", sa.Column("handled_by", sa.String(8), nullable=True))
    op.create_table(
        "source_state",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("hold_reason", sa.String(64), nullable=True),
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("away_since", sa.BigInteger(), nullable=True),
        sa.Column("window_until", sa.BigInteger(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_state")),
    )
    op.create_table(
        "look_up",
        sa.Column("request_id", sa.String(40), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("customer", sa.String(64), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.String(40), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["feedback_request.id"], name=op.f("fk_look_up_request_id_feedback_request")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_look_up")),
    )
    op.create_index(op.f("ix_look_up_source_due_at"), "look_up", ["source", "due_at"])
    op.create_table(
        "look_up_count",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "day", "outcome", name=op.f("pk_look_up_count")),
    )
    op.create_table(
        "found_identity",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("customer", sa.String(64), nullable=False),
        sa.Column("x_user_id", sa.String(20), nullable=True),
        sa.Column("x_handle", sa.String(15), nullable=True),
        sa.Column("trust", sa.String(20), nullable=False),
        sa.Column("language", sa.String(35), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "customer", name=op.f("pk_found_identity")),
    )
    op.create_index(op.f("ix_found_identity_x_user_id"), "found_identity", ["x_user_id"])
    op.create_index(op.f("ix_found_identity_looked_at"), "found_identity", ["looked_at"])


def downgrade() -> None:
    """Come back."""
    for table in ("found_identity", "look_up_count", "look_up", "source_state"):
        op.drop_table(table)
    with op.batch_alter_table("feedback_request", schema=None) as batch_op:
        batch_op.drop_column("handled_by")
