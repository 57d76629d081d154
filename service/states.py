r"""The states of a feedback request and the reasons why it ends: one declaration, from which everything else derives.

A state is a fact in the past tense that is already durable, so "what do we do after a crash" answers itself. Nothing is
decided here; `requests/machine.py` does that. Open states, the conditions of partial indexes, the tables of steps and
every surface's sentences derive from it: a state that a table of steps lacks fails the first import.

    received -> identified -> dm_allowed -> dm_sent -> card_sent
        \___________\____________\___________\____-> skipped(reason) | failed(reason) | unknown
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self, TypeVar

T = TypeVar("T")


def _demand_sentence(word: str, sentence: str) -> None:
    if not sentence:
        raise TypeError(f"'{word}' needs a sentence that says to people what it means.")


class State(StrEnum):
    """Where a feedback request stands: its word, a sentence for people, and the ways out of it.

    `forward` is where a step may lead, which makes a state open; `by_hand` is where people may resume an ended request;
    `proven` is where evidence that came after the end may lead.
    """

    sentence: str
    forward: tuple[str, ...]
    by_hand: tuple[str, ...]
    proven: tuple[str, ...]

    def __new__(
        cls,
        word: str,
        sentence: str = "",
        forward: tuple[str, ...] = (),
        by_hand: tuple[str, ...] = (),
        proven: tuple[str, ...] = (),
    ) -> Self:
        """Make a member; without a sentence the program does not start."""
        _demand_sentence(word, sentence)
        state = str.__new__(cls, word)
        state._value_ = word
        state.sentence, state.forward, state.by_hand, state.proven = sentence, forward, by_hand, proven
        return state

    RECEIVED = ("received", "The conversation has ended. The customer's X user id is being looked up.", ("identified",))
    """Outreach chooses the campaign, waits out its delay and finds the customer's X user id. Dying here costs nothing:
    nobody outside has been told anything."""

    IDENTIFIED = (
        "identified",
        "The customer's X user id is known. X is asked whether the account may write to the customer.",
        ("dm_allowed",),
    )
    """Dying here repeats a question to X, never a message."""

    DM_ALLOWED = (
        "dm_allowed",
        "X has not forbidden a message. The first message is sent next.",
        ("dm_sent", "card_sent"),
    )
    """The opening DM, or the card where the campaign has no opening. Dying between the committed intent and the
    recorded answer leaves a send attempt without an outcome: the next worker looks it up at X before anything is
    sent."""

    DM_SENT = ("dm_sent", "The opening DM has been sent. The card is sent next.", ("card_sent",))
    """Dying here is as under `dm_allowed`."""

    CARD_SENT = ("card_sent", "The customer has been asked.", (), (), ("card_sent",))
    """The card is at X: the end we want. Results may arrive from now on. Nobody moves it on; a feedback object that
    appears later may give it the id that X's answer did not."""

    SKIPPED = (
        "skipped",
        "The customer was deliberately not asked. The reason says why.",
        (),
        ("received", "dm_allowed", "dm_sent"),
    )

    FAILED = (
        "failed",
        "The request failed permanently, at X or because of our configuration. The reason says why.",
        (),
        ("received", "dm_allowed", "dm_sent"),
    )

    UNKNOWN = (
        "unknown",
        "A message may or may not have reached the customer, and X could not tell us in time.",
        (),
        ("received", "dm_allowed", "dm_sent"),
        ("card_sent",),
    )
    """A missing answer is better than a second message. A feedback object that appears later is attached to it."""


class Kind(StrEnum):
    """Which of our messages: the opening, the one that asks (in whatever way), or the thanks after a tap."""

    OPENING = "dm"
    ASKING = "card"
    THANKS = "more"


UNCLEAR = "unclear"
PROVEN_UNSENT = "proven_unsent"
"""Why a send that was begun waits: nobody knows if it arrived, or it is known that it did not."""

OPEN_STATES = tuple(state for state in State if state.forward)
END_STATES = tuple(state for state in State if not state.forward)


def _transitions(words: tuple[str, ...]) -> frozenset[State]:
    """The states of these words. Raises ValueError at import for a word that is no state."""
    return frozenset(State(word) for word in words)


FORWARD: Mapping[State, frozenset[State]] = {state: _transitions(state.forward) for state in State}
BY_HAND: Mapping[State, frozenset[State]] = {state: _transitions(state.by_hand) for state in State}
PROVEN: Mapping[State, frozenset[State]] = {state: _transitions(state.proven) for state in State}


def _reached_from(state: State) -> frozenset[State]:
    return frozenset({state}).union(*(_reached_from(each) for each in FORWARD[state]))


OPENED_STATES = tuple(state for state in OPEN_STATES if state in _reached_from(State.DM_SENT))
"""Open states in which the customer has our opening: what asks should follow it."""


def for_every_open_state(name: str, table: Mapping[State, T]) -> Mapping[State, T]:
    """Return the table, which must cover each open state. Raises KeyError at import, naming what is missing."""
    if wrong := set(OPEN_STATES) ^ set(table):
        raise KeyError(f"{name} must hold the open states, each once; look at: {', '.join(sorted(wrong))}")
    return table


class Reason(StrEnum):
    """A stable word, as used in API, CSV and dashboard, and its meaning in a sentence."""

    sentence: str

    def __new__(cls, word: str, sentence: str = "") -> Self:
        """Make a member; without a sentence the program does not start."""
        _demand_sentence(word, sentence)
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.sentence = sentence
        return reason


class Skip(Reason):
    """Why we chose not to write."""

    COOLDOWN = (
        "cooldown",
        "This account asked the customer recently, and the campaign does not ask the same customer again so soon.",
    )
    SAMPLED_OUT = (
        "sampled_out",
        "The campaign asks about a random sample of conversations, and this one was not selected.",
    )
    QUOTA = (
        "quota",
        "X limits the number of messages a day. Conversations are selected at random, and this one was not selected.",
    )
    OPTED_OUT = "opted_out", "The customer does not want to be asked."
    CANNOT_DM = "cannot_dm", "X says that this account may not write to the customer."
    NO_X_IDENTITY = "no_x_identity", "No X user could be found for the conversation."
    CHANNEL = "channel", "The conversation was not on X."
    NOT_CONFIRMED = (
        "not_confirmed",
        "The X user was typed into the CRM by hand, and no user of that name has written to the account.",
    )
    NO_CAMPAIGN = "no_campaign", "No campaign applies to this conversation."
    REOPENED = "reopened", "The conversation was reopened before anything was sent."
    STALE = "stale", "The conversation ended too long ago to ask about it."
    CANCELLED = "cancelled", "A person cancelled the request."
    WITHDRAWN = "withdrawn", "Its account, source or campaign was removed from the settings."
    UNREACHABLE = "unreachable", "X rejected the message because of the customer's account or settings."


OURS_ALONE = frozenset({Skip.NO_X_IDENTITY, Skip.CANNOT_DM, Skip.UNREACHABLE})
"""What kept us from writing, and keeps nobody who writes elsewhere: such a conversation may be asked about yet."""


class Failure(Reason):
    """Why an attempt ended for good without a card."""

    MESSAGE_REFUSED = "message_refused", "X permanently rejected the message."
    REFUSED = "refused", "X permanently rejected the request."
    ATTEMPTS_USED_UP = "attempts_used_up", "All attempts to send it failed."
    NOT_IN_TIME = "not_in_time", "It could not be sent in time."


class Doubt(Reason):
    """Why nobody knows whether the customer was asked."""

    UNCLEAR_SEND = "unclear_send", "X could not tell in time whether the message arrived."


ENDS: Mapping[str, Reason] = {reason.value: reason for kind in (Skip, Failure, Doubt) for reason in kind}
"""Every reason an end may have, by its word."""


def sentence_of(reason: str | None) -> str:
    """Return what a stored reason means; nothing for a word that is no reason of an end."""
    known = ENDS.get(reason or "")
    return "" if known is None else known.sentence
