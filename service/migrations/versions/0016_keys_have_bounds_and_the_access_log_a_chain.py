"""keys have bounds and the access log a chain.

Revision 0016, after 0015. Keys expire, hold for some paths or networks; sessions can be listed and ended; lines of the
access log are numbered and hashed by a sealer, those written before as well. Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
form = "before"

UNSEALED = sa.text("number IS NULL")
ADDED = (
    ("api_key", "expires_at", sa.BigInteger()),
    ("api_key", "routes", sa.JSON()),
    ("api_key", "networks", sa.JSON()),
    ("session", "id", sa.String(16)),
    ("session", "address", sa.String(45)),
    ("access_log", "address", sa.String(45)),
    ("access_log", "outcome", sa.String(12)),
    ("access_log", "number", sa.BigInteger()),
    ("access_log", "hash", sa.String(64)),
)


def upgrade() -> None:
    """Go there."""
    for table, name, kind in ADDED:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_access_log_number", "access_log", ["number"], unique=True)
    op.create_index(
        "ix_access_log_unsealed", "access_log", ["id"], sqlite_where=UNSEALED, postgresql_where=UNSEALED
    )
    op.create_table(
        "access_chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("pruned_number", sa.BigInteger(), nullable=False),
        sa.Column("pruned_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_chain")),
    )
    op.create_table(
        "probe",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_probe")),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_table("probe")
    op.drop_table("access_chain")
    op.drop_index("ix_access_log_unsealed", "access_log")
    op.drop_index("ix_access_log_number", "access_log")
    for table, name, _ in reversed(ADDED):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(name)
