"""Whose feedback is this? In, an account and a card as X shows it; out, the request it belongs to, or None.

By the feedback id, else by `external_id` (the request's own id, which we gave X), else by the DM the card hangs on.
Never guesses: another account's card, or a second card of a request that has one, belongs to nobody.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.settings import Account
from service.x_api import Feedback

ID_LENGTH = 24
"""No id of X is longer, and our columns have no room for one."""

log = structlog.get_logger(__name__)
fr = feedback_request.c
FOUND = sa.select(fr.id, fr.account, fr.feedback_id)


def owner_of(connection: Connection, account: Account, feedback: Feedback) -> str | None:
    """The id of the request of this account that sent this card."""
    if len(feedback.id) > ID_LENGTH:
        log.warning("x_id_too_long", account=account.name)
        return None
    if feedback.from_user_id not in {None, account.user_id}:
        return None
    for clue in _clues(feedback):
        for found in connection.execute(FOUND.where(clue)):
            if found.account == account.name and found.feedback_id in {None, feedback.id}:
                return str(found.id)
    return None


def _clues(feedback: Feedback) -> Iterator[sa.ColumnElement[Any]]:
    """Strongest first, each one look into an index. What a result recorded before outreach did counts as much."""
    yield fr.id == sa.select(result.c.request_id).where(result.c.feedback_id == feedback.id).scalar_subquery()
    yield fr.feedback_id == feedback.id
    if feedback.external_id is not None:
        yield fr.id == feedback.external_id
    if feedback.dm_id is not None:
        yield fr.card_dm_id == feedback.dm_id
