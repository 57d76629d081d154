"""each request says by which way it asks, and keeps the texts of the others.

Revision 0008, after 0007. Requests that are there already ask by the card, as everybody did: their columns stay NULL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there. Columns alone, without a batch: SQLite would copy the whole ledger for nothing."""
    op.add_column("feedback_request", sa.Column("way", sa.String(length=16), nullable=True))
    op.add_column("feedback_request", sa.Column("alternatives", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("feedback_request", "alternatives")
    op.drop_column("feedback_request", "way")
