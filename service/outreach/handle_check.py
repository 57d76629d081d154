"""Makes sure a handle that people typed is the right person: nobody is asked who never wrote to us.

A DM from that user in X's list, around the time of the conversation, is the proof. The list allows few calls; unclear
sends come first, answers and this may take a third each, so a busy account's list is read over several turns. Every
sender on a page is noted (by keyed hash, in `customers`), so one reading serves all who wait. Without proof in time
nobody is asked: better no question than one to a stranger.
"""

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from service.accounts import task_leases, windows
from service.accounts.list_following import Task, keep, read_on
from service.clock import Clock
from service.customers import contacts
from service.db import reading, writing
from service.outreach.context import Workplace
from service.outreach.gates import CONFIRMING
from service.requests import sends
from service.requests.outcomes import Outcome, Postpone, Stop
from service.requests.queries import waits_since
from service.requests.request import Request
from service.settings import Account
from service.states import Kind, Skip, State
from service.x_api import XClient

TYPED = "crm_entered"
TASK = Task("confirm", pages_at_most=10)
EVERY, AGAIN = timedelta(minutes=1), timedelta(seconds=30)
NOBODY_WROTE = "X's DM list has no recent message from this user."
NO_LIST = "An account that signs in with OAuth 2.0 cannot list all its DMs: write confirm = 'none' for the source."


def unconfirmed(
    connection: Connection, place: Workplace, request: Request, account: Account, now: datetime
) -> Outcome | None:
    """Return what becomes of a request whose customer is not confirmed; None: go on."""
    source = place.settings.sources.get(request.source)
    wanted = source is not None and source.confirm == "inbound_dm" and request.identity_trust == TYPED
    if not wanted or request.state is not State.IDENTIFIED:
        return None
    if account.client_id is not None:
        return Stop(State.SKIPPED, Skip.NOT_CONFIRMED, NO_LIST)
    assert request.x_user_id is not None, "it is identified"
    since = request.ended_at - contacts.WITHIN
    if contacts.wrote_since(connection, account.name, request.x_user_id, since, hash_key=place.hash_key):
        return None
    if _was_read(connection, account, since, request.ended_at + account.list_lag, now):
        return Stop(State.SKIPPED, Skip.NOT_CONFIRMED, NOBODY_WROTE)
    reads_at = task_leases.moment(connection, account.name, TASK.name) or now
    return Postpone(max(now, min(reads_at, now + account.window)) + AGAIN, CONFIRMING)


def _was_read(connection: Connection, account: Account, since: datetime, until: datetime, now: datetime) -> bool:
    """Whether the list was read without a gap over this time."""
    back_to = task_leases.moment(connection, account.name, TASK.back_to)
    read_at = task_leases.moment(connection, account.name, TASK.read)
    return back_to is not None and back_to <= since and read_at is not None and until <= read_at <= now


def read_once(place: Workplace, account: Account, x: XClient, clock: Clock) -> int:
    """Read X's list if a request waits for it and it is due; return how many messages of others there were."""
    if not any(each.confirm == "inbound_dm" for each in place.settings.sources.values()):
        return 0
    now, longest = clock(), account.window / windows.SHARES
    with reading(place.engine) as connection:
        if not task_leases.may_begin(connection, account.name, TASK.name, now, longest):
            return 0
        ended_at = waits_since(connection, account.name, CONFIRMING)
    if ended_at is None:
        return 0
    with writing(place.engine) as connection:
        token = task_leases.begin(connection, account.name, TASK.name, now, longest)
    if token is None:
        return 0
    found = read_on(place.engine, account, TASK, token, x.list_dms, min(ended_at, now) - contacts.WITHIN, clock)
    wrote = [
        (each.sender_id, each.created_at)
        for each in found.messages
        if each.sender_id is not None and each.sender_id != account.user_id and each.created_at is not None
    ]
    rest = longest if found.problem == "endpoint_limit" else EVERY
    with writing(place.engine) as connection:
        if task_leases.end(connection, account.name, TASK.name, token, clock() + rest):
            contacts.note(connection, account.name, wrote, hash_key=place.hash_key)
            ours = sends.newest_at_x(connection, account.name, Kind.OPENING, *found.surely(account))
            keep(connection, account, TASK, found, None if ours is None else ours.id)
    return len(wrote)
