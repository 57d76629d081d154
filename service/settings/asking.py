"""Settings of whom we ask about what, and how: accounts, sources, campaigns. One line per setting (declare.py).

Secrets never show in a repr.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import validate

from service.settings.declare import REQUIRED, implied, setting
from service.settings.sources import Api
from service.settings.values import (
    NAME,
    NOT_EMPTY,
    Handle,
    a_colour,
    an_x_user_id,
    as_x_writes,
    before_a_colon,
    http_url,
    network,
    one_of,
    some_time,
    whole,
)

CARD_TYPES = ("csat", "nps")
WAYS = ("card", "quick_reply", "page")
SENT = ("opening", *WAYS)
"""Which texts of a campaign are messages of their own."""

AN_ALLOWANCE = whole(1, 1_000_000)
A_KEY_OF_X = (NOT_EMPTY, as_x_writes)
A_TEXT = validate.Length(1, 10_000, error="must have 1 to 10,000 characters")
A_TITLE = validate.Length(1, 60, error="must have 1 to 60 characters")
A_QUESTION = validate.Length(1, 300, error="must have 1 to 300 characters")
A_DISPLAY_NAME = validate.Length(1, 20, error="must have 1 to 20 characters: X's card has no room for more")
A_LANGUAGE = validate.Length(min=1, error="write at least one language, e.g. [campaigns.NAME.texts.en]")
A_WAY = one_of(*WAYS)
A_SHARE = validate.Range(0, 1, error="must be a share from 0.0 to 1.0")


@dataclass(frozen=True, slots=True)
class Account:
    """One X account that writes to customers: [accounts.NAME]."""

    name: str = implied(NAME)
    user_id: str = setting(REQUIRED, "the account's numeric X id", an_x_user_id)
    screen_name: Handle = setting("", "its handle, with or without the @, for people")
    base_url: str = setting(
        "https://api.twitter.com", "X's address, or the sandbox's; it is part of each signature", http_url
    )
    consumer_key: str = setting(REQUIRED, "the app's key", *A_KEY_OF_X, secret=True)
    consumer_secret: str = setting(
        REQUIRED, "the app's secret; X also signs its webhooks with it", *A_KEY_OF_X, secret=True
    )
    token: str | None = setting(
        None, "the account's access token; required without client_id", *A_KEY_OF_X, secret=True
    )
    token_secret: str | None = setting(
        None, "the account's access token secret; required without client_id", *A_KEY_OF_X, secret=True
    )
    api: str = setting("v1.1", "which X API sends its DMs; v2 has no quick replies", one_of("v1.1", "v2"))
    client_id: str | None = setting(
        None,
        "OAuth 2.0 client id of the app, for v2 only; `dm-feedback accounts connect NAME` then signs in",
        as_x_writes,
    )
    client_secret: str | None = setting(
        None, "its secret, if the app is a confidential client", as_x_writes, secret=True
    )
    sign_in_url: str = setting("https://x.com/i/oauth2/authorize", "where a person signs in for OAuth 2.0", http_url)
    time_zone: ZoneInfo = setting("UTC", "time zone of its quiet hours")
    quiet_hours: tuple[time, time] | None = setting(
        None,
        'nobody is written to then, except that a card may follow its opening DM for 15 min; e.g. ["21:00", "08:00"]',
    )
    cards_per_day: int = setting(1000, "X's limit of cards in rolling 24 h", AN_ALLOWANCE)
    dms_per_day: int = setting(1000, "X's limit of DMs in rolling 24 h", AN_ALLOWANCE)
    dms_per_window: int = setting(15, "over v2: X's limit of DMs per window", AN_ALLOWANCE)
    app_dms_per_day: int = setting(
        1440,
        "over v2: X's limit for the app in rolling 24 h, shared by accounts with the same consumer_key",
        AN_ALLOWANCE,
    )
    lookups_per_window: int = setting(15, "X's limit of DM-list calls per window", AN_ALLOWANCE)
    window: timedelta = setting("15m", "X's rate-limit window", some_time)
    list_lag: timedelta = setting("180s", "how long X's DM list may lag behind a send")
    signature_tolerance: timedelta = setting(
        "300s",
        "how old a signature X still accepts, so how late a lost call may arrive; with OAuth 2.0, how wrong our clock "
        "may be",
    )
    unknown_after: timedelta = setting(
        "2h", "if X cannot tell within this time whether a message was sent, the request ends as 'unknown'"
    )
    expected_per_day: int | None = setting(
        None,
        "expected conversations a day, for a fair draw when X's limit is too low for all; otherwise learnt",
        AN_ALLOWANCE,
    )
    webhook_user: str | None = setting(None, "Basic auth user of X's feedback webhook", before_a_colon)
    webhook_password: str | None = setting(None, "Basic auth password of X's feedback webhook", secret=True)
    webhook_networks: tuple[str, ...] = setting(
        [], "if set, X's webhook is accepted only from these networks, e.g. 199.59.148.0/22", network
    )
    webhook_signature: bool = setting(False, "also require x-twitter-webhooks-signature")
    page_name: str | None = setting(None, "your name on the question page; default: the screen name", A_TITLE)
    page_logo: str | None = setting(None, "a picture file for the question page (.svg, .png, .webp or .jpg)")
    page_accent: str = setting(
        "#1d5fd0", "the page's colour, #rrggbb; adjusted where text would be unreadable", a_colour
    )
    poll_every: timedelta = setting("15m", "how often feedback/events is read", some_time)
    poll_window: timedelta = setting("6h", "how much time one poll window covers", some_time)
    events_delay: timedelta = setting("24h", "how late X's feedback/events list is: it ends this long ago")
    refresh_schedule: tuple[timedelta, ...] = setting(
        ["1h", "4h", "12h", "24h", "3d", "7d", "14d", "28d"], "when feedback/show is called, counted from the card"
    )

    @property
    def token_of(self) -> str | None:
        """Whose the token is: X's begins with its user's id. None: it does not say so."""
        whose = re.match("[0-9]+(?=-)", self.token or "")
        return None if whose is None else whose[0]


@dataclass(frozen=True, slots=True)
class Source:
    """One CRM that calls us: [sources.NAME]. Everything not named here is its `definition`, which intake compiles."""

    name: str = implied(NAME)
    account: str = setting("", "the X account that asks; may be left out if there is only one")
    preset: str | None = setting(None, "a definition that comes with dm-feedback; see `dm-feedback sources list`")
    keys: tuple[str, ...] = setting(
        [], "signing keys or tokens, one of which must match; to change one, list new and old", NOT_EMPTY, secret=True
    )
    language: str | None = setting(None, "language of its customers if the event names none")
    conversation_url: str | None = setting(None, "address of a conversation in the CRM, with {conversation_id}")
    definition: Mapping[str, Any] = implied(secret=True)
    api: Api | None = setting(None, "the CRM's own API, used to look customers up")
    confirm: str = setting(
        "inbound_dm",
        "inbound_dm: an X user that a person typed into the CRM is asked only if they sent the account a DM; none: "
        "always",
        one_of("inbound_dm", "none"),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """What the customer reads in one language: [campaigns.NAME.texts.LANGUAGE]."""

    opening: str | None = setting(
        None, "the opening DM; may use placeholders, none of which names an agent", A_TEXT
    )  # None where the campaign sends no opening DM
    card: str = setting(REQUIRED, "the DM that carries the card", A_TEXT)
    quick_reply: str | None = setting(None, "the DM with the buttons, for the way 'quick_reply'", A_TEXT)
    page: str | None = setting(None, "the DM with the link, for the way 'page'; {page} is replaced by the link", A_TEXT)
    thanks: str | None = setting(
        None, "a DM sent after a tap or a typed number; {page} links to a comment form, no other placeholder", A_TEXT
    )
    question: str | None = setting(None, "the question on the page; default: X's question, in English", A_QUESTION)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which card and texts, for which conversations: [campaigns.NAME]. Empty filters match everything."""

    name: str = implied(NAME)
    type: str = setting(REQUIRED, "which card", one_of(*CARD_TYPES))
    question_variant_id: int = setting(0, "which of X's questions: csat 0-37, nps 0-9", whole(0, 37))
    display_name: str | None = setting(None, "the name in the question; default: the profile's", A_DISPLAY_NAME)
    privacy_url: str = setting(REQUIRED, "your privacy policy; the card links to it", http_url)
    test: bool = setting(False, "test cards count neither in X's figures nor in ours")
    opening: bool = setting(True, "send an opening DM before the card; false: send only the card's own message")
    ways: tuple[str, ...] = setting(
        ["card"],
        "how to ask, in order of preference: card (only approved apps), quick_reply (a tap), page (a link)",
        A_WAY,
    )
    texts: Mapping[str, Texts] = setting(REQUIRED, "texts by language", A_LANGUAGE)
    default_language: str = setting("", "the language to fall back to; default: the first one written")
    sources: tuple[str, ...] = setting([], "only these sources")
    accounts: tuple[str, ...] = setting([], "only these accounts")
    teams: tuple[str, ...] = setting([], "only these teams")
    tags: tuple[str, ...] = setting([], "only conversations with one of these tags")
    without_tags: tuple[str, ...] = setting([], "no conversation with one of these tags")
    channels: tuple[str, ...] = setting([], "only these channels")
    languages: tuple[str, ...] = setting([], "only these languages")
    typed_scores: bool = setting(
        True, "if the customer's first message after a quick-reply prompt is just a number, it counts as a tap"
    )
    delay: timedelta = setting("1m", "how long to wait after the end before asking; a reopening in this time cancels")
    stale_after: timedelta = setting("24h", "conversations that ended longer ago are not asked about")
    cooldown: timedelta = setting("7d", "a customer is asked at most once in this time by all campaigns of the account")
    sample: float = setting(1.0, "share of conversations to ask about, chosen by a keyed hash", A_SHARE)
