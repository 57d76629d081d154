"""Roll-ups tell apart who handled a conversation: people, a machine, both, nobody.

Revision ID: 0030
Revises: 0029

Another set of dimensions begins a new generation, as 0017 says: until the ledger is walked, figures are counted in it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.add_column("tally", sa.Column("handled_by", sa.String(8), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("tally", "handled_by")
