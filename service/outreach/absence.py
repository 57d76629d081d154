"""Whether it proves anything that a send is missing from X's DM list.

X's list may lag more than it ever has, or leave out cards: whether it shows them is undocumented. So the list must
prove itself: the newest opening and the newest message like the one we look for, whose ids X gave us and which are
older than the lag, have to be in it. If they are missing, absence proves nothing. If we know of none, the list is
believed.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts.dm_list import Listing
from service.db import reading
from service.requests import sends
from service.requests.request import Attempt, Request
from service.settings import Account
from service.states import Kind

log = structlog.get_logger(__name__)
CLOCK_SLACK = timedelta(minutes=2)  # between X's clock and ours, and between our machines'
CONTROLLED = timedelta(minutes=5)  # how much further to read the list, to see messages that must be in it
LISTED_FOR = timedelta(days=29)  # X lists a message for thirty days
HIDES = "hides_ours"


def settled_in(account: Account) -> timedelta:
    """How long after a send X's list is sure to show it, whichever machine reads it."""
    return account.list_lag + min(CLOCK_SLACK, account.list_lag)


def held_to_what_we_know(
    engine: Engine, account: Account, found: Sequence[tuple[Request, Attempt, Listing]]
) -> list[Listing]:
    """Return the lists; one that hides what we know to be there counts as unreadable."""
    with reading(engine) as connection:
        known = [_known(connection, account, *each) for each in found]
    return [
        listing if messages <= _shown(listing) else _hiding(account, listing)
        for (_, _, listing), messages in zip(found, known, strict=True)
    ]


def _known(connection: Connection, account: Account, request: Request, attempt: Attempt, listing: Listing) -> set[str]:
    """X's ids of messages that this list must show."""
    since = max(listing.back_to, listing.read_at - LISTED_FOR) + CLOCK_SLACK
    until = listing.read_at - settled_in(account)
    whom = attempt.x_user_id if account.api == "v2" else None
    among = (sends.newest_at_x(connection, request, kind, whom, since, until) for kind in {Kind.OPENING, attempt.kind})
    return {message for message in among if message is not None}


def _shown(listing: Listing) -> set[str]:
    return {message.id for message in listing.messages}


def _hiding(account: Account, listing: Listing) -> Listing:
    log.warning("dm_list_hides", account=account.name, messages=len(listing.messages))
    return replace(listing, readable=False, problem=HIDES)
