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
    http_url,
    network,
    one_of,
    some_time,
    whole,
)

CARD_TYPES = ("csat", "nps")
AN_ALLOWANCE = whole(1, 1_000_000)
A_TEXT = validate.Length(1, 10_000, error="must have 1 to 10,000 characters")
A_TITLE = validate.Length(1, 60, error="must have 1 to 60 characters")
A_QUESTION = validate.Length(1, 300, error="must have 1 to 300 characters")
A_DISPLAY_NAME = validate.Length(1, 20, error="must have 1 to 20 characters: X's card has no room for more")
A_LANGUAGE = validate.Length(min=1, error="write at least one language, e.g. [campaigns.NAME.texts.en]")
A_WAY = one_of("card", "quick_reply", "page")
A_SHARE = validate.Range(0, 1, error="must be a share from 0.0 to 1.0")


@dataclass(frozen=True, slots=True)
class Account:
    """One X account that writes to customers: [accounts.NAME]."""

    name: str = implied(NAME)
    user_id: str = setting(REQUIRED, "the account's numeric X id", an_x_user_id)
    screen_name: Handle = setting("", "its handle, with or without the @, for people")
    base_url: str = setting("https://api.twitter.com", "X's host, or the sandbox's; signatures cover it", http_url)
    consumer_key: str = setting(REQUIRED, "the app's key", NOT_EMPTY, secret=True)
    consumer_secret: str = setting(REQUIRED, "the app's secret; also signs X's webhooks", NOT_EMPTY, secret=True)
    token: str | None = setting(None, "the account's access token; required without client_id", NOT_EMPTY, secret=True)
    token_secret: str | None = setting(
        None, "the account's access token secret; required without client_id", NOT_EMPTY, secret=True
    )
    api: str = setting("v1.1", "X's API for its DMs; v2 has no quick replies", one_of("v1.1", "v2"))
    client_id: str | None = setting(
        None, "OAuth 2.0 client id of the app: `dm-feedback accounts connect NAME` then signs in, for v2 alone"
    )
    client_secret: str | None = setting(None, "its secret, where the app is a confidential client", secret=True)
    sign_in_url: str = setting("https://x.com/i/oauth2/authorize", "where a person signs in for OAuth 2.0", http_url)
    time_zone: ZoneInfo = setting("UTC", "zone of its quiet hours")
    quiet_hours: tuple[time, time] | None = setting(
        None, 'no writing then; a card may follow its opening for 15 min; e.g. ["21:00", "08:00"]'
    )
    cards_per_day: int = setting(1000, "X's limit of cards in rolling 24 h", AN_ALLOWANCE)
    dms_per_day: int = setting(1000, "X's limit of DMs in rolling 24 h", AN_ALLOWANCE)
    dms_per_window: int = setting(15, "over v2: X's limit of DMs per window", AN_ALLOWANCE)
    app_dms_per_day: int = setting(
        1440, "over v2: X's limit of the app in rolling 24 h; accounts with one consumer_key share it", AN_ALLOWANCE
    )
    lookups_per_window: int = setting(15, "X's limit of DM-list calls per window", AN_ALLOWANCE)
    window: timedelta = setting("15m", "X's rate-limit window", some_time)
    list_lag: timedelta = setting("180s", "how long X's DM list may lag behind a send")
    signature_tolerance: timedelta = setting(
        "300s",
        "how old a signature X still takes; a lost call may land this late; over OAuth 2.0 how wrong our clock may be",
    )
    unknown_after: timedelta = setting("2h", "an unclear send that X cannot clear up in this time ends 'unknown'")
    expected_per_day: int | None = setting(
        None,
        "ended conversations a day, for a fair draw when X's budget is short; else learnt",
        AN_ALLOWANCE,
    )
    webhook_user: str | None = setting(None, "Basic auth user of X's feedback webhook")
    webhook_password: str | None = setting(None, "Basic auth password of X's feedback webhook", secret=True)
    webhook_networks: tuple[str, ...] = setting(
        [], "if set, X's webhook is taken from these networks only, e.g. 199.59.148.0/22", network
    )
    webhook_signature: bool = setting(False, "also demand x-twitter-webhooks-signature")
    page_name: str | None = setting(None, "your name on the question page; else the screen name", A_TITLE)
    page_logo: str | None = setting(None, "a picture for it, .svg .png .webp or .jpg: a file, served by us")
    page_accent: str = setting("#1d5fd0", "its colour, #rrggbb; shifted where it could not be read", a_colour)
    poll_every: timedelta = setting("15m", "how often feedback/events is read", some_time)
    poll_window: timedelta = setting("6h", "how much time one poll window covers", some_time)
    events_delay: timedelta = setting("24h", "X serves events only up to this long ago")
    refresh_schedule: tuple[timedelta, ...] = setting(
        ["1h", "4h", "12h", "24h", "3d", "7d", "14d", "28d"], "when, after the card, feedback/show is asked"
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
    account: str = setting("", "the X account asked from; may be left out where there is only one")
    preset: str | None = setting(None, "a definition that comes with us; see `dm-feedback sources list`")
    keys: tuple[str, ...] = setting(
        [], "signing keys or tokens, any of which matches: new and old while one is changed", NOT_EMPTY, secret=True
    )
    language: str | None = setting(None, "language of its customers where the event names none")
    conversation_url: str | None = setting(None, "address of a conversation in the CRM, with {conversation_id}")
    definition: Mapping[str, Any] = implied(secret=True)
    api: Api | None = setting(None, "the CRM's own API, where customers are looked up")
    confirm: str = setting(
        "inbound_dm",
        "an X user whom people typed into the CRM is asked only after a DM of theirs to the account; none: always",
        one_of("inbound_dm", "none"),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """What the customer reads in one language: [campaigns.NAME.texts.LANGUAGE]."""

    opening: str | None = setting(
        None, "the opening DM; placeholders as above, and none that names an agent", A_TEXT
    )  # None where the campaign sends no opening DM
    card: str = setting(REQUIRED, "the DM the card hangs on", A_TEXT)
    quick_reply: str | None = setting(None, "the DM that options stand under, for the way 'quick_reply'", A_TEXT)
    page: str | None = setting(None, "the DM with the link, for the way 'page'; {page} stands for the link", A_TEXT)
    thanks: str | None = setting(
        None, "one more DM after a tap or a typed number; {page} for a comment, and no other placeholder", A_TEXT
    )
    question: str | None = setting(None, "the question page's own wording; else X's question, in English", A_QUESTION)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which card and texts, for which conversations: [campaigns.NAME]. Empty filters match everything."""

    name: str = implied(NAME)
    type: str = setting(REQUIRED, "which card", one_of(*CARD_TYPES))
    question_variant_id: int = setting(0, "which of X's questions: csat 0-37, nps 0-9", whole(0, 37))
    display_name: str | None = setting(None, "the name in the question; else the profile's", A_DISPLAY_NAME)
    privacy_url: str = setting(REQUIRED, "your privacy policy; the card links to it", http_url)
    test: bool = setting(False, "X keeps test cards out of its own figures, and we out of ours")
    opening: bool = setting(True, "send an opening DM before the card; false: the card's own message is the DM")
    ways: tuple[str, ...] = setting(
        ["card"], "how to ask, in order of preference: card (few apps may), quick_reply (a tap), page (a link)", A_WAY
    )
    texts: Mapping[str, Texts] = setting(REQUIRED, "texts by language", A_LANGUAGE)
    default_language: str = setting("", "the language to fall back to; else the first one written")
    sources: tuple[str, ...] = setting([], "only these sources")
    accounts: tuple[str, ...] = setting([], "only these accounts")
    teams: tuple[str, ...] = setting([], "only these teams")
    tags: tuple[str, ...] = setting([], "only conversations with one of these tags")
    without_tags: tuple[str, ...] = setting([], "no conversation with one of these tags")
    channels: tuple[str, ...] = setting([], "only these channels")
    languages: tuple[str, ...] = setting([], "only these languages")
    typed_scores: bool = setting(True, "a bare number typed first after a prompt with quick replies counts as a tap")
    delay: timedelta = setting("1m", "how long after the end we write; a reopening within it cancels")
    stale_after: timedelta = setting("24h", "conversations that ended longer ago are not asked about")
    cooldown: timedelta = setting("7d", "a customer is asked at most once in this time, by any campaign of the account")
    sample: float = setting(1.0, "share of conversations that is asked about, drawn by a keyed hash", A_SHARE)
