"""The grammar of a definition: in, a TOML table; out, a frozen `Grammar`, or every mistake with its path.

One marshmallow schema a table; what is misspelt is a mistake, because a key without effect would be one for ever.
`verify` has a grammar of its own, in grammar_verify.py.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from service.intake.expressions import ROOT_NAMES, Expression, ExpressionError, compile_expression
from service.intake.grammar_verify import load_verify
from service.intake.identity import TRUSTS
from service.intake.shapes import About, Channel, Echo, Endpoint, Events, Grammar, Handshake, Identity, Times
from service.intake.times import FORMATS
from service.settings.shapes import Problem
from service.settings.values import Duration, Zone

RECEIVED = "received"
DEFAULT_AGAIN_AFTER = timedelta(hours=12)
TIMES = ("ended_at", "reopened_at")
REQUIRED = ("conversation_id", "ended_at")
MAPPED = (
    *REQUIRED, "reopened_at", "event_id", "agent_id", "team_id", "tags", "language", "channel", "customer_ref",
    "tenant", "x_user_id", "x_handle", "x_profile_url", "account",
)  # fmt: skip


class ExpressionField(fields.Field[Expression | None]):
    """A JMESPath expression, compiled; an empty one takes a preset's away."""

    def __init__(self, *, root_names: frozenset[str] | None = ROOT_NAMES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root_names = root_names

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Expression | None:
        if value == "" and not self.required:
            return None
        try:
            return compile_expression(value, root_names=self.root_names)
        except ExpressionError as error:
            raise ValidationError(str(error)) from error


class Table(Schema):
    """One table; loads to the dataclass named by `shape`."""

    shape: ClassVar[type[Any]]
    error_messages = {"unknown": "no such key; see 'Any CRM in fifteen lines' in the README"}  # noqa: RUF012 - marshmallow's own attribute

    class Meta:
        """Unknown keys are errors: a misspelt one must not be silently without effect."""

        unknown = RAISE

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the frozen dataclass of this table."""
        return self.shape(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


class AboutTable(Table):
    """[about]."""

    shape = About
    title = fields.String(load_default="")
    certainty = fields.String(load_default="")
    setup = fields.String(load_default="")


class EndpointTable(Table):
    """[endpoint]."""

    shape = Endpoint
    body = fields.List(
        fields.String(validate=validate.OneOf(["json", "form"], error="must be 'json' or 'form'")),
        load_default=("json",),
        validate=validate.Length(min=1),
    )
    max_bytes = fields.Integer(strict=True, load_default=None, validate=validate.Range(min=1))
    cloudevents = fields.Boolean(load_default=False)


class EchoTable(Table):
    """[handshake.echo]."""

    shape = Echo
    when = ExpressionField(required=True)
    header = fields.String(required=True)
    reply_key = fields.String(required=True)


class HandshakeTable(Table):
    """[handshake]."""

    shape = Handshake
    echo = fields.Nested(EchoTable, load_default=None)
    acknowledge = ExpressionField(load_default=None)
    cloudevents_origins = fields.List(
        fields.String(validate=validate.NoneOf(["*"], error="name the origins; '*' would be anybody")),
        load_default=(),
    )
    cloudevents_rate = fields.Integer(strict=True, load_default=600, validate=validate.Range(min=1))

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the shape; origins are DNS names, so their case means nothing."""
        origins = frozenset(each.lower() for each in data["cloudevents_origins"])
        return Handshake(**{**data, "cloudevents_origins": origins})


class EventsTable(Table):
    """[events]."""

    shape = Events
    split = ExpressionField(load_default=None, root_names=None)
    ended = ExpressionField(required=True)
    reopened = ExpressionField(load_default=None)
    again_after = Duration(load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the shape; where no reopening is ever told, time alone makes a second end a new one."""
        default = None if data["reopened"] else DEFAULT_AGAIN_AFTER
        return Events(**{**data, "again_after": data["again_after"] or default})


class TimesTable(Table):
    """[times]."""

    shape = Times
    zone: fields.Field[ZoneInfo] = Zone(load_default=None)
    ended_at = fields.String(load_default="auto", validate=validate.OneOf(FORMATS))
    reopened_at = fields.String(load_default="auto", validate=validate.OneOf(FORMATS))


class ChannelTable(Table):
    """[channel]."""

    shape = Channel
    allow = fields.List(fields.String(), load_default=())
    missing = fields.String(
        load_default="accept", validate=validate.OneOf(["accept", "reject"], error="must be 'accept' or 'reject'")
    )

    @post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the shape; nobody should lose a channel to a capital letter."""
        return Channel(frozenset(each.casefold() for each in data["allow"]), data["missing"])


def _trust(default: str) -> fields.Field[Any]:
    words = ", ".join(f"'{each}'" for each in TRUSTS)
    return fields.String(load_default=default, validate=validate.OneOf(TRUSTS, error=f"must be one of {words}"))


class IdentityTable(Table):
    """[identity]: the trust of each field that may name the customer."""

    shape = Identity
    x_user_id = _trust("bridge")
    x_handle = _trust("crm_entered")
    x_profile_url = _trust("crm_entered")


class DefinitionTable(Schema):
    """[sources.NAME], less what the settings know themselves."""

    error_messages = Table.error_messages

    class Meta:
        """Unknown keys are errors here too."""

        unknown = RAISE

    about = fields.Nested(AboutTable, load_default=About)
    accounts = fields.List(fields.String(), load_default=())
    endpoint = fields.Nested(EndpointTable, load_default=lambda: EndpointTable().load({}))
    handshake = fields.Nested(HandshakeTable, load_default=lambda: HandshakeTable().load({}))
    verify = fields.Raw(
        required=True, error_messages={"required": "is missing: say how the source proves itself, e.g. kind = 'hmac'"}
    )
    events = fields.Nested(EventsTable, required=True)
    map = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    times = fields.Nested(TimesTable, load_default=lambda: TimesTable().load({}))
    channel = fields.Nested(ChannelTable, load_default=lambda: ChannelTable().load({}))
    identity = fields.Nested(IdentityTable, load_default=lambda: IdentityTable().load({}))
    values = fields.Dict(keys=fields.String(), load_default=dict)


def load_grammar(tree: Mapping[str, Any], path: str, problems: list[Problem]) -> Grammar | None:
    """Load one definition. Appends to `problems` and returns None where it has mistakes."""
    before = len(problems)
    data: dict[str, Any] = {}
    try:
        data = DefinitionTable().load(tree)
    except ValidationError as error:
        problems += flatten(error.messages, path)
    if "verify" in tree:
        data["verify"] = load_verify(tree["verify"], f"{path}.verify", problems)
    given = tree.get("map")
    mapped = _load_map(given, f"{path}.map", problems) if isinstance(given, Mapping) else {}
    if len(problems) > before:
        return None
    received = frozenset(name for name in TIMES if tree["map"].get(name) == RECEIVED)
    return Grammar(**{**data, "map": mapped, "accounts": tuple(data["accounts"])}, received=received)


def _load_map(given: Mapping[str, Any], path: str, problems: list[Problem]) -> dict[str, Expression]:
    found = {}
    for name, text in given.items():
        if name not in MAPPED:
            problems.append(Problem(f"{path}.{name}", f"no such field; there are {', '.join(MAPPED)}"))
        elif text == "" or (name in TIMES and text == RECEIVED):
            continue
        else:
            try:
                found[name] = compile_expression(text)
            except ExpressionError as error:
                problems.append(Problem(f"{path}.{name}", str(error)))
    problems += [
        Problem(f"{path}.{name}", "is missing; every ended conversation needs it")
        for name in REQUIRED
        if not given.get(name)
    ]
    return found


def flatten(messages: Any, path: str) -> list[Problem]:
    """Turn marshmallow's nested messages into problems with paths."""
    if isinstance(messages, Mapping):
        nested = (
            flatten(each, path if key in {"_schema", "value", "key"} else _joined(path, key))
            for key, each in messages.items()
        )
        return [problem for group in nested for problem in group]
    return [Problem(path, str(message)) for message in messages]


def _joined(path: str, key: Any) -> str:
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
