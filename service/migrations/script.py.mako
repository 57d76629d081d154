"""${message}.

Revision ${up_revision}, after ${down_revision or "nothing"}, ${create_date}.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
form = "before"  # only adds; or "after", with unused_since = "the newest revision of the release that used it last"


def upgrade() -> None:
    """Go there."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Come back."""
    ${downgrades if downgrades else "pass"}
