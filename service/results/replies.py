"""What customers say to us by DM: an answer, an opt-out, or nothing.

A tap on a quick reply names its request and score, signed by us. A bare number typed as the first message after the
prompt counts if the campaign says so. A word such as *stop* puts its sender on the opt-out list. Other messages are
neither stored nor logged; only the fact that one followed a prompt is kept.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.customers import hash_key, opted_out
from service.db import EPOCH, insert, once_committed
from service.ids import person
from service.models import feedback_request, prompt_reply
from service.results.answer import Answer, Way
from service.results.ingest import Verdict, ingest
from service.results.merge import Update
from service.settings import Account, Settings
from service.text import bare, folded
from service.ways import quick_reply
from service.x_api import DirectMessage
from service.x_api.questions import SCORE_RANGE

WAY: Way = "quick_reply"
NUMBER = re.compile(r"\d{1,2}")  # in the digits of any script
AROUND = " .!?\u2026\u3002\"'"  # of a number; other signs (-4, <3) would change what it says
KEYS = {0x20E3: None, 0x1F51F: "10"}  # the key around a digit, and the one of ten
log = structlog.get_logger(__name__)
fr = feedback_request.c
pr = prompt_reply.c


@dataclass(frozen=True, slots=True)
class Prompt:
    """The newest question somebody got from us, if it was quick replies."""

    request_id: str
    type: str
    campaign: str | None


def take(
    connection: Connection, settings: Settings, account: Account, message: DirectMessage, now: datetime
) -> Verdict | None:
    """Process one incoming message; None: it is nothing for us. Needs a write transaction."""
    if message.sender_id is None or message.sender_id == account.user_id or message.recipient_id != account.user_id:
        return None
    at = message.created_at or now
    prompt = _prompt(connection, account, message.sender_id, at)
    first = prompt is not None and _is_first(connection, prompt, at)  # a tap or a stop is a message too
    if message.tapped is not None:
        return _tapped(connection, settings, account, message, now)
    words = folded(message.text)
    if {words, bare(words)} & {folded(each) for each in settings.privacy.stop_words}:
        return _stopped(connection, settings, account, message.sender_id, now)
    return (
        _typed(connection, settings, prompt, message, words.translate(KEYS).strip(AROUND), now)
        if prompt and first
        else None
    )


def _tapped(
    connection: Connection, settings: Settings, account: Account, message: DirectMessage, now: datetime
) -> Verdict | None:
    """A tap counts for the request it names, however old the prompt is, if the request's own customer taps."""
    assert message.tapped is not None, "asked before"
    assert message.sender_id is not None, "likewise"
    key = hash_key.begin(connection, settings.service.secret_key)
    tap = quick_reply.recognise(key, message.tapped)
    if tap is None or not _is_theirs(connection, account, tap.request_id, _by_customer(key, message.sender_id)):
        log.warning("tap_refused", account=account.name)
        return None
    return ingest(connection, _answer(tap.request_id, tap.score, message), now)


def _is_theirs(
    connection: Connection, account: Account, request_id: str, theirs: Sequence[sa.ColumnElement[bool]]
) -> bool:
    mine = sa.select(fr.id).where(fr.id == request_id, fr.account == account.name, sa.or_(*theirs))
    return connection.scalar(mine) is not None


def _by_customer(key: str, sender_id: str) -> Sequence[sa.ColumnElement[bool]]:
    return fr.x_user_id == sender_id, fr.person == person(key, sender_id)  # retention leaves the hash alone


def _stopped(
    connection: Connection, settings: Settings, account: Account, sender_id: str, now: datetime
) -> Verdict | None:
    """Anybody we have written to can stop us with a word, however long ago; from others it may mean anything."""
    key = hash_key.begin(connection, settings.service.secret_key)
    # two selects: by either of them at once SQLite would read all of the account
    asked = (sa.select(fr.id).where(fr.account == account.name, each) for each in _by_customer(key, sender_id))
    if connection.scalar(sa.union_all(*asked).limit(1)) is not None:
        opted_out.add(connection, [sender_id], hash_key=key, reason="asked_by_customer", by="customer", now=now)
        once_committed(connection, lambda: log.info("customer_opted_out", account=account.name))
    return None


def _typed(
    connection: Connection, settings: Settings, prompt: Prompt, message: DirectMessage, words: str, now: datetime
) -> Verdict | None:
    if not NUMBER.fullmatch(words) or int(words) not in SCORE_RANGE.get(prompt.type, ()):
        return None
    if not _typed_counts(settings, prompt):
        return None
    return ingest(connection, _answer(prompt.request_id, int(words), message), now)


def _prompt(connection: Connection, account: Account, sender_id: str | None, at: datetime) -> Prompt | None:
    # one person's rows are few; a database that looks for the newest itself may read all cards of the account
    theirs = sa.select(fr.id, fr.type, fr.campaign, fr.way, fr.dm_sent_at, fr.card_sent_at).where(
        fr.account == account.name, fr.x_user_id == sender_id
    )
    had = [(each, row) for row in connection.execute(theirs) for each in row[-2:] if each is not None and each <= at]
    _, row = max(had, key=lambda each: each[0], default=(None, None))
    if row is None or row.way != WAY or row.card_sent_at is None or row.card_sent_at > at:
        return None  # after an opening nothing answers an older question, though its own may not be there yet
    return Prompt(row.id, row.type, row.campaign)


def _is_first(connection: Connection, prompt: Prompt, at: datetime) -> bool:
    """Whether this is the first message since the prompt. Records when somebody wrote, never what."""
    said = insert(connection, prompt_reply).values(request_id=prompt.request_id, first_at=at)
    earlier = pr.first_at > said.excluded.first_at
    connection.execute(said.on_conflict_do_update(index_elements=["request_id"], set_={"first_at": at}, where=earlier))
    return bool(connection.scalar(sa.select(pr.first_at).where(pr.request_id == prompt.request_id)) == at)


def _typed_counts(settings: Settings, prompt: Prompt) -> bool:
    return next((each.typed_scores for each in settings.campaigns if each.name == prompt.campaign), True)


def _answer(request_id: str, score: int, message: DirectMessage) -> Answer:
    """Without a date, as a card without one: dated by our clock it would be another answer each time it comes."""
    return Answer(request_id, WAY, "dm", Update(message.created_at or EPOCH, score, message.created_at))
