"""Whoever was asked about and is not named is known by name to the figures, before there is an answer.

Revision 0040, after 0039. One reading of the ledger; from then on the worker keeps it. People in the table without a
moment are those that no surface names.
"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go there."""
    op.execute(
        "INSERT INTO naming (account, kind, name) SELECT DISTINCT account, "
        "CASE WHEN agent_id IS NOT NULL THEN 'agent' ELSE 'team' END, COALESCE(agent_id, team_id) "
        "FROM feedback_request WHERE NOT test AND state NOT IN ('skipped', 'failed') "
        "AND COALESCE(agent_id, team_id) IS NOT NULL ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    """Come back: who is there stays, and harms nobody."""
