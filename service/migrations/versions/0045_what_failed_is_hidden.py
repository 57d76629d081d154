"""Whoever's conversation failed is known as one who may still be asked, and mirrors hear of rows that hide a name now.

Revision 0045, after 0044. A customer who has the opening may answer by its link though the card behind it failed: such
rows hide whose they are where nobody is named, and their people are among those that no surface names.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

FAILED = "NOT test AND state = 'failed'"
KIND = "CASE WHEN agent_id IS NOT NULL THEN 'agent' ELSE 'team' END"
NAME = "COALESCE(agent_id, team_id)"


def upgrade() -> None:
    """Go there."""
    op.execute(
        f"INSERT INTO naming (account, kind, name) SELECT DISTINCT account, {KIND}, {NAME} "
        f"FROM feedback_request WHERE {FAILED} AND {NAME} IS NOT NULL ON CONFLICT DO NOTHING"
    )
    unnamed = (
        "EXISTS (SELECT 1 FROM naming WHERE naming.account = feedback_request.account "
        f"AND naming.kind = {KIND} AND naming.name = {NAME} AND naming.named_at IS NULL)"
    )
    told = sa.text(f"UPDATE feedback_request SET sealed = NULL, updated_at = :now WHERE {FAILED} AND {unnamed}")
    op.execute(told.bindparams(now=time.time_ns() // 1000))


def downgrade() -> None:
    """Come back: who is there stays, and harms nobody."""
