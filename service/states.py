r"""The states of a feedback request: in, the words; out, what each one promises.

A state is a fact in the past tense that is already durable, so "what do we do after a crash" answers itself.
This file never decides anything; `outreach/machine.py` does.

    received -> identified -> dm_allowed -> dm_sent -> card_sent
        \___________\____________\___________\____-> skipped(reason) | failed(reason) | unknown
"""

from enum import StrEnum


class State(StrEnum):
    """Where a feedback request stands. Each member says what is durable, who moves it on, what dying here costs."""

    RECEIVED = "received"
    """The ended conversation is in the ledger. Outreach chooses the campaign, waits out its delay and finds the
    customer's X user id. Dying here costs nothing: nobody outside has been told anything."""

    IDENTIFIED = "identified"
    """The customer's X user id is known. Outreach asks X whether we may write (`can_dm`). Dying here repeats a
    question to X, never a message."""

    DM_ALLOWED = "dm_allowed"
    """X did not say no. Outreach sends the opening DM (or the card, where the campaign has no opening). Dying
    between the committed intent and the recorded answer leaves a send attempt without an outcome: the next worker
    looks it up at X before anything is sent."""

    DM_SENT = "dm_sent"
    """The opening DM is at X. Outreach sends the card. Dying here is as under `dm_allowed`."""

    CARD_SENT = "card_sent"
    """The card is at X: the end we want. Results may arrive from now on. Nobody moves it on."""

    SKIPPED = "skipped"
    """We chose not to write; the reason says why. An end."""

    FAILED = "failed"
    """We tried, X or our set-up refused for good; the reason says why. An end."""

    UNKNOWN = "unknown"
    """A send may or may not have reached the customer and X could not tell us in time. An end: a missing answer is
    better than a second message. A feedback object that appears later is attached to it."""


OPEN_STATES = (State.RECEIVED, State.IDENTIFIED, State.DM_ALLOWED, State.DM_SENT)
END_STATES = (State.CARD_SENT, State.SKIPPED, State.FAILED, State.UNKNOWN)


class Skip(StrEnum):
    """Why we chose not to write. The words are stable: they stand in the API, the CSV and the dashboard."""

    COOLDOWN = "cooldown"
    SAMPLED_OUT = "sampled_out"
    QUOTA = "quota"
    OPTED_OUT = "opted_out"
    CANNOT_DM = "cannot_dm"
    NO_X_IDENTITY = "no_x_identity"
    NO_CAMPAIGN = "no_campaign"
    REOPENED = "reopened"
    STALE = "stale"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"


class Failure(StrEnum):
    """Why an attempt ended for good without a card. Stable words."""

    MESSAGE_REFUSED = "message_refused"
    REFUSED = "refused"
    ATTEMPTS_USED_UP = "attempts_used_up"
    NOT_IN_TIME = "not_in_time"


SKIP_SENTENCES: dict[Skip, str] = {
    Skip.COOLDOWN: "The customer was asked by this account within the campaign's cool-down.",
    Skip.SAMPLED_OUT: "The campaign's sample did not draw this conversation.",
    Skip.QUOTA: "The day's budget of X did not suffice and the draw fell on others.",
    Skip.OPTED_OUT: "The customer does not want to be asked.",
    Skip.CANNOT_DM: "X says this account may not write to the customer.",
    Skip.NO_X_IDENTITY: "The conversation carries no X user that could be found.",
    Skip.NO_CAMPAIGN: "No campaign takes this conversation.",
    Skip.REOPENED: "The conversation was reopened before anything was sent.",
    Skip.STALE: "The conversation ended too long ago to ask about it.",
    Skip.CANCELLED: "A person cancelled the request.",
    Skip.UNREACHABLE: "X refused the message because of the customer's account or settings.",
}
