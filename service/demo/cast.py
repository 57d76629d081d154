"""The customers of the play: what each answers, and what X does to their messages.

Each is there for one reason, which stands beside them; the crowd makes the figures. Knows nothing of HTTP or the clock:
all seconds count from the arrival of a card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST_ID = 1_529_400_000_000_000_001  # beyond 2**53: an id that passes through a float somewhere is another id
CARE, SHOP, HELP, WEB = "care", "shop", "help", "web"
Action = Mapping[str, Any]
DM, CARD, USER = "direct_messages/events/new", "feedback/create", "users/show"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who served the customer."""

    id: str
    team: str
    account: str


AGENTS = (
    Agent("ana", "billing", CARE), Agent("ben", "billing", CARE), Agent("chi", "delivery", CARE),
    Agent("eve", "shop-floor", SHOP),
)  # fmt: skip
LIV, MAX = Agent("liv", "help-desk", HELP), Agent("max", "web-shop", WEB)
#: Each with so few answers that no page may show their score, together with enough for their team's.
RARE, RARE_TOO = Agent("gus", "key-accounts", CARE), Agent("hal", "key-accounts", CARE)


@dataclass(frozen=True, slots=True)
class Customer:
    """One person on X. `why` is their part in the story; `profile` and `fault` are the sandbox's words."""

    number: int
    name: str
    why: str
    agent: Agent
    script: tuple[Action, ...] = ()
    profile: Mapping[str, Any] = field(default_factory=dict)
    fault: Mapping[str, Any] | None = None
    known_by: str = "id"  # id | handle | url | crm | nothing
    tags: tuple[str, ...] = ()
    language: str | None = None

    @property
    def user_id(self) -> str:
        """Their id at X."""
        return str(FIRST_ID + self.number)

    @property
    def crm_id(self) -> str:
        """The CRM's own word for them."""
        return f"cust-{self.number}"

    @property
    def handle(self) -> str:
        """Their name at X, at most 15 characters."""
        return f"{self.name.lower()}_{self.number}"[:15]

    @property
    def at_x(self) -> dict[str, Any]:
        """The profile as the sandbox takes it."""
        return {
            "user_id": self.user_id, "screen_name": self.handle, "name": self.name, "script": list(self.script),
            **self.profile,
        }  # fmt: skip

    @property
    def answers(self) -> tuple[bool, bool]:
        """Whether they answer with a score, and with a text, whichever way they are asked."""
        return any(SCORES & each.keys() for each in self.script), any("text" in each for each in self.script)

    @property
    def account(self) -> str:
        """The X account that would write to them."""
        return self.agent.account


SCORES = frozenset({"score", "tap", "dm"})
"""What a script says of a score: on a card or a page, by a tap, or typed as a message."""

CSAT = (5, 4, 5, 3, 4, 5, 2, 5, 4, 1, 5, 4)
NPS = (10, 9, 8, 10, 6, 9, 7, 10, 3, 9, 8, 10)
TEXTS = (
    "Quick and friendly, thank you.", "It took two attempts, but it works now.", "Nobody told me why it was late.",
    "Danke, super schnell! 🙌", "Solved in one message.", "=1+1 is how my invoice looked, honestly",
)  # fmt: skip
NAMES = (
    "Ada", "Bo", "Cleo", "Dara", "Edda", "Finn", "Gia", "Hugo", "Ines", "Jon", "Kaia", "Leo", "Mina", "Nils", "Oona",
    "Paul", "Quin", "Rosa", "Sven", "Tara", "Ugo", "Vera", "Wim", "Xenia", "Yara", "Zoe",
)  # fmt: skip


def crowd(size: int) -> Iterator[Customer]:
    """Ordinary customers, all behaviours and agents in turn."""
    for n in range(size):
        agent = AGENTS[n % len(AGENTS)]
        score = (NPS if agent.account == SHOP else CSAT)[n // len(AGENTS) % len(CSAT)]
        why, script = BEHAVIOURS[n % len(BEHAVIOURS)](score, TEXTS[n % len(TEXTS)])
        yield Customer(100 + n, NAMES[n % len(NAMES)], why, agent, script)


BEHAVIOURS = (
    lambda score, _: ("answers with a score", ({"after_s": 1.2, "score": score},)),
    lambda score, text: (
        "gives a score, comments later",
        ({"after_s": 0.8, "score": score}, {"after_s": 3, "text": text}),
    ),
    lambda score, text: (
        "comments first, then gives a score",
        ({"after_s": 1, "text": text}, {"after_s": 2.6, "score": score}),
    ),
    lambda score, _: ("answers with a score", ({"after_s": 1.6, "score": score},)),
    lambda score, text: ("gives score and comment together", ({"after_s": 1.4, "score": score, "text": text},)),
    lambda score, _: ("answers late", ({"after_s": 7, "score": score},)),
    lambda *_: ("never answers", ()),
    lambda *_: ("dismisses the card", ({"after_s": 1, "dismiss": True},)),
    lambda score, text: (
        "gives a score, comments later",
        ({"after_s": 1, "score": score}, {"after_s": 4, "text": text}),
    ),
)

_SCORE = ({"after_s": 1, "score": 4},)
_NINE = ({"after_s": 1, "score": 9},)
A, B, C, E = AGENTS

#: Not asked, each for one reason.
CLOSED = Customer(1, "Clara", "does not accept DMs from this account", A, profile={"can_dm": False})
SHUT = Customer(2, "Shaun", "does not accept DMs from this account", E, profile={"can_dm": False})
REFUSING = Customer(3, "Rita", "X permits the DM, then refuses it", B, profile={"dm_error": "403/349"})
SUSPENDED = Customer(4, "Sam", "suspended by X", C, profile={"suspended": True})
NAMELESS = Customer(5, "Nemo", "the CRM has no X user for this customer", C, known_by="nothing")
GHOST = Customer(6, "Ghost", "the handle does not exist (any more)", C, known_by="handle")
OPTED_OUT = Customer(7, "Otto", "does not want to be asked", A, _SCORE)
STALE = Customer(8, "Stella", "ended two days ago", B, _SCORE)
EXCLUDED = Customer(9, "Exa", "tagged no-survey", B, _SCORE, tags=("no-survey",))

#: Asked, with something to it.
TWICE = Customer(20, "Toni", "two conversations within the cooldown", C, _SCORE)
RETURNING = Customer(21, "Reto", "reopened before anything was sent, then ended again", C, _SCORE)
BY_HANDLE = Customer(22, "Hanna", "the CRM knows only the handle", A, _SCORE, known_by="handle")
BY_URL = Customer(23, "Ursula", "the CRM knows only the profile's URL", E, _NINE, known_by="url")
LOOKED_UP = Customer(30, "Lou", "the CRM sends only its own id, so its API is asked", E, _NINE, known_by="crm")
UNSAID = Customer(24, "Una", "X does not say whether a DM is allowed", B, _SCORE, {"can_dm": "missing"})
GERMAN = Customer(25, "Gerd", "is asked in German", C, ({"after_s": 1, "score": 5, "text": TEXTS[3]},), language="de")
WORDY = Customer(26, "Wanda", "comments without a score", C, ({"after_s": 1, "text": TEXTS[2]},))
REHEARSAL = Customer(27, "Theo", "test traffic, which no figure may count", A, _SCORE, tags=("rehearsal",))
FEW = Customer(28, "Kas", "the agent has few answers", RARE, _SCORE)
FEW_TOO = Customer(29, "Kay", "the agent has few answers", RARE, ({"after_s": 1, "score": 2, "text": TEXTS[2]},))
FEW_MORE = tuple(
    Customer(31 + n, name, "the agent has few answers", agent, ({"after_s": 1, "score": 1 + n},))
    for n, (name, agent) in enumerate(
        (("Kit", RARE), ("Kai", RARE_TOO), ("Kat", RARE_TOO), ("Kim", RARE_TOO), ("Ken", RARE_TOO))
    )
)
HURRIED = Customer(39, "Hope", "reported twice at the same moment", A, ({"after_s": 1, "score": 5},))

#: Asked, while X misbehaves.
LIMITED = Customer(
    40, "Lina", "X answers 429", A, _SCORE, fault={"fault": "429", "endpoint": DM, "headers": True, "reset_in_s": 2}
)
HALF_SENT = Customer(
    41, "Mara", "the DM arrives, X answers 503", B, _SCORE, fault={"fault": "status_after_commit", "endpoint": DM}
)
HALF_CARD = Customer(
    42, "Noor", "the card arrives, X answers 500", C, _SCORE,
    fault={"fault": "status_after_commit", "endpoint": CARD, "status": 500, "code": 131},
)  # fmt: skip
CUT_BEFORE = Customer(
    43, "Olga", "the connection fails before X gets the DM", E, _NINE, fault={"fault": "drop_before", "endpoint": DM}
)
CUT_AFTER = Customer(
    44,
    "Pavel",
    "the connection fails after X gets the card",
    E,
    _NINE,
    fault={"fault": "drop_after_commit", "endpoint": CARD},
)
UNWELL = Customer(
    45,
    "Rafa",
    "X is over capacity when asked about the customer",
    C,
    _SCORE,
    fault={"fault": "status", "endpoint": USER, "status": 503},
)
SLOW = Customer(
    46, "Silva", "X responds slowly", E, _NINE, fault={"fault": "slow", "endpoint": DM, "seconds": 2.5}
)  # fmt: skip

#: Asked in other ways than by the card.
TAPPERS = tuple(
    Customer(60 + n, name, "taps a quick reply", LIV, ({"after_s": 1 + n / 4, "tap": score - 1},))
    for n, (name, score) in enumerate((("Tess", 5), ("Tom", 4), ("Tia", 2), ("Tyra", 5), ("Ted", 4), ("Tim", 5)))
)
TYPIST = Customer(67, "Tycho", "types a number instead of tapping", LIV, ({"after_s": 1.5, "dm": "3"},))
PAGES: tuple[tuple[str, Action], ...] = (
    ("Pia", {"after_s": 1, "page": True, "score": 5, "text": TEXTS[4]}),
    ("Per", {"after_s": 1.5, "page": True, "score": 2, "text": TEXTS[2]}),
    ("Pam", {"after_s": 1, "page": True, "score": 4}),
    ("Pat", {"after_s": 2, "page": True, "score": 5}),
    ("Pit", {"after_s": 2.5, "page": True, "score": 3}),
)
READERS = tuple(
    Customer(70 + n, name, "opens the link to the page and answers", MAX, (action,))
    for n, (name, action) in enumerate(PAGES)
)
LOOKER = Customer(76, "Polly", "only the link preview on her phone opens the page", MAX)
PROMPT_CUT = Customer(
    77, "Piet", "the connection fails after X gets the link", MAX, ({"after_s": 1, "page": True, "score": 4},),
    fault={"fault": "drop_after_commit", "endpoint": DM, "skip": 1},
)  # fmt: skip

CAST = (
    CLOSED, SHUT, REFUSING, SUSPENDED, NAMELESS, GHOST, OPTED_OUT, STALE, EXCLUDED, TWICE, RETURNING, BY_HANDLE, BY_URL,
    LOOKED_UP, UNSAID, GERMAN, WORDY, REHEARSAL, FEW, FEW_TOO, *FEW_MORE, HURRIED, LIMITED, HALF_SENT, HALF_CARD,
    CUT_BEFORE, CUT_AFTER, UNWELL, SLOW, *TAPPERS, TYPIST, *READERS, LOOKER, PROMPT_CUT,
)  # fmt: skip
NOT_AT_X = (NAMELESS, GHOST)
