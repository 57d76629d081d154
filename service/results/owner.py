"""Whose feedback is this? In, an account and a card as X shows it; out, the request it belongs to, or None.

By what the card names (`ways/card.py`), each clue one look into an index. Never guesses: another account's card, or a
second card of a request that has one, belongs to nobody.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.settings import Account
from service.ways import card
from service.x_api import Feedback

log = structlog.get_logger(__name__)
fr, res = feedback_request.c, result.c
FOUND = sa.select(fr.id, fr.account, fr.feedback_id)


def owner_of(connection: Connection, account: Account, feedback: Feedback) -> str | None:
    """The id of the request of this account that sent this card."""
    if len(feedback.id) > card.ID_LENGTH:
        log.warning("x_id_too_long", account=account.name)
    for condition in _conditions(card.recognise(feedback, account.user_id)):
        for found in connection.execute(FOUND.where(condition)):
            if found.account == account.name and found.feedback_id in {None, feedback.id}:
                return str(found.id)
    return None


def _conditions(clues: Sequence[card.Clue]) -> Iterator[sa.ColumnElement[Any]]:
    for clue in clues:
        yield from (look(clue.value) for look in LOOKS[clue.by])


def _of_result(value: str) -> sa.ColumnElement[Any]:
    return fr.id == sa.select(res.request_id).where(res.feedback_id == value).scalar_subquery()


LOOKS: Mapping[str, tuple[Callable[[str], sa.ColumnElement[Any]], ...]] = {
    # what a result recorded before outreach did counts as much
    "feedback_id": (_of_result, lambda value: fr.feedback_id == value),
    "external_id": (lambda value: fr.id == value,),
    "dm_id": (lambda value: fr.card_dm_id == value,),
}
