"""Does X's list show what is there? In, a list and a send that is not in it; out, whether that proves anything.

X may lag by more than it ever did, or leave out cards: nobody has published whether its DM list shows them. So the list
is held to what we know: the newest opening and the newest message like the one we look for, of which X gave us the ids
and which have been there for longer than the list lags. One that does not show even those proves no absence. Where we
know of none, it is believed.
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
CONTROLLED = timedelta(minutes=5)  # how much further the list is read, to see what must be there
LISTED_FOR = timedelta(days=29)  # X lists a message for thirty days
HIDES = "hides_ours"


def settled_in(account: Account) -> timedelta:
    """How long after X was done with a message its list shows it, read by whichever machine."""
    return account.list_lag + min(CLOCK_SLACK, account.list_lag)


def held_to_what_we_know(
    engine: Engine, account: Account, found: Sequence[tuple[Request, Attempt, Listing]]
) -> list[Listing]:
    """Return the lists, those that hide what we know to be there as ones that cannot be read."""
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
