"""what waits for its number is found in its index alone.

Revision 0015, after 0014. SQLite looked up each row of the index of ids to see that it had no number, and so preferred
to read the whole ledger.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
form = "before"

UNSEALED = sa.text("sealed IS NULL")


def upgrade() -> None:
    """Go there."""
    _index(["sealed", "id"])


def downgrade() -> None:
    """Come back."""
    _index(["id"])


def _index(columns: list[str]) -> None:
    name = "ix_feedback_request_unsealed"
    op.drop_index(name, table_name="feedback_request")
    op.create_index(name, "feedback_request", columns, sqlite_where=UNSEALED, postgresql_where=UNSEALED)
