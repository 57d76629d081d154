"""Settings of how the service runs, and the whole: a frozen dataclass per section, one line per setting.

Never reads a file; secrets never show in a repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from datetime import timedelta
from typing import get_type_hints
from zoneinfo import ZoneInfo

from marshmallow import validate

from service.network.egress import Egress
from service.settings.asking import Account, Campaign, Source
from service.settings.declare import REQUIRED, setting
from service.settings.values import (
    DATABASE,
    NOT_EMPTY,
    Secrets,
    contact,
    http_url,
    keys_of_their_own,
    names,
    network,
    one_of,
    origin,
    our_address,
    pem,
    proxy,
    some_time,
    to_listen_on,
    whole,
)

A_SECRET = validate.Length(min=16, error="must have at least 16 characters; 32 random bytes are better")

A_COMPANY = validate.Length(1, 80, error="must have 1 to 80 characters")

STOP_WORDS = [
    "stop", "stop all", "stopall", "unsubscribe", "quit", "cancel", "end", "opt out", "opt-out", "optout", "stopp",
    "abmelden", "abbestellen", "arrêt", "arret", "arrêter", "arreter", "baja", "parar", "pare", "basta", "alto",
    "afmelden", "uitschrijven", "wypisz", "dur", "durdur", "berhenti", "стоп", "إيقاف", "ايقاف",
    "توقف", "रोकें", "रुको", "बंद करो", "बंद करें", "停止", "配信停止", "やめて", "중지",
    "그만", "수신거부", "退订", "退訂",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in the settings: where, and a sentence that says what would be right."""

    path: str
    sentence: str


class SettingsError(Exception):
    """The settings cannot be used; `problems` names every mistake, `sources` are those without one."""

    def __init__(self, problems: list[Mistake], sources: Mapping[str, Source] | None = None) -> None:
        self.said = [f"{each.path} {each.sentence}" for each in problems]
        super().__init__("; ".join(self.said))
        self.problems = problems
        self.sources = sources or {}


@dataclass(frozen=True, slots=True)
class Service:
    """Who we are: the secret key, and the address by which the world reaches us."""

    secret_key: str = setting(
        REQUIRED, "key of every keyed hash: samples, opt-outs, cursors, sessions", A_SECRET, secret=True
    )
    public_url: str = setting(
        "http://127.0.0.1:8000",
        "the address at which CRMs and X reach dm-feedback; signatures over URLs use it",
        our_address,
    )
    time_zone: ZoneInfo = setting("UTC", "time zone of days in reports (IANA name)")
    company: str | None = setting(None, "your organisation's name, printed on reports", A_COMPANY)
    log_format: str = setting("json", "json for machines, text for a terminal", one_of("json", "text"))
    outgoing_proxy: str | None = setting(
        None,
        "proxy for calls to X and CRMs, which it cannot read: http://[user:password@]proxy:3128",
        proxy,
        secret=True,
    )
    trusted_ca: str | None = setting(
        None,
        "certificate authorities (PEM) to trust besides the public ones, for X and CRMs; trusted_ca_file reads a file",
        pem,
    )
    traces_to: str | None = setting(
        None, "an OpenTelemetry collector, e.g. http://127.0.0.1:4318; needs the extra 'otel'", http_url
    )

    @property
    def egress(self) -> Egress:
        """How calls to X and CRMs leave this machine."""
        return Egress(self.outgoing_proxy, self.trusted_ca)


@dataclass(frozen=True, slots=True)
class Database:
    """Where rows live."""

    url: str = setting(
        "sqlite:///.state/dm-feedback.db",
        "sqlite:///file or postgresql://user:password@host/name",
        DATABASE,
        secret=True,
    )
    read_url: str | None = setting(
        None, "a streaming replica of the same PostgreSQL, used only for figures and exports", DATABASE, secret=True
    )
    read_behind: timedelta = setting(
        "30s", "if the replica lags more than this, database.url is read instead", some_time
    )


@dataclass(frozen=True, slots=True)
class Web:
    """How we listen."""

    bind: str = setting("127.0.0.1:8000", "host:port to listen on", to_listen_on)
    workers: int = setting(2, "gunicorn processes", whole(1, 64))
    threads: int = setting(4, "threads in each process", whole(1, 64))
    max_body_bytes: int = setting(1_048_576, "largest webhook body; more is answered 413", whole(1024, 16_777_216))
    trusted_proxies: int = setting(
        0, "how many reverse proxies are in front of dm-feedback; with 0 no forwarded header is trusted", whole(0, 8)
    )
    proxy_networks: tuple[str, ...] = setting(
        [], "if set, forwarded headers are trusted only from these networks, e.g. 10.0.0.0/8", network
    )
    origins: tuple[str, ...] = setting(
        [], "origins whose pages may read the API from a browser, e.g. https://board.example.com", origin
    )
    requests_per_minute: int = setting(600, "API calls per key and minute; more is answered 429", whole(1, 1_000_000))
    session_idle: timedelta = setting("30m", "a dashboard session ends after this time without a click", some_time)
    security_contact: str | None = setting(
        None, "mailto: or https: address for reporting vulnerabilities; published in /.well-known/security.txt", contact
    )
    secure_cookies: bool = setting(True, "send cookies only over https; set false only to try things on one machine")


@dataclass(frozen=True, slots=True)
class Worker:
    """How the worker works. `lease` must outlast the slowest X call."""

    concurrency: int = setting(8, "X calls in flight at once in one worker", whole(1, 128))
    lease: timedelta = setting(
        "60s", "how long a worker's claim lasts; after that, other workers take over a dead worker's requests"
    )
    idle: timedelta = setting("500ms", "how long the worker sleeps when nothing is due", some_time)
    shutdown_within: timedelta = setting("20s", "how long a stopping worker may finish its calls")
    max_attempts: int = setting(12, "failed attempts in one state before a request fails", whole(1, 100))
    give_up_after: timedelta = setting(
        "3d", "a request fails if it could not be sent this long after the conversation ended, or after its opening"
    )
    metrics_bind: str | None = setting(
        None,
        "host:port of the worker's own /metrics, off by default; with several workers the first one uses it",
        to_listen_on,
    )


@dataclass(frozen=True, slots=True)
class Privacy:
    """How long each kind of data is kept, and what erasing a person leaves."""

    keep_deliveries: timedelta = setting("30d", "raw webhook bodies")
    keep_texts: timedelta = setting("730d", "what customers wrote")
    keep_identities: timedelta = setting(
        "180d",
        "X user ids, handles and the CRM's customer ids on requests; never shorter than a cooldown. A keyed hash of "
        "the X id stays",
    )
    keep_history: timedelta = setting("365d", "history of requests, and replaced answers")
    keep_access_log: timedelta = setting("730d", "who read what")
    keep_repeats: timedelta = setting(
        "180d", "keys that recognise repeated deliveries that led to no request; with `db partition`, of all deliveries"
    )
    stop_words: tuple[str, ...] = setting(
        STOP_WORDS,
        "a DM that consists of just one of these (upper or lower case) puts its sender on the opt-out list",
        NOT_EMPTY,
    )
    erase_scores: bool = setting(False, "erasing a person also removes the score, not only text and identity")
    encryption_key: Secrets = setting(
        [], "encrypts comments, notes, DMs, raw deliveries, ids and names at rest, from `dm-feedback privacy encrypt` "
            "on; to change it, list new and old", keys_of_their_own, secret=True
    )  # fmt: skip
    erase_by_two: bool = setting(False, "erasing a person over the API needs two people with keys, within a week")


@dataclass(frozen=True, slots=True)
class Reports:
    """Small-group thresholds and the answer window."""

    min_score_n: int = setting(5, "with fewer answers than this, the score is hidden", whole(3, 100))
    min_comments_n: int = setting(8, "comments of an agent with fewer answers than this are hidden", whole(3, 100))
    min_ranking_n: int = setting(
        30, "with fewer answers than this, nobody is ranked and a figure is marked 'low base'", whole(5, 10_000)
    )
    smallest_difference: int = setting(
        5, "in points: a difference that is certainly smaller than this, up or down, is 'about the same'", whole(1, 50)
    )
    answer_window: timedelta = setting(
        "28d", "later answers are kept, but after this time a card no longer counts as outstanding", some_time
    )
    embargo: str = setting(
        "none", "next_day: an answer is shown from the day after it came", one_of("none", "next_day")
    )


@dataclass(frozen=True, slots=True)
class StaffNames:
    """Names of staff, from the beginning; use `people import` for a name with a date or for one account."""

    agents: Mapping[str, str] = setting({}, 'names of agents by the CRM\'s id: "8812" = "Ana Kim"', names)
    teams: Mapping[str, str] = setting({}, "names of teams by the CRM's id", names)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator decided."""

    service: Service
    database: Database
    web: Web
    worker: Worker
    privacy: Privacy
    reports: Reports
    people: StaffNames
    accounts: Mapping[str, Account]
    sources: Mapping[str, Source]
    campaigns: tuple[Campaign, ...]


SECTIONS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(Settings).items() if isinstance(kind, type) and is_dataclass(kind)
}
NAMED_SECTIONS: dict[str, type] = {"accounts": Account, "sources": Source, "campaigns": Campaign}
