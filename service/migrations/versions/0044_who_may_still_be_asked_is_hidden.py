"""Whoever a link may still be handed to is known as one who may be asked, and mirrors hear of rows that hide a name now.

Revision 0044, after 0043. Conversations skipped because nobody could be written to may be taken up by a link: their
rows hide whose they are where nobody is named, and their people are among those that no surface names.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

TAKEN_UP = "NOT test AND state IN ('skipped', 'failed') AND reason IN ('no_x_identity', 'cannot_dm', 'unreachable')"
KIND = "CASE WHEN agent_id IS NOT NULL THEN 'agent' ELSE 'team' END"
NAME = "COALESCE(agent_id, team_id)"


def upgrade() -> None:
    """Go there."""
    op.execute(
        f"INSERT INTO naming (account, kind, name) SELECT DISTINCT account, {KIND}, {NAME} "
        f"FROM feedback_request WHERE {TAKEN_UP} AND {NAME} IS NOT NULL ON CONFLICT DO NOTHING"
    )
    unnamed = (
        "EXISTS (SELECT 1 FROM naming WHERE naming.account = feedback_request.account "
        f"AND naming.kind = {KIND} AND naming.name = {NAME} AND naming.named_at IS NULL)"
    )
    told = sa.text(f"UPDATE feedback_request SET sealed = NULL, updated_at = :now WHERE {TAKEN_UP} AND {unnamed}")
    op.execute(told.bindparams(now=time.time_ns() // 1000))


def downgrade() -> None:
    """Come back: who is there stays, and harms nobody."""
