"""What a leased request needs next: one X call to make, or an outcome.

Runs inside the transaction that commits the intent, so the facts cannot change before the commit. Reads much. Writes
endpoint windows, how many conversations to expect, whose customer is to be looked up, that what was answered had been
sent, and that a message which a restored ledger does not know may have been. Calls nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from service.accounts import app_share, refused_ways, slots, volume, windows
from service.customers import identities
from service.db.leases import CLOCKS_DIFFER
from service.outreach.answers import LIMITED
from service.outreach.campaigns import choose, conversation_of
from service.outreach.context import Workplace
from service.outreach.crm_lookups import wanted
from service.outreach.gates import DAILY_LIMIT, RequestFacts, closed, quiet
from service.outreach.handle_check import unconfirmed
from service.outreach.removed_names import withheld
from service.outreach.request_facts import FactsReader
from service.requests import restored, sends
from service.requests.outcomes import Advance, Learnt, Outcome, Postpone, Stop, Switch, Unclear
from service.requests.queries import proven_by
from service.requests.request import NAMED_BY_HAND, Request
from service.requests.retry import RetryPolicy
from service.settings import Account, Settings
from service.states import OPENED_STATES, UNCLEAR, Doubt, Failure, Kind, Skip, State, for_every_open_state
from service.ways import WAYS, opening
from service.ways.way import Way
from service.x_api.limits import CALLS_PER_WINDOW

TRIED = "rehearsal"  # the trust of a rehearsal's request, which a person sends to himself
SAME_BREATH = timedelta(minutes=15)  # the card follows its opening into quiet hours for this long, and then waits too
UNREADABLE = "unreadable"
LOOK_AGAIN = timedelta(minutes=10)  # whether an unreadable value has been restored
LATE = 1 / 8  # of the time after which a send ends unknown: a worker that comes so late was not running
TIME_TO_LOOK = 1 / 4  # of the same
OURSELVES = (
    "The X user in the event is one of your own accounts: the event may name the last writer, or the account began "
    "the conversation."
)
OURSELVES_BY_HAND = "The X user set by hand is one of your own accounts: set the customer."
RESTORED = "The database was restored from a backup."
UNGUARDED = "X's list does not show the card, and X's limit of one a day no longer prevents a second one."
GUARDED = "X's list does not show the card, but X's limit of one a day refused a second one."


@dataclass(frozen=True, slots=True)
class Intent:
    """The X call to make next; `kind` is set if it writes to the customer."""

    endpoint: str
    kind: Kind | None = None


def prepare(
    connection: Connection, place: Workplace, account: Account, request: Request, now: datetime, reader: FactsReader
) -> Intent | Outcome:
    """Return the next intent of a request, or the outcome that needs no call."""
    if request.campaign is None:
        return (
            withheld(place.settings, request, now)
            or _unreadable(request, now)
            or _ourselves(place.settings, request)
            or wanted(connection, place, request, now)
            or _chosen(connection, place, account, request, now)
        )
    facts = reader.facts_of(request, asked_after(place.settings, account, request, now))
    stands = _unclear(facts, request, account, now) or _told(facts, request, now)
    lost = restored.lost_since(connection, place.restores, request, request.next_message)
    if isinstance(stands, Advance) and (arrived := proven_by(request, facts.feedback_id)) is not None:
        sends.prove(connection, request.id, facts.feedback_id, arrived)
    step = (
        stands
        or (_asked_by_another(facts, now) if lost else _over(connection, place, facts, request, now))
        or _unreadable(request, now)
        or _ourselves(place.settings, request)
        or wanted(connection, place, request, now)
        or unconfirmed(connection, place, request, account, now)
        or _looked_up_first(connection, account, request, lost, now)
        or NEXT[request.state](connection, request, account, now)
    )
    return _over_v2(connection, place.settings, account, step, now) if account.api == "v2" else step


def _chosen(connection: Connection, place: Workplace, account: Account, request: Request, now: datetime) -> Outcome:
    return choose(
        conversation_of(request),
        place.settings.campaigns,
        account,
        hash_key=place.hash_key,
        expected_per_day=volume.expected_per_day(connection, account, now),
    )


def asked_after(settings: Settings, account: Account, request: Request, now: datetime) -> datetime:
    """Return the start of the period in which nobody is asked twice; does not apply to a rehearsal."""
    if request.identity_trust == TRIED:
        return now
    cooldown = next((each.cooldown for each in settings.campaigns if each.name == request.campaign), timedelta(days=7))
    return now - max(cooldown, WAYS[request.way].rest + account.signature_tolerance)


def _unclear(facts: RequestFacts, request: Request, account: Account, now: datetime) -> Outcome | None:
    """A send has no outcome yet: nothing may be sent until X has cleared it up, or it ends `unknown`."""
    if facts.unclear_since is None:
        return None
    until = facts.unclear_since + account.unknown_after
    # If no worker ran meanwhile, nobody looked: there is time for that first.
    waited = request.reason == UNCLEAR and now - request.scheduled_at < account.unknown_after * LATE
    if now < until or not waited:
        return Unclear(max(until, now + account.unknown_after * TIME_TO_LOOK), request.detail)
    return Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, Doubt.UNCLEAR_SEND.sentence)


def _told(facts: RequestFacts, request: Request, now: datetime) -> Advance | None:
    """X has reported this request's card, or the customer has answered: they were asked, whatever we believed."""
    if not (facts.feedback_id or facts.answered) or not _sends_next(request):
        return None
    asked_at = request.card_sent_at or request.dm_sent_at or now
    known = Learnt(feedback_id=facts.feedback_id, card_sent_at=asked_at)
    return Advance(State.CARD_SENT, known)


def _sends_next(request: Request) -> bool:
    """Whether what it needs next is a message."""
    return State.CARD_SENT in request.state.forward


def _asked_by_another(facts: RequestFacts, now: datetime) -> Stop | None:
    """Of a message that X may have since a backup, nothing else is decided before it has been looked up."""
    return closed(None, None, replace(facts, reopened=False, opted_out=False), now)


def _looked_up_first(
    connection: Connection, account: Account, request: Request, lost: datetime | None, now: datetime
) -> Outcome | None:
    """Suppose that it was sent, before anything keeps it waiting: cool-down and X's day count it from now on.

    In each way in turn: the backup does not know which ways X refused when it was sent.
    """
    if lost is None or not _sends_next(request):
        return None
    sends.suppose(connection, request, request.next_message, lost, now)
    return Unclear(now + account.unknown_after, RESTORED)


def _over(
    connection: Connection, place: Workplace, facts: RequestFacts, request: Request, now: datetime
) -> Postpone | Stop | None:
    if (gone := withheld(place.settings, request, now)) is not None:
        return gone
    end = _closed(facts, request, now) or _too_late(request, place.writer.policy, now)
    return Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, GUARDED) if end and _is_guarded(connection, request) else end


def _is_guarded(connection: Connection, request: Request) -> bool:
    """Whether X refused a second card after its list did not show the first: the customer may have that one."""
    if request.reason != LIMITED or not WAYS[request.way].rest:
        return False
    return sends.first_believed_unsent(connection, request.id, Kind.ASKING) is not None


def _closed(facts: RequestFacts, request: Request, now: datetime) -> Stop | None:
    if request.state in OPENED_STATES:
        # The customer has our opening: the card follows, unless they do not want to be asked or were since.
        return closed(None, None, replace(facts, reopened=False), now)
    return closed(request.reason, request.stale_at, facts, now)


def _too_late(request: Request, policy: RetryPolicy, now: datetime) -> Stop | None:
    """A card delayed for days, by a held account or because no worker ran, would only puzzle its recipient."""
    if request.state not in OPENED_STATES or now <= policy.over_at(request):
        return None
    return Stop(State.FAILED, Failure.NOT_IN_TIME, request.detail)


def _unreadable(request: Request, now: datetime) -> Postpone | None:
    """Never send what was tampered with in the database: this one request waits until it is repaired."""
    if not request.unreadable:
        return None
    what = f"{', '.join(request.unreadable)}: changed or moved in the database, put back from a backup it goes on"
    return Postpone(now + LOOK_AGAIN, UNREADABLE, what)


def _ourselves(settings: Settings, request: Request) -> Stop | None:
    """Never ask an account of ours: whoever runs it would answer for a customer. A rehearsal may."""
    ours = any(each.user_id == request.x_user_id for each in settings.accounts.values())
    if not ours or request.identity_trust == TRIED:
        return None
    why = OURSELVES_BY_HAND if request.identity_trust == NAMED_BY_HAND else OURSELVES
    return Stop(State.SKIPPED, Skip.NO_X_IDENTITY, why)


def _identify(connection: Connection, request: Request, account: Account, now: datetime) -> Intent | Outcome:
    if request.x_user_id is not None:
        return Advance(State.IDENTIFIED)
    if request.x_handle is None:
        return Stop(State.SKIPPED, Skip.NO_X_IDENTITY)
    x_user_id = identities.known(connection, request.x_handle, now)
    if x_user_id is not None:
        return Advance(State.IDENTIFIED, Learnt(x_user_id=x_user_id))
    return _if_allowed(connection, account, "show_user", now)


def _ask(connection: Connection, request: Request, account: Account, now: datetime) -> Intent | Outcome:
    if request.can_dm is False:
        return Stop(State.SKIPPED, Skip.CANNOT_DM)
    answers = 1 if account.api == "v2" else 2  # v2 says of a friendship what it says of the user
    if request.can_dm or request.can_dm_asked >= answers:
        return Advance(State.DM_ALLOWED)
    return _if_allowed(connection, account, "show_friendship" if request.can_dm_asked else "show_user", now)


def _if_allowed(connection: Connection, account: Account, endpoint: str, now: datetime) -> Intent | Outcome:
    again = windows.take(connection, account.name, endpoint, CALLS_PER_WINDOW[endpoint], account.window, now)
    return Intent(endpoint) if again is None else Postpone(again, "endpoint_limit", endpoint)


def _begin(connection: Connection, request: Request, account: Account, now: datetime) -> Intent | Outcome:
    later = quiet(account.quiet_hours, account.time_zone, now)
    return later or _send(connection, request, account, now)


def _follow(connection: Connection, request: Request, account: Account, now: datetime) -> Intent | Outcome:
    at_once = request.dm_sent_at is not None and now - request.dm_sent_at <= SAME_BREATH
    later = None if at_once else quiet(account.quiet_hours, account.time_zone, now)
    return later or _send(connection, request, account, now)


def _send(connection: Connection, request: Request, account: Account, now: datetime) -> Intent | Outcome:
    kind, way = request.next_message, WAYS[request.way]
    if kind is Kind.ASKING and request.alternatives and refused_ways.is_barred(connection, account.name, way.name, now):
        return Switch("way_barred")
    if kind is Kind.ASKING and request.attempts and _is_out_of_guard(connection, request, way, now):
        return Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, UNGUARDED)
    for bound in opening.bounds(account, way) if kind is Kind.OPENING else [way.bound(account)]:
        free = slots.free_at(connection, account, bound.kinds, bound.limit, now)
        if free is not None:
            return Postpone(free, DAILY_LIMIT)
    return Intent(opening.ENDPOINT if kind is Kind.OPENING else way.endpoint, kind)


def _is_out_of_guard(connection: Connection, request: Request, way: Way, now: datetime) -> bool:
    """Whether X would accept a second card after its list did not show the first.

    It is unpublished whether that list shows cards. For a day X's own limit rules out a second one.
    """
    before = sends.first_believed_unsent(connection, request.id, Kind.ASKING) if way.rest else None
    return before is not None and now >= before + way.rest - CLOCKS_DIFFER


def _over_v2(
    connection: Connection, settings: Settings, account: Account, step: Intent | Outcome, now: datetime
) -> Intent | Outcome:
    """Postpone a DM beyond v2's limits: the account's window, and the day of the app that accounts may share."""
    if not isinstance(step, Intent) or step.endpoint != opening.ENDPOINT:
        return step
    # of accounts that write over v1.1 X counts other calls
    v2 = [each for each in settings.accounts.values() if each.api == "v2" and each.consumer_key == account.consumer_key]
    if (later := app_share.free_at(connection, account, v2, now)) is not None:
        return Postpone(later, DAILY_LIMIT, "the app's")
    again = windows.take(connection, account.name, step.endpoint, account.dms_per_window, account.window, now)
    return step if again is None else Postpone(again, "endpoint_limit", step.endpoint)


Decide = Callable[[Connection, Request, Account, datetime], Intent | Outcome]
NEXT: Mapping[State, Decide] = for_every_open_state(
    "NEXT of outreach/prepare.py",
    {
        State.RECEIVED: _identify,
        State.IDENTIFIED: _ask,
        State.DM_ALLOWED: _begin,
        State.DM_SENT: _follow,
    },
)
