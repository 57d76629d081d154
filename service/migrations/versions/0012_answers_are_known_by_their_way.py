"""answers are known by their way.

Revision 0012, after 0011. An answer belongs to a request and a way, and may come without a card of X; score and text
have a clock of ours each, by which retention counts. Everything there is came by the card.
"""

import sqlalchemy as sa
from alembic import op

from service.db import Micros

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
form = "before"

TOLD_BY_CARD = """
    UPDATE result SET
        score_way = CASE WHEN score IS NOT NULL THEN 'card' END,
        score_seen_at = CASE WHEN score IS NOT NULL THEN updated_at END,
        text_way = CASE WHEN text IS NOT NULL OR text_at IS NOT NULL THEN 'card' END,
        text_seen_at = CASE WHEN text IS NOT NULL OR text_at IS NOT NULL THEN coalesce(text_seen_at, updated_at) END
"""


def upgrade() -> None:
    """Go there. What the house before this one writes meanwhile has no clocks of ours: readers fall back on its own."""
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.alter_column("feedback_id", existing_type=sa.String(length=24), nullable=True)
        batch_op.add_column(sa.Column("way", sa.String(length=12), server_default=sa.text("'card'"), nullable=False))
        batch_op.add_column(sa.Column("score_way", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("score_seen_at", Micros(), nullable=True))
        batch_op.add_column(sa.Column("text_way", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("gone_at", Micros(), nullable=True))
        batch_op.create_index(batch_op.f("ix_result_text_seen_at"), ["text_seen_at"], unique=False)
    with op.batch_alter_table("result_update", schema=None) as batch_op:
        batch_op.alter_column("feedback_id", existing_type=sa.String(length=24), nullable=True)
        batch_op.add_column(sa.Column("way", sa.String(length=12), server_default=sa.text("'card'"), nullable=False))
        batch_op.add_column(sa.Column("unread", sa.Text(), nullable=True))
        unique = batch_op.f("uq_result_update_request_id_way_digest")
        batch_op.create_unique_constraint(unique, ["request_id", "way", "digest"])
    op.execute(TOLD_BY_CARD)


def downgrade() -> None:
    """Come back. An answer without a card has no place in the house before."""
    op.execute("DELETE FROM result_update WHERE feedback_id IS NULL")
    op.execute("DELETE FROM result WHERE feedback_id IS NULL")
    with op.batch_alter_table("result_update", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_result_update_request_id_way_digest"), type_="unique")
        batch_op.drop_column("unread")
        batch_op.drop_column("way")
        batch_op.alter_column("feedback_id", existing_type=sa.String(length=24), nullable=False)
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_result_text_seen_at"))
        for name in ("gone_at", "text_way", "score_seen_at", "score_way", "way"):
            batch_op.drop_column(name)
        batch_op.alter_column("feedback_id", existing_type=sa.String(length=24), nullable=False)
