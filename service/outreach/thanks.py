"""One more DM after a tap on a quick reply: thanks, with a link for a comment.

Sent once, within a day of the answer: X allows that many replies beyond its limits. The intent is committed before the
call and never repeated, whatever became of it: thanks are not worth a second message. Nobody gets one who has already
commented, was erased or opted out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.accounts import holds, standing, task_leases
from service.accounts.holds import Hold
from service.accounts.standing import LONGEST_PAUSE
from service.clock import Clock
from service.customers.opted_out import is_listed
from service.db import reading, writing
from service.ids import person
from service.models import feedback_request, result, send_attempt
from service.outreach.campaigns import language_of
from service.outreach.context import Workplace
from service.requests import sends
from service.requests.queries import locked
from service.requests.request import Request
from service.requests.rows import SELECT, request_of
from service.settings import Account, Campaign
from service.states import Kind, State
from service.ways import quick_reply
from service.ways.links import PLACE
from service.x_api import AccountProblem, OutcomeUnknown, RateLimited, XClient, XError

REPLY_WINDOW = timedelta(hours=24)  # within which five messages to them do not count
SAFE = timedelta(hours=1)  # of it, left for clocks and for the way to X
IN_TIME = REPLY_WINDOW - SAFE
SEEN, SEEN_EVERY = "thanks_seen", timedelta(minutes=1)
OVERLAP = timedelta(minutes=10)  # an answer's row may be committed this long after the time in it
AT_ONCE = 20
log = structlog.get_logger(__name__)
fr, res, snd = feedback_request.c, result.c, send_attempt.c
THANKED = sa.exists().where(snd.request_id == fr.id, snd.kind == Kind.THANKS)
SILENT = (res.text.is_(None), res.text_at.is_(None))


def send_due(place: Workplace, account: Account, x: XClient, clock: Clock) -> int:
    """Thank everybody due now; return how many messages went out."""
    thanking = {each.name: each for each in place.settings.campaigns if any(t.thanks for t in each.texts.values())}
    if not thanking:
        return 0
    now = clock()
    with reading(place.engine) as connection:
        if standing.rests(connection, account.name, now):
            return 0
        seen = task_leases.moment(connection, account.name, SEEN)
        due = _due(connection, place, account, thanking, _since(seen, now), now)
        left = sends.oldest_open(connection, account.name, Kind.THANKS)
    if left is not None and left < now - SAFE:
        with writing(place.engine) as connection:
            sends.give_up(connection, account.name, Kind.THANKS, now - SAFE, now)
    if not due and (seen is None or not now - SEEN_EVERY < seen <= now):
        with writing(place.engine) as connection:
            task_leases.set_moment(connection, account.name, SEEN, now)
    return sum(map(_Thanking(place, account, x, thanking, clock).thank, due))


def _since(seen: datetime | None, now: datetime) -> datetime:
    """From when on to look at answers: all before the last look that left nobody are done."""
    oldest = now - IN_TIME
    return oldest if seen is None else max(oldest, min(seen, now) - OVERLAP)


def _due(
    connection: Connection,
    place: Workplace,
    account: Account,
    thanking: Mapping[str, Campaign],
    lately: datetime,
    now: datetime,
) -> Sequence[str]:
    """Requests whose customers we owe thanks for a tap we saw lately and X lets us reply to, oldest first.

    By the index of changes.
    """
    answered = SELECT.join_from(result, feedback_request, fr.id == res.request_id).order_by(res.score_seen_at)
    tapped = (res.updated_at > lately, res.score_way == quick_reply.WAY.name, res.score_seen_at > lately)
    in_time = sa.func.coalesce(res.score_at, res.score_seen_at, type_=res.score_at.type) > now - IN_TIME
    there = (in_time, fr.erased_at.is_(None), fr.x_user_id.is_not(None))
    mine = (fr.account == account.name, fr.campaign.in_(list(thanking)), fr.state == State.CARD_SENT)
    rows = connection.execute(answered.where(*tapped, *SILENT, *there, *mine, ~THANKED)).all()
    # Customers who get none stay in this list for a day: they must not crowd out the others.
    owed = (each for each in map(request_of, rows) if _owed(connection, place, each, thanking, now) is not None)
    return [each.id for each in islice(owed, AT_ONCE)]


@dataclass(frozen=True, slots=True)
class _Thanking:
    """Thanks of one account; each call to X stands between two transactions."""

    place: Workplace
    account: Account
    x: XClient
    campaigns: Mapping[str, Campaign]
    clock: Clock

    def thank(self, request_id: str) -> bool:
        """Thank for one answer, if it is still owed; whether the message went out."""
        now = self.clock()
        with writing(self.place.engine) as connection:
            resting = standing.lock(connection, self.account.name, now).rests
            request = locked(connection, request_id)
            assert request is not None, "nobody deletes a request"
            text = _owed(connection, self.place, request, self.campaigns, now)
            if resting or text is None:
                return False
            attempt = sends.intend(connection, request, Kind.THANKS, now)
        return self._send(request, text, attempt)

    def _send(self, request: Request, text: str, attempt: str) -> bool:
        assert request.x_user_id is not None, "asked for with it"
        written = self.place.links.written_into(text, request.id)
        try:
            sent = self.x.send_dm(request.x_user_id, written, signed_at=self.clock()).value
        except XError as error:
            with writing(self.place.engine) as connection:
                _note_refusal(connection, self.account, attempt, error, self.clock())
            log.warning("thanks_not_sent", account=self.account.name, reason=error.reason, x_code=error.code)
            return False
        with writing(self.place.engine) as connection:
            sends.settle(connection, attempt, "sent", "answer", self.clock(), sent.id)
        return True


def _note_refusal(connection: Connection, account: Account, attempt: str, error: XError, now: datetime) -> None:
    """Close the attempt, and stop the account where each further message would be refused as well."""
    verdict: sends.Verdict = "unknown" if isinstance(error, OutcomeUnknown) else "not_sent"
    sends.settle(connection, attempt, verdict, None if verdict == "unknown" else "refused", now)
    if error.row.kind is RateLimited:
        back_at = error.back_at(now) if isinstance(error, RateLimited) else None
        holds.pause(connection, account.name, min(back_at or now + account.window, now + LONGEST_PAUSE), now)
    elif error.row.kind is AccountProblem and not error.row.may_pass:
        holds.hold(connection, account.name, Hold(error.code, error.row.reason), now)


def _owed(
    connection: Connection, place: Workplace, request: Request, thanking: Mapping[str, Campaign], now: datetime
) -> str | None:
    """The thanks this customer should get, in their language, or None."""
    campaign = thanking.get(request.campaign or "")
    text = None if campaign is None else campaign.texts[language_of(request.language, campaign)].thanks
    nobody = text is None or _may_have_been_thanked(place, request) or not _still(connection, place, request)
    return None if nobody or _leads_nowhere(text, place, request, now) else text


def _leads_nowhere(text: str | None, place: Workplace, request: Request, now: datetime) -> bool:
    """Whether it has the link of a page that has closed: an old button can still be tapped."""
    over = request.card_sent_at is None or request.card_sent_at + place.settings.reports.answer_window <= now
    return over and PLACE in (text or "")


def _may_have_been_thanked(place: Workplace, request: Request) -> bool:
    """Whether thanks may have been sent that a restored ledger does not know of."""
    return any(request.ended_at <= each.restored_at for each in place.restores)


def _still(connection: Connection, place: Workplace, request: Request) -> bool:
    """Whether they have meanwhile neither been thanked nor commented, and have not opted out."""
    if request.erased_at is not None or request.x_user_id is None:
        return False
    thanked = sa.select(snd.id).where(snd.request_id == request.id, snd.kind == Kind.THANKS).limit(1)
    commented = sa.select(res.request_id).where(res.request_id == request.id, ~sa.and_(*SILENT))
    whom = person(place.hash_key, request.x_user_id)
    out = sa.select(is_listed(whom, request.account))
    told = connection.scalar(thanked) is not None or connection.scalar(commented) is not None
    return not told and not connection.scalar(out)
