"""What a definition holds: one frozen dataclass per table, one line per key. Declarations only.

A key's attribute, kind, default, sentence and rules are written here and nowhere else: grammar.py reads definitions by
them, `dm-feedback sources grammar` prints them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, NewType
from zoneinfo import ZoneInfo

from service.intake.definition.crm_lists import Staff, Sweep
from service.intake.definition.steps import FromAnswer, Step
from service.intake.expressions.compiled import Expression
from service.intake.values.identity import TRUSTS
from service.intake.values.times import FORMATS
from service.intake.verify import Verifier
from service.settings import Source
from service.settings.declare import REQUIRED, declared, setting
from service.settings.values import one_of, whole

DEFAULT_AGAIN_AFTER = timedelta(hours=12)
LARGEST_BODY = 2**30
OverBody = NewType("OverBody", Expression)  # over the whole body, whatever stands at its root
When = NewType("When", object)  # an Expression, or RECEIVED: the moment of arrival stands for the time
RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class About:
    """What a preset is and how sure we are of it."""

    title: str = setting("", "the CRM's name")
    certainty: str = setting("", "how certain the preset is, and what it is based on")
    setup: str = setting("", "what to click and paste in the CRM")
    token: str = setting("", "the token with the smallest scope that can look customers up")
    api: str = setting("", "the [sources.NAME.api] to copy into the settings")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a body may be."""

    body: tuple[str, ...] = setting(
        ["json"],
        "accepted body types: json, form, multipart, xml (an attribute is `@name`, text beside one `#text`, repeated "
        "elements are a list)",
        one_of("json", "form", "multipart", "xml"),
    )
    max_bytes: int | None = setting(
        None, "a limit below `web.max_body_bytes`; it cannot be above", whole(1, LARGEST_BODY)
    )
    cloudevents: bool = setting(default=False, sentence="deliveries are CloudEvents 1.0, in any of the three modes")
    answer: str | None = setting(
        None, "the response to send instead of our JSON, for senders that need a particular one"
    )
    answer_type: str = setting("text/plain", "the content type of that response")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question whose answer must return a value before events are sent."""

    when: Expression = setting(REQUIRED, "true for a delivery that is this challenge; `b` is the whole body")
    value: Expression = setting(REQUIRED, "the value to return")
    key: str | None = setting(None, "the JSON key to return it under; without one it is the whole response, as text")
    proof: str | None = setting(
        None, "the JSON key beside it for the value's HMAC-SHA256 by the source's first key, in hex, as Zoom wants it"
    )
    signed: bool = setting(
        default=True, sentence="the challenge is signed like a delivery; if false, only `h` and `q` may be used"
    )
    token: Expression | None = setting(None, "must yield one of the source's keys, if the challenge is not signed")


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a CRM asks before it sends events."""

    answers: tuple[Challenge, ...] = setting([], "questions that want a value back")
    acknowledge: Expression | None = setting(None, "true for a signed ping, which is answered but not stored")
    subscribe: bool = setting(
        default=False, sentence="confirm a signed SNS subscription by calling the address in it, which must be Amazon's"
    )
    empty: bool = setting(
        default=False, sentence="answer 200 to an unsigned request with an empty body, which is a check"
    )
    test_keys: tuple[str, ...] = setting(
        [], "public keys that the vendor's test button signs with: answered 200, never read"
    )
    cloudevents_origins: frozenset[str] = setting([], "the origins that may send OPTIONS; never '*'")
    cloudevents_rate: int = setting(600, "requests per minute to promise them", whole(1, 10**6))


@dataclass(frozen=True, slots=True)
class Events:
    """Which items report an end, and which a reopening."""

    split: OverBody | None = setting(
        None,
        "where the list of events is in the body: `data.events`, without b, or `to_array(data.event)` if one alone is "
        "no list, as in XML; if not set, the body is one event",
    )
    ended: Expression = setting(REQUIRED, "true for an event that reports an ended conversation")
    reopened: Expression | None = setting(None, "true for an event that reports a reopened conversation")
    again_after: timedelta | None = setting(
        None,
        "how long after an end another end counts as new without a reopening; default 12h if `reopened` is not set",
    )

    @property
    def apart(self) -> timedelta | None:
        """The time after which a second end counts as new by itself; None: never."""
        return self.again_after or (None if self.reopened else DEFAULT_AGAIN_AFTER)

    @property
    def looks_at(self) -> frozenset[tuple[str, ...]]:
        """The places the two filters look at: an item with nothing there has no known shape."""
        filters = (self.ended, self.reopened) if self.reopened else (self.ended,)
        return frozenset(path for each in filters for path in each.paths if path[0] != "v")


@dataclass(frozen=True, slots=True)
class Map:
    """Where each fact of an item is found."""

    conversation_id: Expression = setting(REQUIRED, "the CRM's id of the conversation")
    ended_at: When = setting(REQUIRED, "when it ended, or 'received'")
    reopened_at: When | None = setting(None, "when it was reopened, or 'received'; if missing, `ended_at` is used")
    event_id: Expression | None = setting(None, "an id that stays the same when the same event is sent again")
    agent_id: Expression | None = setting(None, "who handled it last")
    team_id: Expression | None = setting(None, "their team or queue")
    tags: Expression | None = setting(None, "a list of tags, or one text separated by commas or semicolons")
    language: Expression | None = setting(None, "the customer's language: a tag, or its name")
    channel: Expression | None = setting(None, "the channel, by the CRM's name")
    customer_ref: Expression | None = setting(None, "the CRM's id of the customer")
    tenant: Expression | None = setting(None, "the CRM's account")
    x_user_id: Expression | None = setting(None, "the customer's numeric id on X")
    x_handle: Expression | None = setting(None, "their handle on X")
    x_profile_url: Expression | None = setting(None, "the address of their profile on X")
    account: Expression | None = setting(None, "the X account that asks, one of those the source may use")
    handled_by: Expression | None = setting(None, "human, ai, both or nobody")

    def of(self, name: str) -> Expression | None:
        """The expression of a field; None if it has none, or is the time of arrival."""
        found = getattr(self, name)
        return found if isinstance(found, Expression) else None

    def is_arrival(self, name: str) -> bool:
        """Whether this time is the moment of arrival."""
        return bool(getattr(self, name) == RECEIVED)


@dataclass(frozen=True, slots=True)
class Times:
    """How the source writes its times."""

    zone: ZoneInfo | None = setting(None, "time zone of times that have none")
    ended_at: str = setting("auto", "how `ended_at` is written", one_of(*FORMATS))
    reopened_at: str = setting("auto", "how `reopened_at` is written", one_of(*FORMATS))


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channels are asked about, and by which words the CRM says that it was X.

    A handle from another network, or one that an agent typed into a profile, may belong to a stranger on X.
    """

    allow: frozenset[str] = setting([], "only conversations on these channels are asked about; empty: all")
    on_x: frozenset[str] = setting(
        [], "the CRM's names for X: a handle counts only for conversations on these channels; empty: on any"
    )
    own_id: bool = setting(
        default=False,
        sentence="`map.x_user_id` may be an id of any network, so it counts only for conversations on X",
    )
    missing: str = setting("accept", "what to do with an event that names no channel", one_of("accept", "reject"))

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """What is contradictory."""
        if self.own_id and not self.on_x:
            yield "on_x", "is missing: by which words does the CRM say that it was X, and the id one of X's?"


@dataclass(frozen=True, slots=True)
class People:
    """Who is not a person."""

    nobody: frozenset[str] = setting(
        [], "ids that stand for nobody, a bot or the system; they are neither an agent nor a team"
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """How far the source is trusted about who somebody is on X."""

    x_user_id: str = setting("bridge", "vendor_verified, bridge or crm_entered", one_of(*TRUSTS))
    x_handle: str = setting("crm_entered", "as above", one_of(*TRUSTS))
    x_profile_url: str = setting("crm_entered", "as above", one_of(*TRUSTS))


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How an API reports its rate limit, besides 429 and 503."""

    used_up: FromAnswer | None = setting(
        None, "true for an error response (`a`) that only means that a limit is used up"
    )


@dataclass(frozen=True, slots=True)
class Grammar:
    """A definition as the grammar reads it, before name and keys are added. BESIDE: what else its table may hold."""

    BESIDE: ClassVar = tuple(name for name, what in declared(Source).items() if what.sentence)
    about: About = setting({}, "what it is")
    accounts: tuple[str, ...] = setting([], "other X accounts that its events may choose")
    endpoint: Endpoint = setting({}, "what a body may be")
    handshake: Handshake = setting({}, "what the CRM asks first")
    verify: Any = setting(
        REQUIRED, "how the source authenticates, e.g. kind = 'hmac'; in a list of tables any one may match"
    )
    events: Events = setting(REQUIRED, "which items mean what")
    map: Map = setting(REQUIRED, "where each fact stands")
    times: Times = setting({}, "how times are written")
    channel: Channel = setting({}, "which channels are asked about")
    people: People = setting({}, "who is no person")
    identity: Identity = setting({}, "how much a word about who somebody is is worth")
    lookup: tuple[Step, ...] = setting([], "up to three GETs that find the customer where the event does not say")
    sweep: Sweep | None = setting(None, "a list of conversations that ended, for those whose webhook never came")
    staff: tuple[Staff, ...] = setting([], "lists of agents and teams with their names")
    limits: ApiLimits = setting({}, "how its API says that a limit is used up")
    values: Mapping[str, Any] = setting({}, "your own constants for expressions, as `v.NAME`")


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything we know about one source. `accounts` are the X accounts its events may choose among."""

    name: str
    account: str
    accounts: frozenset[str]
    language: str | None
    verifiers: tuple[Verifier, ...] = field(repr=False)
    words: tuple[bytes, ...] = field(repr=False)  # the keys as they are, for questions that carry one
    testers: tuple[Verifier, ...] = field(repr=False)  # the same, with the vendor's public test keys
    secret_headers: frozenset[str]
    secret_query: frozenset[str]
    grammar: Grammar
