"""Tries a campaign on yourself: the whole sequence, really sent, step by step.

The request goes through the ledger like any other, with the same steps, intents and limits, but as a test it appears in
no figure. Nothing is drawn and no delay waited for, an account of ours may be asked, and so may somebody who was asked
lately: who tries a campaign twice a day means it. X's own rules apply.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from service.accounts import standing
from service.auth import log_access
from service.clock import Clock
from service.db import reading, writing
from service.ids import new_id
from service.outreach.campaigns import conversation_of, freeze
from service.outreach.claims import Ready, record, taken_up
from service.outreach.context import Workplace
from service.outreach.prepare import TRIED
from service.outreach.steps import take
from service.requests import leases
from service.requests.first_rows import NewRequest, open_all
from service.requests.leases import Lease
from service.requests.outcomes import Outcome, Postpone
from service.requests.queries import locked, unlocked
from service.requests.request import Draws, Request
from service.requests.writer import write
from service.settings import Account, Campaign
from service.ways.links import hash_of
from service.x_api import XClient

NO_LOTS: Draws = {
    "sample": {"lot": 0.0, "share": 1.0, "drawn": True},
    "budget": {"lot": 0.0, "share": 1.0, "drawn": True},
}


@dataclass(frozen=True, slots=True)
class RehearsedCall:
    """One call to X and what it made of the request."""

    endpoint: str
    outcome: Outcome


def begin(place: Workplace, campaign: Campaign, account: Account, handle: str, by: str, now: datetime) -> Request:
    """Create the request, leased to us, with its texts frozen as for a customer. From now on it will be sent."""
    request_id = new_id("fr", now)
    row = NewRequest(
        id=request_id, source=next(iter(place.settings.sources)), account=account.name,
        conversation_id=f"rehearsal-{request_id}", ended_at=now, received_at=now, delivery_id="rehearsal",
        x_user_id=None, x_handle=handle.removeprefix("@"), identity_trust=TRIED, agent_id=None, team_id=None, tags=[],
        language=campaign.default_language, channel=None, customer_ref=None, tenant=None, handled_by=None,
        scheduled_at=now, updated_at=now, test=True,
    )  # fmt: skip
    page_hash = hash_of(place.hash_key, request_id)
    with writing(place.engine) as connection:
        standing.enrol(connection, [account.name], now)
        open_all(connection, [row])
        opened = locked(connection, request_id)
        assert opened is not None, "written a line before"
        plan = freeze(conversation_of(opened), replace(campaign, test=True), account, NO_LOTS, page_hash)
        frozen = write(connection, opened, Postpone(now, TRIED, plan=plan), now, place.writer)
        leases.grant(connection, request_id, Lease(request_id, now + place.settings.worker.lease))
        log_access(connection, by, "campaign.try", {"campaign": campaign.name, "request_id": request_id}, now)
    return frozen


def walk(place: Workplace, account: Account, request_id: str, x: XClient, clock: Clock) -> Iterator[RehearsedCall]:
    """Take step after step until the request ends or has to wait."""
    ready = taken_up(place, account, request_id, request_id, clock())
    while ready is not None:
        found = take(ready, x, clock)
        yield RehearsedCall(ready.endpoint, found.outcome)
        ready = record(place, ready, found, clock()) or _again(place, account, request_id, clock())


def _again(place: Workplace, account: Account, request_id: str, now: datetime) -> Ready | None:
    """Continue after a result that also concerned the account: a way may be barred now, and the next is due at once."""
    with writing(place.engine) as connection:
        request = locked(connection, request_id)
        assert request is not None, "nobody deletes a request"
        if not request.is_open or request.scheduled_at > now or request.lease_token is not None:
            return None
        leases.grant(connection, request_id, Lease(request_id, now + place.settings.worker.lease))
    return taken_up(place, account, request_id, request_id, now)


def now_stands(place: Workplace, request_id: str) -> Request:
    """Return the request as it is."""
    with reading(place.engine) as connection:
        found = unlocked(connection, request_id)
    assert found is not None, "nobody deletes a request"
    return found
