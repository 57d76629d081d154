"""changes are numbered in the order of their commits.

Revision 0003, after 0002. Requests that are there already have no number yet; the worker gives them theirs.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there. Columns alone, without a batch: SQLite would copy the whole ledger for nothing."""
    op.add_column("feedback_request", sa.Column("sealed", sa.BigInteger(), nullable=True))
    op.add_column("feedback_request", sa.Column("counted", sa.JSON(none_as_null=True), nullable=True))
    _index("unsealed", "id", sa.text("sealed IS NULL"), unique=False)
    _index("sealed", "sealed", sa.text("sealed IS NOT NULL"), unique=True)
    counter = op.create_table(
        "change_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=40), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_counter")),
    )
    op.bulk_insert(counter, [{"id": 1, "epoch": f"ep_{secrets.token_hex(12)}", "last": 0, "sealed_at": None}])


def downgrade() -> None:
    """Come back."""
    op.drop_table("change_counter")
    op.drop_index("ix_feedback_request_sealed", table_name="feedback_request")
    op.drop_index("ix_feedback_request_unsealed", table_name="feedback_request")
    op.drop_column("feedback_request", "counted")
    op.drop_column("feedback_request", "sealed")


def _index(name: str, column: str, where: sa.TextClause, *, unique: bool) -> None:
    name = f"ix_feedback_request_{name}"
    op.create_index(
        name, "feedback_request", [column], unique=unique, sqlite_where=where, postgresql_where=where
    )
