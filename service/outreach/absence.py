"""Whether it proves anything that a send is missing from X's DM list.

X's list may lag more than it ever has, end too early, come out empty, or leave out cards: whether it shows them is
undocumented. So a list must prove itself first. It has to show, by the ids X gave us,

- our newest opening and our newest message like the one we look for, of those older than the lag;
- the newest of both from before the one we look for;
- this customer's own opening, for it may leave out one person alone.

If one of them is missing, absence proves nothing. Nor does it a third time of one message, unless X is unwell for
others too. Over v2, where each person has a list, the list with somebody else must show what we sent them.

If we know of no such message, or of no card while cards are looked for, a list is believed of one send at a time: if it
came out empty, or leaves out cards, one customer has a second message and not everybody.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts.dm_list import CLOCK_SLACK, EVER, Listing, settled_in
from service.db import reading
from service.requests import sends
from service.requests.request import Attempt, Request
from service.requests.rows import CARD
from service.requests.sends import KnownMessage
from service.settings import Account
from service.states import Kind

log = structlog.get_logger(__name__)
CONTROLLED = timedelta(minutes=5)  # how much further to read the list, to see messages that must be in it
LISTED_FOR = timedelta(days=29)  # X lists a message for thirty days
A_DAY = timedelta(days=1)  # a send that is unclear for longer has been given up
REPEATED = timedelta(minutes=2)  # by then a send that was found missing has been repeated
HIDES, NOTHING_KNOWN = "hides_ours", "nothing_known"
FoundSend = tuple[Request, Attempt, Listing]
"""An unclear send, and the list that would show it."""


def held_to_what_we_know(
    engine: Engine,
    account: Account,
    found: Sequence[FoundSend],
    *,
    controlled: Collection[str] = (),
) -> list[Listing]:
    """Return the lists; one that hides what we know to be there counts as unreadable.

    `controlled`: over v2, the ids of attempts of whose sort X's list with somebody else has shown one.
    """
    held, believed = list[Listing](), False
    with reading(engine) as connection:
        for request, attempt, listing in found:
            known = _known(connection, account, request, attempt, listing)
            doubtful = attempt.id not in controlled and _is_doubtful(request, attempt, listing, known)
            strays = sends.strays_alone(connection, attempt, nothing_known=doubtful)
            if strays or not set().union(*known.values()) <= {message.id for message in listing.messages}:
                held.append(_hiding(account, listing))
            elif doubtful and (believed or _believed(connection, account, found)):
                held.append(replace(listing, readable=False, problem=NOTHING_KNOWN))
            else:
                held.append(listing)
                believed = believed or doubtful
    return held


def newest_to_anybody(
    engine: Engine, account: Account, like: Request, kind: Kind, now: datetime
) -> KnownMessage | None:
    """Return our newest message of this kind, that X's list with whoever has it must show.

    An opening would tell nothing about cards, which such a list may leave out.
    """
    since, until = now - LISTED_FOR + CLOCK_SLACK, now - settled_in(account)
    with reading(engine) as connection:
        return sends.newest_at_x(connection, account.name, kind, since, until, way=like.way)


def _is_doubtful(request: Request, attempt: Attempt, listing: Listing, known: Mapping[Kind, set[str]]) -> bool:
    """Whether nothing tells that X lists such a message: we know of no card or, of a plain DM, of nothing at all."""
    if attempt.kind is Kind.ASKING and request.way == CARD:
        return not known[Kind.ASKING]
    return listing.back_to == EVER and not any(known.values())


def _known(
    connection: Connection, account: Account, request: Request, attempt: Attempt, listing: Listing
) -> Mapping[Kind, set[str]]:
    """X's ids of messages that this list must show, by their kind."""
    since = max(listing.back_to, listing.read_at - LISTED_FOR) + CLOCK_SLACK
    settled = listing.read_at - settled_in(account)
    whom = attempt.x_user_id if account.api == "v2" else None

    def newest(kind: Kind, until: datetime) -> KnownMessage | None:
        return sends.newest_at_x(connection, account.name, kind, since, until, way=request.way, whom=whom)

    known = {
        kind: {each.id for until in {settled, min(settled, attempt.intended_at)} if (each := newest(kind, until))}
        for kind in {Kind.OPENING, attempt.kind}
    }
    if request.dm_event_id and request.dm_sent_at and since < request.dm_sent_at <= settled:
        known[Kind.OPENING].add(request.dm_event_id)
    return known


def _believed(connection: Connection, account: Account, found: Sequence[FoundSend]) -> bool:
    """Whether a list was believed so lately that the repeat cannot be in it yet for sure."""
    shown = settled_in(account)  # seconds, where time is short (a trial): then it is repeated in seconds, too
    since = max(listing.read_at for _, _, listing in found) - shown - min(REPEATED, shown)
    return sends.found_missing(connection, account.name, since - A_DAY, since)


def _hiding(account: Account, listing: Listing) -> Listing:
    log.warning("dm_list_hides", account=account.name, messages=len(listing.messages))
    return replace(listing, readable=False, problem=HIDES)
