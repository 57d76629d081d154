"""who may be named.

Revision 0011, after 0010. Nobody is named yet; the worker follows the sealed changes from the first one and names
whoever has enough answers. Retention counts from when the words came, which is a clock of its own now.
A POST may name itself, and is answered as before when it comes again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
form = "before"

PERSON = (
    ("account", sa.String(length=64)),
    ("kind", sa.String(length=5)),
    ("name", sa.String(length=256)),
)


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "naming",
        *(sa.Column(name, kind, nullable=False) for name, kind in PERSON),
        sa.Column("named_at", sa.BigInteger(), nullable=True),
        sa.Column("readable_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "kind", "name", name=op.f("pk_naming")),
    )
    op.create_table(
        "naming_answer",
        *(sa.Column(name, kind, nullable=False) for name, kind in PERSON),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "name", "request_id", name=op.f("pk_naming_answer")),
    )
    op.create_index("ix_naming_answer_request_id", "naming_answer", ["request_id"])
    place = op.create_table(
        "naming_place",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_naming_place")),
    )
    op.bulk_insert(place, [{"id": 1, "sealed": 0}])
    op.create_table(
        "posted_once",
        sa.Column("key_id", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "name", name=op.f("pk_posted_once")),
    )
    op.create_index("ix_posted_once_at", "posted_once", ["at"])
    op.create_index("ix_feedback_request_account_agent_id", "feedback_request", ["account", "agent_id"])
    op.add_column("result", sa.Column("text_seen_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("result", "text_seen_at")
    op.drop_index("ix_feedback_request_account_agent_id", table_name="feedback_request")
    op.drop_table("posted_once")
    op.drop_table("naming_place")
    op.drop_table("naming_answer")
    op.drop_table("naming")
