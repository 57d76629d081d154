"""Ids of X may be longer than the numbers they are, and a list that was not read to its end is read on.

Revision 0043, after 0042. PostgreSQL only notes the new width: no row is written, and of the indexes only the one of what
is unproven is made anew, as it asks whether there is an id. It forgets how ids are spread, so it looks again. SQLite
counts no letters.
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

IDS = {
    "feedback_request": ("dm_event_id", "feedback_id", "card_dm_id"),
    "send_attempt": ("x_id",),
    "result": ("feedback_id",),
    "result_update": ("feedback_id",),
    "refresh": ("feedback_id",),
    "stray_feedback": ("feedback_id",),
}


def upgrade() -> None:
    """Go there."""
    op.add_column("account_task", sa.Column("cursor", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in IDS.items():
            op.execute(f"ALTER TABLE {table} {', '.join(f'ALTER {each} TYPE VARCHAR(64)' for each in columns)}")
            if op.get_bind().scalar(sa.text(f"SELECT EXISTS (SELECT 1 FROM {table})")):  # noqa: S608 - names of ours
                op.execute(f"ANALYZE {table} ({', '.join(columns)})")


def downgrade() -> None:
    """Come back: wider columns harm nobody, and what lies in them may need the room."""
    op.drop_column("account_task", "cursor")
