"""When each CRM is asked again what its agents and teams are called.

Revision 0036, after 0035. *before*: a column that may be empty; empty means now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.add_column("source_state", sa.Column("names_due_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("source_state", "names_due_at")
