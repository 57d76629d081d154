"""releases: what who sees no rows may read.

Revision 0005, after 0004. Four tables, and a mark on each answer: the day's release it is in. Existing answers have
none; the worker closes their releases in the background, from the oldest day on.
"""

import sqlalchemy as sa
from alembic import op

from service.db import Micros

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
form = "before"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "release",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("type", sa.String(4), nullable=False),
        sa.Column("partition", sa.String(12), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("end_day", sa.Date(), nullable=False),
        sa.Column("closed_at", Micros(), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint(
            "account", "type", "partition", "end_day", name=op.f("uq_release_account_type_partition_end_day")
        ),
    )
    op.create_table(
        "release_leaf",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("release_id", SERIAL, nullable=False),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("pooled", sa.Boolean(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_release_leaf_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_leaf")),
    )
    op.create_index(op.f("ix_release_leaf_release_id"), "release_leaf", ["release_id"])
    op.create_table(
        "release_cell",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("release_id", SERIAL, nullable=False),
        sa.Column("team_id", sa.String(256), nullable=True),
        sa.Column("agent_id", sa.String(256), nullable=True),
        sa.Column("contexts", sa.JSON(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_release_cell_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_cell")),
    )
    op.create_index(op.f("ix_release_cell_release_id"), "release_cell", ["release_id"])
    op.create_table(
        "release_walk",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("type", sa.String(4), nullable=False),
        sa.Column("partition", sa.String(12), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("account", "type", "partition", name=op.f("pk_release_walk")),
    )
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.add_column(sa.Column("released", sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f("ix_result_released_first_seen_at"), ["released", "first_seen_at"])


def downgrade() -> None:
    """Come back. What was said is forgotten here, but not by those who read it: later releases could be subtracted."""
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_result_released_first_seen_at"))
        batch_op.drop_column("released")
    for table in ("release_walk", "release_cell", "release_leaf", "release"):
        op.drop_table(table)
