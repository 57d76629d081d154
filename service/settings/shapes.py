"""What the rest of the service sees of the settings: frozen dataclasses, one a section of the file.

In: validated values; out: attributes. Never validates, never reads a file, never shows a secret in its repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the settings: where, and a sentence that says what would be right."""

    path: str
    sentence: str


class SettingsError(Exception):
    """The settings cannot be used; `problems` names every mistake, `sources` what is left of them without one."""

    def __init__(self, problems: list[Problem], sources: "Mapping[str, Source] | None" = None) -> None:
        super().__init__("; ".join(f"{p.path}: {p.sentence}" for p in problems))
        self.problems = problems
        self.sources = sources or {}


@dataclass(frozen=True, slots=True)
class Service:
    """Who we are: the key behind every keyed hash, and the address by which the world reaches us."""

    secret_key: str = field(repr=False)
    public_url: str
    time_zone: ZoneInfo
    log_format: str


@dataclass(frozen=True, slots=True)
class Database:
    """Where rows live."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Web:
    """How we listen."""

    bind: str
    workers: int
    threads: int
    max_body_bytes: int
    trusted_proxies: int
    requests_per_minute: int
    session_idle: timedelta
    secure_cookies: bool


@dataclass(frozen=True, slots=True)
class Worker:
    """How the worker goes about its rows. `lease` must outlast the slowest X call."""

    concurrency: int
    lease: timedelta
    idle: timedelta
    shutdown_within: timedelta
    max_attempts: int
    give_up_after: timedelta
    metrics_bind: str | None


@dataclass(frozen=True, slots=True)
class Privacy:
    """How long each kind of data is kept, and what erasing a person leaves. None: kept for ever."""

    keep_deliveries: timedelta
    keep_texts: timedelta
    keep_identities: timedelta
    keep_history: timedelta
    keep_access_log: timedelta
    erase_scores: bool


@dataclass(frozen=True, slots=True)
class Reports:
    """Small-group thresholds and the answer window."""

    min_score_n: int
    min_comments_n: int
    min_ranking_n: int
    answer_window: timedelta
    embargo: str  # none | next_day


@dataclass(frozen=True, slots=True)
class Account:
    """One X account that writes to customers."""

    name: str
    user_id: str
    screen_name: str
    base_url: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    token: str = field(repr=False)
    token_secret: str = field(repr=False)
    time_zone: ZoneInfo
    quiet_hours: tuple[time, time] | None
    cards_per_day: int
    dms_per_day: int
    lookups_per_window: int
    window: timedelta
    list_lag: timedelta
    signature_tolerance: timedelta
    unknown_after: timedelta
    expected_per_day: int | None
    webhook_user: str | None
    webhook_password: str | None = field(repr=False)
    webhook_networks: tuple[str, ...]
    webhook_signature: bool
    poll_every: timedelta
    poll_window: timedelta
    events_delay: timedelta
    refresh_schedule: tuple[timedelta, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One CRM that calls us. `definition` is the raw grammar of crm definitions; intake compiles it."""

    name: str
    account: str
    preset: str | None
    keys: tuple[str, ...] = field(repr=False)
    language: str | None
    conversation_url: str | None
    definition: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Texts:
    """What the customer reads, in one language. `opening` is None where the campaign sends no opening DM."""

    opening: str | None
    card: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which card, which texts, for which conversations. Empty filters take everything."""

    name: str
    type: str
    question_variant_id: int
    display_name: str | None
    privacy_url: str
    test: bool
    opening: bool
    texts: Mapping[str, Texts]
    default_language: str
    sources: tuple[str, ...]
    accounts: tuple[str, ...]
    teams: tuple[str, ...]
    tags: tuple[str, ...]
    without_tags: tuple[str, ...]
    channels: tuple[str, ...]
    languages: tuple[str, ...]
    delay: timedelta
    stale_after: timedelta
    cooldown: timedelta
    sample: float


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator decided."""

    service: Service
    database: Database
    web: Web
    worker: Worker
    privacy: Privacy
    reports: Reports
    accounts: Mapping[str, Account]
    sources: Mapping[str, Source]
    campaigns: tuple[Campaign, ...]
    warnings: tuple[Problem, ...] = ()
