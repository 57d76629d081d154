"""The grammar of the settings file: in, the tables of the TOML; out, the shapes, or every mistake with its path.

One marshmallow schema a table; each field carries the sentence that stands in the README's reference. Never reads a
file or the environment.
"""

import re
from datetime import time, timedelta
from ipaddress import ip_network
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from service.settings.shapes import (
    Account,
    Campaign,
    Database,
    Privacy,
    Reports,
    Service,
    Source,
    Texts,
    Web,
    Worker,
)

NAME = validate.Regexp(
    r"^[a-z][a-z0-9_-]{0,63}\Z",
    error="names are lower-case letters, digits, '-' and '_', at most 64, first a letter",
)
BIND = validate.Regexp(
    r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*):[0-9]{1,5}\Z", error="must be host:port, such as '127.0.0.1:8000'"
)
X_USER_ID = validate.Regexp(r"^[0-9]{1,19}\Z", error="an X user id is 1 to 19 digits, written as a string")
LONGEST = timedelta(days=36_500)  # a date that lies further back than year 1 cannot be reckoned with
UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(fields.Field[timedelta]):
    """A span of time: a number and a unit, such as `90s`, `5m`, `24h`, `7d`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> timedelta:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("a span of time is a number and a unit, such as '90s', '5m', '24h' or '7d'")
        seconds = float(match[1]) * UNIT_SECONDS[match[2]]
        if seconds > LONGEST.total_seconds():
            raise ValidationError(f"a span of time is at most {LONGEST.days}d")
        return timedelta(seconds=seconds)


class Zone(fields.Field[ZoneInfo]):
    """A time zone by its IANA name."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> ZoneInfo:
        if not isinstance(value, str) or value not in available_timezones():
            raise ValidationError("no such time zone; write an IANA name such as 'Europe/Berlin' or 'UTC'")
        return ZoneInfo(value)


class QuietHours(fields.Field[tuple[time, time]]):
    """Two times of day between which nobody is written to, such as `["21:00", "08:00"]`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[time, time]:
        try:
            start, end = (each if isinstance(each, time) else time.fromisoformat(each) for each in _listed(value))
        except (TypeError, ValueError) as error:
            raise ValidationError('quiet hours are two times of day, such as ["21:00", "08:00"]') from error
        if start.tzinfo or end.tzinfo:
            raise ValidationError("quiet hours are times of the account's time_zone; write them without an offset")
        if start == end:
            raise ValidationError("quiet hours that start when they end are the whole day; leave them out instead")
        return start, end


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return list(value)


def _names(description: str) -> fields.Field[Any]:
    return fields.List(fields.String(), load_default=(), metadata={"description": description})


def _span(default: str, description: str, *, none: bool = True) -> Duration:
    """A span with a default; with `none=False` it cannot be 0, for what would turn on the spot."""
    return Duration(
        load_default=Duration().deserialize(default),
        validate=[] if none else _longer_than_nothing,
        metadata={"description": description, "shown": default},
    )


def _longer_than_nothing(value: timedelta) -> None:
    if not value:
        raise ValidationError("must be longer than nothing")


def _count(default: int, low: int, high: int, description: str) -> fields.Field[Any]:
    rule = validate.Range(low, high, error="must be a whole number from {min} to {max}")
    return fields.Integer(strict=True, load_default=default, validate=rule, metadata={"description": description})


def _secret(description: str) -> fields.Field[Any]:
    return fields.String(
        required=True, validate=validate.Length(min=1), metadata={"description": description, "secret": True}
    )


def _http_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a host or port that is none
        right = False
    if not right or not value.isprintable() or " " in value:
        raise ValidationError("must be a full address such as 'https://feedback.example.com'")


def _network(value: str) -> None:
    try:
        ip_network(value, strict=False)
    except ValueError as error:
        raise ValidationError("is no network; write one such as '199.59.148.0/22'") from error


class Section(Schema):
    """One table of the file; loads to the dataclass named by `shape`. Unknown settings are mistakes."""

    shape: ClassVar[type[Any]]
    error_messages = {"unknown": "no such setting; `dm-feedback config reference` lists them all"}  # noqa: RUF012 - marshmallow's own attribute

    class Meta:
        """Unknown keys are errors: a misspelt setting must not be silently without effect."""

        unknown = RAISE

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the frozen dataclass of this section."""
        return self.shape(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


class ServiceSection(Section):
    """[service]."""

    shape = Service
    secret_key = fields.String(
        required=True,
        validate=validate.Length(min=16, error="must have at least 16 characters; 32 random bytes are better"),
        metadata={
            "description": "behind every keyed hash: samples, opt-outs, cursors, sessions",
            "secret": True,
        },
    )
    public_url = fields.String(
        load_default="http://127.0.0.1:8000",
        validate=_http_url,
        metadata={"description": "the address by which CRMs and X reach us; signatures over URLs use it"},
    )
    time_zone = Zone(
        load_default=ZoneInfo("UTC"),
        metadata={"description": "zone of days in reports, by IANA name", "shown": "UTC"},
    )
    log_format = fields.String(
        load_default="json",
        validate=validate.OneOf(["json", "text"], error="must be 'json' or 'text'"),
        metadata={"description": "json for machines, text for a terminal"},
    )


class DatabaseSection(Section):
    """[database]."""

    shape = Database
    url = fields.String(
        load_default="sqlite:///.state/dm-feedback.db",
        validate=validate.Regexp(
            r"^(sqlite:///(?!:memory:).|postgresql(\+psycopg)?://.)",
            error="must be sqlite:/// and a file, or postgresql:// and a server",
        ),
        metadata={"description": "sqlite:///file or postgresql://user:password@host/name"},
    )


class WebSection(Section):
    """[web]."""

    shape = Web
    bind = fields.String(
        load_default="127.0.0.1:8000", validate=BIND, metadata={"description": "host:port we listen on"}
    )
    workers = _count(2, 1, 64, "gunicorn processes")
    threads = _count(4, 1, 64, "threads in each process")
    max_body_bytes = _count(1_048_576, 1024, 16_777_216, "largest webhook body; more is answered 413")
    trusted_proxies = _count(0, 0, 8, "how many reverse proxies stand before us; 0 trusts no forwarded header")
    requests_per_minute = _count(600, 1, 1_000_000, "API calls per key and minute; more is answered 429")
    session_idle = _span("30m", "a dashboard session ends after this time without a click", none=False)
    secure_cookies = fields.Boolean(
        load_default=True,
        metadata={"description": "cookies only over https; false only for trying on one machine"},
    )


class WorkerSection(Section):
    """[worker]."""

    shape = Worker
    concurrency = _count(8, 1, 128, "X calls in flight at once in one worker")
    lease = _span("60s", "how long a claim lasts; a dead worker's rows are taken over after it")
    idle = _span("500ms", "how long the worker sleeps when nothing is due", none=False)
    shutdown_within = _span("20s", "how long a stopping worker may finish its calls")
    max_attempts = _count(12, 1, 100, "failed attempts in one state before a request fails")
    give_up_after = _span("3d", "a request that could not be sent for this long after its end fails")
    metrics_bind = fields.String(
        load_default=None,
        allow_none=True,
        validate=BIND,
        metadata={"description": "host:port of the worker's own /metrics; off by default"},
    )


class PrivacySection(Section):
    """[privacy]."""

    shape = Privacy
    keep_deliveries = _span("30d", "raw webhook bodies")
    keep_texts = _span("730d", "what customers wrote")
    keep_identities = _span("180d", "X user ids and handles on requests; their keyed hash stays")
    keep_history = _span("365d", "transitions and superseded updates")
    keep_access_log = _span("730d", "who read what")
    erase_scores = fields.Boolean(
        load_default=False,
        metadata={"description": "erasing a person removes the score too, not only text and identity"},
    )


class ReportsSection(Section):
    """[reports]."""

    shape = Reports
    min_score_n = _count(5, 3, 100, "scores of fewer answers are hidden")
    min_comments_n = _count(8, 3, 100, "comments of an agent with fewer answers are hidden")
    min_ranking_n = _count(30, 5, 10_000, "nobody is ranked, and a figure is marked 'low base', below this")
    answer_window = _span("28d", "answers later than this after the card are kept but not counted as outstanding")
    embargo = fields.String(
        load_default="none",
        validate=validate.OneOf(["none", "next_day"], error="must be 'none' or 'next_day'"),
        metadata={"description": "next_day shows an answer from the day after it came"},
    )


class AccountSection(Section):
    """[accounts.NAME]."""

    shape = Account
    name = fields.String(
        required=True, validate=NAME, metadata={"description": "the table's own name", "implied": True}
    )
    user_id = fields.String(required=True, validate=X_USER_ID, metadata={"description": "the account's numeric X id"})
    screen_name = fields.String(load_default="", metadata={"description": "its handle, for people"})
    base_url = fields.String(
        load_default="https://api.twitter.com",
        validate=_http_url,
        metadata={"description": "X's host, or the sandbox's; signatures cover it"},
    )
    consumer_key = _secret("the app's key")
    consumer_secret = _secret("the app's secret; also signs X's webhooks")
    token = _secret("the account's access token")
    token_secret = _secret("the account's access token secret")
    time_zone = Zone(load_default=ZoneInfo("UTC"), metadata={"description": "zone of its quiet hours", "shown": "UTC"})
    quiet_hours = QuietHours(
        load_default=None,
        metadata={"description": 'no writing then; a card may follow its opening for 15 min; e.g. ["21:00", "08:00"]'},
    )
    cards_per_day = _count(1000, 1, 1_000_000, "X's limit of cards in rolling 24 h")
    dms_per_day = _count(1000, 1, 1_000_000, "X's limit of DMs in rolling 24 h")
    lookups_per_window = _count(15, 1, 1_000_000, "X's limit of DM-list calls per window")
    window = _span("15m", "X's rate-limit window", none=False)
    list_lag = _span("180s", "how long X's DM list may lag behind a send")
    signature_tolerance = _span("300s", "how old a signature X still takes; a lost call may land this late")
    unknown_after = _span("2h", "an unclear send that X cannot clear up in this time ends 'unknown'")
    expected_per_day = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=1),
        metadata={"description": "ended conversations a day, for a fair draw when X's budget is short; else learnt"},
    )
    webhook_user = fields.String(load_default=None, metadata={"description": "Basic auth user of X's feedback webhook"})
    webhook_password = fields.String(
        load_default=None,
        metadata={"description": "Basic auth password of X's feedback webhook", "secret": True},
    )
    webhook_networks = fields.List(
        fields.String(validate=_network),
        load_default=(),
        metadata={"description": "if set, X's webhook is taken from these networks only, e.g. 199.59.148.0/22"},
    )
    webhook_signature = fields.Boolean(
        load_default=False, metadata={"description": "also demand x-twitter-webhooks-signature"}
    )
    poll_every = _span("15m", "how often feedback/events is read", none=False)
    poll_window = _span("6h", "how much time one poll window covers", none=False)
    events_delay = _span("24h", "X serves events only up to this long ago")
    refresh_schedule = fields.List(
        Duration(),
        load_default=[timedelta(hours=h) for h in (1, 4, 12, 24, 72, 168, 336, 672)],
        metadata={
            "description": "when, after the card, feedback/show is asked",
            "shown": "1h, 4h, 12h, 24h, 3d, 7d, 14d, 28d",
        },
    )


class SourceSection(Section):
    """[sources.NAME]. Everything not named here belongs to the definition grammar."""

    shape = Source
    name = fields.String(
        required=True, validate=NAME, metadata={"description": "the table's own name", "implied": True}
    )
    account = fields.String(
        load_default="",
        metadata={"description": "the X account asked from; may be left out where there is only one"},
    )
    preset = fields.String(
        load_default=None,
        metadata={"description": "a definition that comes with us; see `dm-feedback sources list`"},
    )
    keys = fields.List(
        fields.String(validate=validate.Length(min=1)),
        load_default=(),
        metadata={
            "description": "signing keys or tokens, any of which matches: new and old while one is changed",
            "secret": True,
        },
    )
    language = fields.String(
        load_default=None, metadata={"description": "language of its customers where the event names none"}
    )
    conversation_url = fields.String(
        load_default=None,
        metadata={"description": "address of a conversation in the CRM, with {conversation_id}"},
    )
    definition = fields.Dict(required=True, metadata={"description": "the definition grammar", "implied": True})


class TextsSection(Section):
    """[campaigns.NAME.texts.LANGUAGE]."""

    shape = Texts
    opening = fields.String(
        load_default=None,
        validate=validate.Length(1, 10_000, error="must have 1 to 10,000 characters"),
        metadata={"description": "the opening DM; placeholders as above, and none that names an agent"},
    )
    card = fields.String(
        required=True,
        validate=validate.Length(1, 10_000, error="must have 1 to 10,000 characters"),
        metadata={"description": "the DM the card hangs on"},
    )


class CampaignSection(Section):
    """[campaigns.NAME]."""

    shape = Campaign
    name = fields.String(
        required=True, validate=NAME, metadata={"description": "the table's own name", "implied": True}
    )
    type = fields.String(
        required=True,
        validate=validate.OneOf(["csat", "nps"], error="must be 'csat' or 'nps'"),
        metadata={"description": "which card"},
    )
    question_variant_id = _count(0, 0, 37, "which of X's questions: csat 0-37, nps 0-9")
    display_name = fields.String(
        load_default=None,
        validate=validate.Length(1, 20, error="must have 1 to 20 characters: X's card has no room for more"),
        metadata={"description": "the name in the question; else the profile's"},
    )
    privacy_url = fields.String(
        required=True,
        validate=_http_url,
        metadata={"description": "your privacy policy; the card links to it"},
    )
    test = fields.Boolean(
        load_default=False,
        metadata={"description": "X keeps test cards out of its own figures, and we out of ours"},
    )
    opening = fields.Boolean(
        load_default=True,
        metadata={"description": "send an opening DM before the card; false: the card's own message is the DM"},
    )
    texts = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(TextsSection),
        required=True,
        validate=validate.Length(min=1, error="write at least one language, e.g. [campaigns.NAME.texts.en]"),
        metadata={"description": "texts by language"},
    )
    default_language = fields.String(
        load_default="", metadata={"description": "the language to fall back to; else the first one written"}
    )
    sources = _names("only these sources")
    accounts = _names("only these accounts")
    teams = _names("only these teams")
    tags = _names("only conversations with one of these tags")
    without_tags = _names("no conversation with one of these tags")
    channels = _names("only these channels")
    languages = _names("only these languages")
    delay = _span("1m", "how long after the end we write; a reopening within it cancels")
    stale_after = _span("24h", "conversations that ended longer ago are not asked about")
    cooldown = _span("7d", "a customer is asked at most once in this time, by any campaign of the account")
    sample = fields.Float(
        load_default=1.0,
        validate=validate.Range(0, 1, error="must be a share from 0.0 to 1.0"),
        metadata={"description": "share of conversations that is asked about, drawn by a keyed hash"},
    )


SECTIONS: dict[str, type[Section]] = {
    "service": ServiceSection,
    "database": DatabaseSection,
    "web": WebSection,
    "worker": WorkerSection,
    "privacy": PrivacySection,
    "reports": ReportsSection,
}
NAMED_SECTIONS: dict[str, type[Section]] = {
    "accounts": AccountSection,
    "sources": SourceSection,
    "campaigns": CampaignSection,
}
SOURCE_FIELDS = {"account", "preset", "keys", "language", "conversation_url"}
