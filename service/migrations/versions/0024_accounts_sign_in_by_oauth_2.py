"""accounts sign in by OAuth 2.0.

Revision 0024, after 0023. One row an account that is connected by a person; nobody is, before that.
"""

import sqlalchemy as sa
from alembic import op

from service.db import Micros

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "x_token",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("expires_at", Micros(), nullable=False),
        sa.Column("renewing_until", Micros(), nullable=True),
        sa.Column("connected_at", Micros(), nullable=False),
        sa.Column("updated_at", Micros(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_x_token")),
    )


def downgrade() -> None:
    """Come back. Accounts are connected anew then."""
    op.drop_table("x_token")
