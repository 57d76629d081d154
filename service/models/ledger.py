"""The ledger: requests, their history, intents to send, and the conditions of their partial indexes."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    and_,
    literal_column,
    or_,
)

from service.at_rest.columns import Encrypted, EncryptedJson
from service.at_rest.ids import CONVERSATION_ID, X_HANDLE, X_USER_ID
from service.db import Micros
from service.models.base import Serial, XId, metadata, partial_index
from service.states import OPEN_STATES, OPENED_STATES, PROVEN_UNSENT, UNCLEAR, State

HANDLED_BY = ("human", "ai", "both", "nobody")
OPEN = f"state IN ({','.join(repr(state.value) for state in OPEN_STATES)})"
PROMPTED = "way = 'quick_reply'"
HANDED = "way = 'handed_over'"
BY_CARD = "(way IS NULL OR way = 'card')"  # by any other way there is no feedback id, ever
CARD_UNPROVEN = f"state = '{State.CARD_SENT}' AND feedback_id IS NULL AND {BY_CARD}"
UNPROVEN = f"erased_at IS NULL AND (state = '{State.UNKNOWN}' OR ({CARD_UNPROVEN}))"
SAYS_WHOM = "x_user_id <> ''"
ONLY_HANDLE = "x_user_id IS NULL AND x_handle IS NOT NULL"
HAS_OPENING = " OR ".join(f"state = '{state}'" for state in OPENED_STATES)
BEGUN = f"{HAS_OPENING} OR (state = '{State.DM_ALLOWED}' AND reason IN ('{UNCLEAR}','{PROVEN_UNSENT}'))"
"""What the partial indexes hold. A word added to `states.py` changes them, and a test asks for the migration."""


def _word(said: str) -> ColumnElement[str]:
    """A word of ours as SQL has it, in the statement's own text."""
    return literal_column(f"'{said}'")


class FeedbackRequestColumns(TypedColumns):
    """Our one attempt to ask about one ended conversation. Written by requests, for every chapter."""

    id = Column(String(40), primary_key=True)  # travels to X as external_id
    # what the source said, frozen when the conversation ended
    source: Named[str] = Column(String(64))
    account: Named[str] = Column(String(64))
    conversation_id: Named[str] = Column(CONVERSATION_ID)
    ended_at: Named[datetime] = Column(Micros)
    received_at: Named[datetime] = Column(Micros)
    delivery_id: Named[str] = Column(String(40))
    x_user_id: Named[str | None] = Column(X_USER_ID, nullable=True)
    x_handle: Named[str | None] = Column(X_HANDLE, nullable=True)
    person: Named[str | None] = Column(String(64), nullable=True)  # the keyed hash that stays when the id goes
    identity_trust: Named[str] = Column(String(20))  # TRUSTS of intake, by_hand, rehearsal
    agent_id: Named[str | None] = Column(String(256), nullable=True)
    team_id: Named[str | None] = Column(String(256), nullable=True)
    tags: Named[list[str]] = Column(JSON)
    language: Named[str | None] = Column(String(35), nullable=True)
    channel: Named[str | None] = Column(String(256), nullable=True)
    customer_ref: Named[str | None] = Column(
        Encrypted("feedback_request.customer_ref", "id", length=256), nullable=True
    )
    tenant: Named[str | None] = Column(String(256), nullable=True)
    handled_by: Named[str | None] = Column(String(8), nullable=True)  # one of HANDLED_BY; NULL: not said
    # what outreach chose, frozen before anything is sent
    campaign: Named[str | None] = Column(String(64), nullable=True)
    type: Named[str | None] = Column(String(4), nullable=True)  # csat | nps
    question_variant_id: Named[int | None]
    display_name: Named[str | None] = Column(String(20), nullable=True)
    privacy_url: Named[str | None] = Column(Text, nullable=True)
    test: Named[bool]
    # NULL: the campaign has no opening DM
    opening_text: Named[str | None] = Column(Encrypted("feedback_request.opening_text", "id"), nullable=True)
    # of the message that asks, whichever way it does
    card_text: Named[str | None] = Column(Encrypted("feedback_request.card_text", "id"), nullable=True)
    way: Named[str | None] = Column(String(16), nullable=True)  # NULL: as everybody was asked before, by the card
    # way and text
    alternatives: Named[list[dict[str, str]] | None] = Column(
        EncryptedJson("feedback_request.alternatives", "id", none_as_null=True), nullable=True
    )
    page_hash: Named[str | None] = Column(String(64), nullable=True)  # SHA-256 of the token in the page's link
    decision: Named[dict[str, Any] | None] = Column(JSON, nullable=True)  # the draws and their inputs
    stale_at: Named[datetime | None] = Column(Micros, nullable=True)
    # the machine
    state: Named[str] = Column(String(12))
    reason: Named[str | None] = Column(String(40), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)
    attempts: Named[int]  # failed attempts in this state
    scheduled_at: Named[datetime] = Column(Micros)
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    can_dm: Named[bool | None]  # NULL: not asked, or X did not say
    can_dm_asked: Named[int]  # how many of X's two answers we have asked for
    # what X has
    dm_event_id: Named[str | None] = Column(XId, nullable=True)
    dm_sent_at: Named[datetime | None] = Column(Micros, nullable=True)
    feedback_id: Named[str | None] = Column(XId, nullable=True)
    card_dm_id: Named[str | None] = Column(XId, nullable=True)
    card_sent_at: Named[datetime | None] = Column(Micros, nullable=True)
    outcome_at: Named[datetime | None] = Column(Micros, nullable=True)
    erased_at: Named[datetime | None] = Column(Micros, nullable=True)
    updated_at: Named[datetime] = Column(Micros)
    # what readers have been told: NULL until the last visible change has its number (see requests/seals.py)
    sealed: Named[int | None] = Column(BigInteger, nullable=True)
    counted: Named[list[Any] | None] = Column(JSON(none_as_null=True), nullable=True)  # what the tally holds of it


feedback_request = Table(
    "feedback_request",
    metadata,
    FeedbackRequestColumns,
    UniqueConstraint("source", "conversation_id", "ended_at"),
    # the claim reads only open rows, so its cost does not grow with the ledger
    partial_index("ix_feedback_request_due", "account", "scheduled_at", where=OPEN),
    # what was begun goes before what was not, however long that has waited
    partial_index("ix_feedback_request_begun", "account", "scheduled_at", where=BEGUN),
    # each second somebody asks whether a prompt waits for an answer that no webhook brings
    partial_index("ix_feedback_request_prompts", "account", "card_sent_at", where=PROMPTED),
    # before each message somebody asks whether this customer got a link from others lately
    partial_index("ix_feedback_request_handed_over", "account", "x_user_id", "card_sent_at", where=HANDED),
    # unknown sends and cards without their feedback id, to which a feedback object may still appear
    partial_index("ix_feedback_request_unproven", "account", where=UNPROVEN),
    # whose customer is known by a handle alone: an erasure goes through them, and looks at no others
    partial_index("ix_feedback_request_only_handle", "x_user_id", "x_handle", where=ONLY_HANDLE),
    # the sealer reads only what has changed; a mirror reads on from the last number it has
    partial_index(
        "ix_feedback_request_unsealed",
        "sealed",  # always NULL here, and so an index that SQLite need not look behind
        "id",
        where="sealed IS NULL",
    ),
    partial_index("ix_feedback_request_sealed", "sealed", unique=True, where="sealed IS NOT NULL"),
    Index(None, "updated_at", "id"),
    Index(None, "ended_at", "id"),
    Index(None, "account", "received_at"),
    Index(None, "account", "card_sent_at"),
    Index(None, "account", "x_user_id"),
    Index(None, "account", "agent_id"),  # whose rows change when somebody may be named
    Index(None, "x_user_id"),
    Index(None, "person"),
    Index(None, "feedback_id"),
    Index(None, "card_dm_id"),
    partial_index("ix_feedback_request_page_hash", "page_hash", unique=True, where="page_hash IS NOT NULL"),
)

IS_OPEN = feedback_request.c.state.in_([_word(state) for state in OPEN_STATES])
"""The condition of ix_feedback_request_due, in words of its own: no database compares a parameter with those of an
index, and would read the whole ledger instead."""

IS_BEGUN = or_(
    *(feedback_request.c.state == _word(state) for state in OPENED_STATES),
    and_(
        feedback_request.c.state == _word(State.DM_ALLOWED),
        feedback_request.c.reason.in_([_word(reason) for reason in (UNCLEAR, PROVEN_UNSENT)]),
    ),
)
"""The condition of ix_feedback_request_begun, likewise."""

IS_UNPROVEN = and_(
    feedback_request.c.erased_at.is_(None),
    or_(
        feedback_request.c.state == _word(State.UNKNOWN),
        and_(
            feedback_request.c.state == _word(State.CARD_SENT),
            feedback_request.c.feedback_id.is_(None),
            or_(feedback_request.c.way.is_(None), feedback_request.c.way == _word("card")),
        ),
    ),
)
"""The condition of ix_feedback_request_unproven, likewise."""

IS_PROMPTED = feedback_request.c.way == _word("quick_reply")
"""The condition of ix_feedback_request_prompts, likewise."""

IS_HANDED_OVER = feedback_request.c.way == _word("handed_over")
"""The condition of ix_feedback_request_handed_over, likewise."""


class TransitionColumns(TypedColumns):
    """One line of a request's life, in the same commit as the change it tells of. Written by requests."""

    id = Column(Serial, primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    at: Named[datetime] = Column(Micros)
    from_state: Named[str] = Column(String(12))
    to_state: Named[str] = Column(String(12))
    event: Named[str] = Column(
        String(24)
    )  # advanced | noted | retried | postponed | unclear | stopped | switched | by_hand | handed_over | attached
    reason: Named[str | None] = Column(String(40), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)
    actor: Named[str] = Column(String(64))  # worker name, or the person behind a key or the command line


transition = Table("transition", metadata, TransitionColumns, Index(None, "request_id", "id"))


class SendAttemptColumns(TypedColumns):
    """The intent to send, committed before the call, and what became of it. It is the slot in X's daily limits too.

    Written by requests. `outcome` NULL means in flight or unclear.
    """

    id = Column(String(40), primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    account: Named[str] = Column(String(64))
    x_user_id: Named[str] = Column(X_USER_ID)
    kind: Named[str] = Column(String(4))  # dm | card | more
    intended_at: Named[datetime] = Column(Micros)
    answered_at: Named[datetime | None] = Column(Micros, nullable=True)  # when X's (unclear) answer came; NULL: we died
    outcome: Named[str | None] = Column(String(8), nullable=True)  # sent | not_sent | unknown
    x_id: Named[str | None] = Column(XId, nullable=True)  # the DM's or the feedback's id
    evidence: Named[str | None] = Column(String(40), nullable=True)  # what settled it, such as answer or dm_list
    settled_at: Named[datetime | None] = Column(Micros, nullable=True)


send_attempt = Table(
    "send_attempt",
    metadata,
    SendAttemptColumns,
    Index(None, "request_id"),
    Index(None, "account", "kind", "intended_at", "outcome"),  # counted before each message, from the index alone
    Index(None, "account", "x_user_id", "intended_at"),
    # for erasing a person; most sends are old, and no longer say to whom
    partial_index("ix_send_attempt_x_user_id", "x_user_id", where=SAYS_WHOM),
    partial_index("ix_send_attempt_unclear", "account", "intended_at", where="outcome IS NULL"),
)

SAYS_TO_WHOM = send_attempt.c.x_user_id != _word("")
"""The condition of ix_send_attempt_x_user_id, likewise."""
