"""hashes have a key of their own.

Revision 0009, after 0008. The first start makes the key: the secret itself where it has made hashes already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "data_key",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_data_key")),
    )


def downgrade() -> None:
    """Come back."""
    op.drop_table("data_key")
