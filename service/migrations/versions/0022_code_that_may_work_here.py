"""who may work on this schema.

Revision 0022, after 0021. Code of the version before goes on while the schema is newer than itself: from this revision
on the database says which code may. Only adds: the version before runs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
form = "before"


def upgrade() -> None:
    """Go there."""
    floor = op.create_table(
        "schema_floor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_floor")),
    )
    op.bulk_insert(floor, [{"id": 1, "revision": "0022"}])


def downgrade() -> None:
    """Come back."""
    op.drop_table("schema_floor")
