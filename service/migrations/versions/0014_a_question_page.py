"""a request can be answered on a page of its own, and X may bar an account from a way of asking.

Revision 0014, after 0013. Requests that are there already have no page.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
form = "before"

THERE = sa.text("page_hash IS NOT NULL")


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "barred_way",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("barred_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "way", name=op.f("pk_barred_way")),
    )
    op.add_column("feedback_request", sa.Column("page_hash", sa.String(length=64), nullable=True))
    name = "ix_feedback_request_page_hash"
    op.create_index(
        name, "feedback_request", ["page_hash"], unique=True, sqlite_where=THERE, postgresql_where=THERE
    )


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_feedback_request_page_hash", table_name="feedback_request")
    op.drop_column("feedback_request", "page_hash")
    op.drop_table("barred_way")
