"""Accounts move between clusters.

Revision 0035, after 0034. An account says that it lives elsewhere, or is on its way here; a process says whom it serves.
Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.add_column("account_state", sa.Column("moved", sa.String(8), nullable=True))
    op.add_column("process_count", sa.Column("serves", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Come back."""
    op.drop_column("process_count", "serves")
    op.drop_column("account_state", "moved")
