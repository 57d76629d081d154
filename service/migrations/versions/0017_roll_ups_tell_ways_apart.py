"""roll-ups tell ways of asking apart.

Revision 0017, after 0016. Another set of dimensions begins a new generation: the worker walks the ledger again in the
background and fills the column for what is there, and until it is done figures are counted in the ledger itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.add_column("tally", sa.Column("way", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("tally", "way")
