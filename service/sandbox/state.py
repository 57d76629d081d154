"""Everything a sandbox remembers, in plain dataclasses under one lock. In memory only; gone when it stops.

The other files read and write the `World` while they hold `world.lock`. It does nothing by itself.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from service.sandbox.clock import Clock, Snowflakes
from service.sandbox.config import BusinessAccount, SandboxConfig
from service.sandbox.oauth import Nonces

#: Counters are kept by (user_id, endpoint) or (user_id, other user_id).
Key = tuple[str, str]
#: One event: its time, a number that grows, the card, and feedback.created or feedback.updated. Sorts by time.
Event = tuple[int, int, int, str]


@dataclass(slots=True, kw_only=True)
class Action:
    """One thing a scripted customer does, `after_s` after the card or the quick replies arrived.

    `score` may be "random"; so may `tap`, which else is the number of the option, from 0.
    """

    after_s: float
    score: int | str | None = None
    text: str | None = None
    dismiss: bool = False
    dm: str | None = None
    tap: int | str | None = None
    page: bool = False  # score and text are given on the page that a DM links to, not on a card


@dataclass(slots=True, kw_only=True)
class Person:
    """A user of this X: a customer, or an account itself. `can_dm` None: the field is missing for them."""

    user_id: str
    screen_name: str
    name: str
    can_dm: bool | None = True
    dm_error: str | None = None
    protected: bool = False
    suspended: bool = False
    script: tuple[Action, ...] = ()
    is_account: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """A DM. `via` is dm, card or customer; `visible_ms` is when the list starts to show it.

    `options` are quick replies under it, label and metadata each; `tapped` is the metadata of the one that made it.
    """

    id: int
    at_ms: int
    sender: str
    recipient: str
    text: str
    via: str
    visible_ms: int
    options: tuple[tuple[str, str], ...] = ()
    tapped: str | None = None


@dataclass(slots=True, kw_only=True)
class Visit:
    """Somebody opened the link of a DM. Without score and text it was a preview; a status 0: nobody answered."""

    link: str
    user_id: str
    at_ms: int
    score: int | None = None
    text: str | None = None
    statuses: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class StoredCard:
    """A feedback request as X stores it, with every update."""

    id: int
    at_ms: int
    type: str
    sender: str
    recipient: str
    dm_id: int
    privacy_url: str
    external_id: str | None
    question_variant_id: int
    display_name: str | None
    test: bool
    expires_ms: int | None
    score: int | None = None
    score_ms: int = 0
    text: str | None = None
    text_ms: int = 0
    dismissed_ms: int | None = None
    updates: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and what was answered; status None: no answer was sent (yet)."""

    id: int
    at_ms: int
    endpoint: str
    method: str
    account: str | None = None
    recipient: str | None = None
    status: int | None = None
    code: int | None = None
    fault: str | None = None
    committed: str | None = None


@dataclass(slots=True, kw_only=True)
class Push:
    """One webhook delivery, `to` an account's `feedback` webhook or its app's `activity`.

    `outcome`: queued, lost, delivered, refused, unreachable.
    """

    id: int
    at_ms: int
    account: str
    card_id: int
    event_type: str
    body: bytes
    to: str = "feedback"
    fault: str | None = None
    outcome: str = "queued"
    status: int | None = None
    attempts: int = 0


@dataclass(slots=True)
class Hook:
    """Where an account's pushes go."""

    url: str | None
    user: str | None
    password: str | None
    activity_url: str | None = None


@dataclass(slots=True, kw_only=True)
class PushMode:
    """Probabilities of what goes wrong with pushes; seconds are of the sandbox clock."""

    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    delay_s: tuple[float, float] = (1.0, 60.0)
    reorder: float = 0.0


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault to inject; see faults.py."""

    id: int
    fault: str
    endpoint: str = "*"
    recipient: str | None = None
    account: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    status: int | None = None
    code: int | None = None
    message: str | None = None
    seconds: float = 0.0
    when: str | None = None
    headers: bool = True
    reset_in_s: float = 900.0
    retry_after_s: float | None = None
    how: str = "reset"
    hits: int = 0


@dataclass(slots=True)
class EventCursor:
    """A page to come of feedback/events: its range, how many events were given, and which page it is."""

    account: str
    from_ms: int
    to_ms: int
    given: int
    page: int


@dataclass(slots=True)
class SignIns:
    """OAuth 2.0: codes (user, challenge, redirect), access tokens (user, until in ms), refresh tokens, good once."""

    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    access: dict[str, tuple[str, int]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)


class World:
    """One sandbox's memory."""

    def __init__(self, config: SandboxConfig, wall: Callable[[], float] = time.time) -> None:
        self.config = config
        self.wall = wall
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.know(config.accounts)
        self.nonces = Nonces()
        self.outbox: SimpleQueue[Push | None] = SimpleQueue()
        self.push_threads: list[threading.Thread] = []
        self.visitors = ThreadPoolExecutor(4, thread_name_prefix="sandbox-visit")
        self.released = threading.Event()
        self.clear(keep=frozenset())

    def clear(self, keep: frozenset[str]) -> None:
        """Forget everything but what `keep` names: clock, assumptions, customers, faults, webhooks."""
        config = self.config
        self.released.set()  # whoever hangs in a fault of the old world is let go
        self.released = threading.Event()
        self.rng = random.Random(config.seed)  # noqa: S311 - dice, repeatable on purpose
        if "clock" not in keep or not hasattr(self, "clock"):
            self.clock = Clock(config.start_at_s, config.speed, self.wall)
            self.ids = Snowflakes()
        if "assumptions" not in keep or not hasattr(self, "assumptions"):
            self.assumptions = config.assumptions
            self.default_profile: dict[str, Any] = dict(config.default_profile)
        if "customers" not in keep or not hasattr(self, "people"):
            self.people: dict[str, Person] = {}
            self.names: dict[str, str] = {}
        for account in config.accounts:
            self._enter(account)
        if "faults" not in keep or not hasattr(self, "rules"):
            self.rules: list[Rule] = []
        if "webhooks" not in keep or not hasattr(self, "hooks"):
            self.hooks = {
                one.user_id: Hook(one.webhook_url, one.webhook_user, one.webhook_password, one.activity_url)
                for one in config.accounts
            }
            self.push_mode = PushMode()
        if not hasattr(self, "sign_ins"):  # who is signed in stays so, whatever is forgotten
            self.sign_ins = SignIns()
        self._clear_history()

    def _clear_history(self) -> None:
        self.messages: dict[int, Message] = {}
        self.mailbox: defaultdict[str, list[int]] = defaultdict(list)
        self.cards: dict[int, StoredCard] = {}
        self.cards_to: defaultdict[str, list[StoredCard]] = defaultdict(list)
        self.events: defaultdict[str, list[Event]] = defaultdict(list)
        self.event_cursors: dict[str, EventCursor] = {}
        self.list_cursors: dict[str, tuple[str, int, int]] = {}
        self.requests: list[Exchange] = []
        self.pushes: list[Push] = []
        self.visits: list[Visit] = []
        self.held: Push | None = None
        self.script_errors: list[dict[str, object]] = []
        self.windows: dict[Key, list[int]] = {}
        self.sent: defaultdict[Key, deque[int]] = defaultdict(deque)
        self.replies: dict[Key, list[int]] = {}
        self.agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self.alternation = False
        self.counter = 0

    def know(self, accounts: Iterable[BusinessAccount]) -> None:
        """Know business accounts, by these credentials and by no others."""
        self.accounts: dict[str, BusinessAccount] = {one.user_id: one for one in accounts}
        self.by_token: dict[str, BusinessAccount] = {one.token: one for one in self.accounts.values()}
        self.consumers = {one.consumer_key: one.consumer_secret for one in self.accounts.values()}

    def next_number(self) -> int:
        """The next small number; requests, pushes, rules, agenda entries and cursors take theirs here."""
        self.counter += 1
        return self.counter

    def _enter(self, account: BusinessAccount) -> None:
        self.people[account.user_id] = Person(
            user_id=account.user_id, screen_name=account.screen_name, name=account.name, is_account=True
        )
        self.names[account.screen_name.lower()] = account.user_id
