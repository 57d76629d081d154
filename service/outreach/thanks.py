"""One more DM after a tap on a quick reply: thanks, with a link for a comment.

Sent once, within a day of the answer: X allows that many replies beyond its limits. The intent is committed before the
call and never repeated, whatever became of it: thanks are not worth a second message. Nobody gets one who has already
commented, was erased or opted out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.accounts import holds, standing, turns
from service.accounts.holds import Hold
from service.accounts.standing import LONGEST_PAUSE
from service.customers.opted_out import is_listed
from service.db import reading, writing
from service.ids import person
from service.models import feedback_request, result, send_attempt
from service.outreach.campaigns import language_of
from service.outreach.workplace import Workplace
from service.requests import sends
from service.requests.reading import locked
from service.requests.request import Request
from service.settings import Account, Campaign
from service.states import Kind, State
from service.ways import quick_reply
from service.x_api import AccountProblem, OutcomeUnknown, RateLimited, XClient, XError

REPLY_WINDOW = timedelta(hours=24)  # within which five messages to them do not count
SAFE = timedelta(hours=1)  # of it, left for clocks and for the way to X
SEEN, SEEN_EVERY = "thanks_seen", timedelta(minutes=1)
OVERLAP = timedelta(minutes=10)  # an answer's row may be committed this long after the time in it
AT_ONCE = 20
log = structlog.get_logger(__name__)
fr, res, snd = feedback_request.c, result.c, send_attempt.c
THANKED = sa.exists().where(snd.request_id == fr.id, snd.kind == Kind.THANKS)


def send_due(place: Workplace, account: Account, x: XClient, clock: Callable[[], datetime]) -> int:
    """Thank everybody due now; return how many messages went out."""
    thanking = {each.name: each for each in place.settings.campaigns if any(t.thanks for t in each.texts.values())}
    if not thanking:
        return 0
    now = clock()
    with reading(place.engine) as connection:
        seen = turns.moment(connection, account.name, SEEN)
        due = _due(connection, account, sorted(thanking), _since(seen, now))
        left = sends.oldest_open(connection, account.name, Kind.THANKS)
    if left is not None and left < now - SAFE:
        with writing(place.engine) as connection:
            sends.give_up(connection, account.name, Kind.THANKS, now - SAFE, now)
    if not due and (seen is None or not now - SEEN_EVERY < seen <= now):
        with writing(place.engine) as connection:
            turns.set_moment(connection, account.name, SEEN, now)
    return sum(_thank(place, account, x, request_id, thanking, clock) for request_id in due)


def _since(seen: datetime | None, now: datetime) -> datetime:
    """From when on to look at answers: all before the last look that left nobody are done."""
    oldest = now - (REPLY_WINDOW - SAFE)
    return oldest if seen is None else max(oldest, min(seen, now) - OVERLAP)


def _due(connection: Connection, account: Account, campaigns: Sequence[str], lately: datetime) -> Sequence[str]:
    """Requests answered since then by a tap and without words, found by the index of changes."""
    wanted = sa.select(fr.id).select_from(result.join(feedback_request, fr.id == res.request_id))
    tapped = (res.updated_at > lately, res.score_way == quick_reply.WAY.name, res.score_seen_at > lately)
    silent = (res.text.is_(None), res.text_at.is_(None), fr.erased_at.is_(None), fr.x_user_id.is_not(None))
    mine = (fr.account == account.name, fr.campaign.in_(campaigns), fr.state == State.CARD_SENT)
    return connection.scalars(wanted.where(*tapped, *silent, *mine, ~THANKED).limit(AT_ONCE)).all()


def _thank(
    place: Workplace,
    account: Account,
    x: XClient,
    request_id: str,
    thanking: dict[str, Campaign],
    clock: Callable[[], datetime],
) -> int:
    now = clock()
    with writing(place.engine) as connection:
        resting = standing.lock(connection, account.name, now).rests
        request = locked(connection, request_id)
        assert request is not None, "nobody deletes a request"
        text = None if _may_have_been_thanked(place, request) else _text(request, thanking)
        if resting or text is None or not _still(connection, place, request):
            return 0
        attempt = sends.intend(connection, request, Kind.THANKS, now)
    return _send(place, account, x, request, text, attempt, clock)


def _send(
    place: Workplace,
    account: Account,
    x: XClient,
    request: Request,
    text: str,
    attempt: str,
    clock: Callable[[], datetime],
) -> int:
    assert request.x_user_id is not None, "asked for with it"
    written = place.links.written_into(text, request.id)
    try:
        sent = x.send_dm(request.x_user_id, written, signed_at=clock()).value
    except XError as error:
        verdict: sends.Verdict = "unknown" if isinstance(error, OutcomeUnknown) else "not_sent"
        with writing(place.engine) as connection:
            sends.settle(connection, attempt, verdict, None if verdict == "unknown" else "refused", clock())
            if isinstance(error, RateLimited):
                until = min(error.reset_at or clock() + account.window, clock() + LONGEST_PAUSE)
                holds.pause(connection, account.name, until, clock())
            elif isinstance(error, AccountProblem):  # each further one would be refused as well
                holds.hold(connection, account.name, Hold(error.code, error.reason), clock())
        log.warning("thanks_not_sent", account=account.name, reason=error.reason, x_code=error.code)
        return 0
    with writing(place.engine) as connection:
        sends.settle(connection, attempt, "sent", "answer", clock(), sent.id)
    return 1


def _may_have_been_thanked(place: Workplace, request: Request) -> bool:
    """Whether thanks may have been sent that a restored ledger does not know of."""
    return any(request.ended_at <= each.restored_at for each in place.restores)


def _text(request: Request, thanking: dict[str, Campaign]) -> str | None:
    campaign = thanking.get(request.campaign or "")
    return None if campaign is None else campaign.texts[language_of(request.language, campaign)].thanks


def _still(connection: Connection, place: Workplace, request: Request) -> bool:
    """Whether they have not been thanked meanwhile and have not opted out."""
    if request.erased_at is not None or request.x_user_id is None:
        return False
    thanked = sa.select(snd.id).where(snd.request_id == request.id, snd.kind == Kind.THANKS).limit(1)
    whom = person(place.hash_key, request.x_user_id)
    out = sa.select(is_listed(whom, request.account))
    return connection.scalar(thanked) is None and not connection.scalar(out)
