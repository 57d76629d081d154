"""people have names.

Revision 0027, after 0026. What agents and teams are called, and from when on. Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.create_table(
        "person_name",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("person_id", sa.String(256), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(120), nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("given_by", sa.String(96), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("told_id", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("account", "kind", "person_id", "since", name=op.f("pk_person_name")),
    )
    op.create_index(op.f("ix_person_name_kind_person_id"), "person_name", ["kind", "person_id"])


def downgrade() -> None:
    """Come back."""
    op.drop_index(op.f("ix_person_name_kind_person_id"), "person_name")
    op.drop_table("person_name")
