"""Which request does a card belong to, if any? Never guesses.

By what the card names (`ways/card.py`), each clue an index look-up, for many cards at once: a flood of strangers' cards
costs as many statements as one. Another account's card belongs to nobody. If a request has a card already, a second one
belongs to it only if it bears the request's own id (a person may have sent it anew, or X made two).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.settings import Account
from service.ways import card
from service.x_api import Feedback

fr, res = feedback_request.c, result.c
AT_ONCE = 500
FOUND = (fr.id, fr.account, fr.feedback_id)


def _by(clue: sa.ColumnElement[Any]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(clue, *FOUND).where(clue.in_(sa.bindparam("values", expanding=True)))


LOOKS: Mapping[str, tuple[sa.Select[*tuple[Any, ...]], ...]] = {
    # what a result recorded before outreach did counts as much
    "feedback_id": (
        _by(res.feedback_id).join_from(result, feedback_request, fr.id == res.request_id),
        _by(fr.feedback_id),
    ),
    "external_id": (_by(fr.id),),
    "dm_id": (_by(fr.card_dm_id),),
}


@dataclass(frozen=True, slots=True)
class _Candidate:
    request_id: str
    account: str
    feedback_id: str | None


CandidatesByClue = Mapping[str, Sequence[Mapping[str, list[_Candidate]]]]
"""What the looks of each kind of clue found, by the clue."""


def owners_of(connection: Connection, account: Account, feedbacks: Sequence[Feedback]) -> list[str | None]:
    """The ids of the requests of this account that sent these cards."""
    clues = [card.recognise(each, account.user_id) for each in feedbacks]
    values = {by: sorted({clue.value for each in clues for clue in each if clue.by == by}) for by in LOOKS}
    found = {by: [_looked(connection, look, values[by]) for look in looks] for by, looks in LOOKS.items()}
    return [_owner(account, each, theirs, found) for each, theirs in zip(feedbacks, clues, strict=True)]


def _looked(
    connection: Connection, look: sa.Select[*tuple[Any, ...]], values: Sequence[str]
) -> Mapping[str, list[_Candidate]]:
    found: dict[str, list[_Candidate]] = {}
    for start in range(0, len(values), AT_ONCE):
        for value, *rest in connection.execute(look, {"values": values[start : start + AT_ONCE]}):
            found.setdefault(value, []).append(_Candidate(*rest))
    return found


def _owner(
    account: Account, feedback: Feedback, clues: Sequence[card.CardReference], found: CandidatesByClue
) -> str | None:
    for clue, each in _candidates(clues, found):
        its_own = clue.by == "external_id" or each.feedback_id in {None, feedback.id}
        if each.account == account.name and its_own:
            return each.request_id
    return None


def _candidates(
    clues: Sequence[card.CardReference], found: CandidatesByClue
) -> Iterator[tuple[card.CardReference, _Candidate]]:
    """The requests a card may belong to, strongest clue first."""
    return ((clue, each) for clue in clues for look in found[clue.by] for each in look.get(clue.value, ()))
