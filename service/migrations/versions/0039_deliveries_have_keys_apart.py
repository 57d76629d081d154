"""The keys by which a delivery is known again may lie apart from it, and each process says which schema it knows.

Revision 0039, after 0038. Empty until `dm-feedback db partition` fills it: a key that is unique over time partitions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "delivery_key",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("dedupe_key", sa.String(200), nullable=False),
        sa.Column("delivery_id", sa.String(40), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "dedupe_key", name=op.f("pk_delivery_key")),
    )
    op.create_index(op.f("ix_delivery_key_received_at"), "delivery_key", ["received_at"], postgresql_using="brin")
    op.add_column("process_count", sa.Column("revision", sa.String(32), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("process_count", "revision")
    op.drop_table("delivery_key")
