"""figures are rolled up.

Revision 0006, after 0005. The roll-ups begin empty: the worker walks the ledger and fills them in the background, and
until it is done figures are counted in the ledger itself. Raw edges of periods are found by when a score was given.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
form = "before"

SCORE_UNDATED = sa.text("score_at IS NULL")


def upgrade() -> None:
    """Go there."""
    book = op.create_table(
        "tally_book",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.String(length=512), nullable=False),
        sa.Column("walked", sa.String(length=40), nullable=True),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally_book")),
    )
    first = {"id": 1, "generation": 0, "zone": "", "shape": "", "walked": "", "begun_at": None}
    op.bulk_insert(book, [first])
    op.create_table(
        "tally",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("clock", sa.String(length=9), nullable=False),
        sa.Column("span", sa.String(length=5), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("grain", sa.String(length=7), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("team", sa.String(length=256), nullable=True),
        sa.Column("agent", sa.String(length=256), nullable=True),
        sa.Column("campaign", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("channel", sa.String(length=256), nullable=True),
        sa.Column("hour", sa.Integer(), nullable=True),
        sa.Column("variant", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=4), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("commented", sa.Integer(), nullable=False),
        sa.Column("s0", sa.Integer(), nullable=False),
        sa.Column("s1", sa.Integer(), nullable=False),
        sa.Column("s2", sa.Integer(), nullable=False),
        sa.Column("s3", sa.Integer(), nullable=False),
        sa.Column("s4", sa.Integer(), nullable=False),
        sa.Column("s5", sa.Integer(), nullable=False),
        sa.Column("s6", sa.Integer(), nullable=False),
        sa.Column("s7", sa.Integer(), nullable=False),
        sa.Column("s8", sa.Integer(), nullable=False),
        sa.Column("s9", sa.Integer(), nullable=False),
        sa.Column("s10", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
    )
    op.create_index("ix_tally_asked", "tally", ["generation", "clock", "grain", "span", "account", "start"])
    op.create_index("ix_result_score_at", "result", ["score_at"])
    op.create_index(
        "ix_result_score_undated",
        "result",
        ["first_seen_at"],
        sqlite_where=SCORE_UNDATED,
        postgresql_where=SCORE_UNDATED,
    )


def downgrade() -> None:
    """Come back."""
    op.drop_index("ix_result_score_undated", table_name="result")
    op.drop_index("ix_result_score_at", table_name="result")
    op.drop_table("tally")
    op.drop_table("tally_book")
