"""who wrote to an account.

Revision 0023, after 0022. A handle that people typed into a CRM is confirmed by a DM of that user. Only adds: the
version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "contact",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("wrote_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "person", name=op.f("pk_contact")),
    )
    op.create_index(op.f("ix_contact_person"), "contact", ["person"])
    op.create_index(op.f("ix_contact_wrote_at"), "contact", ["wrote_at"])


def downgrade() -> None:
    """Come back."""
    op.drop_table("contact")
