"""Items to events of ours: in, a definition and a verified `Inbound`; out, one `Reading` an item, in order.

split -> filter -> map. Pure: reads no clock and no database, and raises nothing, whatever the body holds: what cannot
be understood becomes `Unmappable` with a reason, is kept, and can be read again when the definition is mended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.intake import fields, identity
from service.intake.body import MAX_ITEMS, BodyProblem, parse_root
from service.intake.evaluate import Budget, TooCostly
from service.intake.events import ConversationEnded, ConversationReopened, Ignored, Reading, Unmappable
from service.intake.expressions import PER_DELIVERY, PER_ITEM, ExpressionError
from service.intake.inbound import Inbound, storable
from service.intake.shapes import HANDLED_BY, Definition
from service.intake.times import event_time

MAX_EVENT_ID = 512
MOST_PLACES = 4
TOO_COSTLY = "expression_too_costly"
# fields where only the text counts; a bad one is set aside with a note
PLAIN = ("agent_id", "team_id", "channel", "customer_ref", "tenant")


def read(definition: Definition, inbound: Inbound, received_at: datetime) -> tuple[Reading, ...]:
    """Read every item of a delivery that arrived at `received_at`."""
    try:
        items = open_items(definition, inbound, received_at)
    except BodyProblem as problem:
        return (Unmappable(problem.code, problem.sentence),)
    except ExpressionError as error:
        return (Unmappable("split_failed", str(error)),)
    except TooCostly as error:
        return (Unmappable(TOO_COSTLY, f"events.split: {error}"),)
    return tuple(items.read(position) for position in range(len(items)))


@dataclass(frozen=True, slots=True)
class Items:
    """A delivery's items, parsed and not yet read."""

    definition: Definition
    received_at: datetime
    base: Mapping[str, Any]
    values: Sequence[Any]

    def __len__(self) -> int:
        return len(self.values)

    def read(self, position: int) -> Reading:
        """Read one of them."""
        context = {**self.base, "b": self.values[position]}
        # each item its own share, so that it is read alike today, on a replay and beside whatever others
        budget = Budget(max(PER_ITEM, PER_DELIVERY // len(self.values)))
        return _read_item(_Item(self.definition, context, self.received_at, budget))


def open_items(definition: Definition, inbound: Inbound, received_at: datetime) -> Items:
    """Parse a delivery. Raises BodyProblem, ExpressionError and TooCostly."""
    root, values = parse_items(definition, inbound)
    return Items(definition, received_at, base_context(definition, inbound, root), values)


def parse_items(definition: Definition, inbound: Inbound) -> tuple[Any, list[Any]]:
    """Return the whole body and the items in it. Raises BodyProblem, ExpressionError and TooCostly."""
    endpoint = definition.grammar.endpoint
    root = parse_root(inbound, endpoint.body, cloudevents=endpoint.cloudevents)
    split = definition.grammar.events.split
    if split is not None:
        items = split.read(root)
    else:
        items = root if endpoint.cloudevents and isinstance(root, list) else [root]
    if not isinstance(items, list):
        raise BodyProblem("not_a_list", f"events.split must find a list of items; '{split and split.text}' does not.")
    if len(items) > MAX_ITEMS:
        raise BodyProblem("too_many_items", f"A delivery may hold at most {MAX_ITEMS} items.")
    return root, items


def base_context(definition: Definition, inbound: Inbound, root: Any) -> dict[str, Any]:
    """Return what expressions see beside the item: no credentials, so that a replay sees the same."""
    return {
        "h": storable(inbound.headers, definition.secret_headers),
        "q": storable(inbound.query, definition.secret_query),
        "root": root,
        "v": definition.grammar.values,
    }


@dataclass(slots=True)
class _Item:
    """One item while it is read; `notes` collects what was set aside."""

    definition: Definition
    context: dict[str, Any]
    received_at: datetime
    budget: Budget
    notes: list[str] = field(default_factory=list)

    def raw(self, name: str) -> Any:
        """What the map finds for a field. Raises ExpressionError and TooCostly."""
        expression = self.definition.grammar.map.of(name)
        return None if expression is None else expression.read(self.context, self.budget)

    def soft(self, name: str, convert: Callable[[Any], Any], nothing: Any = None) -> Any:
        """What the map finds, converted; a bad value becomes `nothing` and a note."""
        try:
            return convert(self.raw(name))
        except (ExpressionError, fields.NotText) as error:
            self.notes.append(f"{name} {error}")
            return nothing


class _NotUnderstood(Exception):
    """An item that becomes `Unmappable`: a stable reason, a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _read_item(item: _Item) -> Reading:
    try:
        return _understood(item)
    except TooCostly as error:
        return Unmappable(TOO_COSTLY, f"{error}; make it do less, or send fewer items at once.")


def _understood(item: _Item) -> Reading:
    event_id = _quietly(item, "event_id", lambda value: fields.text(value, MAX_EVENT_ID))
    try:
        meaning = _meaning(item)
        if meaning is None:
            return Ignored("other_event", _quietly(item, "conversation_id", fields.text), event_id)
        return meaning(item, _conversation_id(item), event_id)
    except _NotUnderstood as problem:
        conversation_id = _quietly(item, "conversation_id", fields.text)
        return Unmappable(problem.reason, problem.detail, conversation_id, event_id)


def _meaning(item: _Item) -> Callable[[_Item, str, str | None], Reading] | None:
    """Return what reads this item on; None where it is no event of ours."""
    events = item.definition.grammar.events
    try:
        ended = events.ended.matches(item.context, item.budget)
        reopened = events.reopened is not None and events.reopened.matches(item.context, item.budget)
    except ExpressionError as error:
        raise _NotUnderstood("filter_failed", str(error)) from error
    if ended and reopened:
        raise _NotUnderstood("ended_and_reopened", "events.ended and events.reopened both match; narrow one.")
    if not (ended or reopened):
        _demand_a_known_shape(item)
        return None
    return _ended if ended else _reopened


def _demand_a_known_shape(item: _Item) -> None:
    """Raise where nothing that the filters look at is there: such an item is not something else, it is unknown."""
    looked_at = item.definition.grammar.events.looks_at
    if looked_at and not any(_leads_somewhere(item.context, path) for path in looked_at):
        places = ", ".join(".".join(path) for path in sorted(looked_at)[:MOST_PLACES])
        detail = f"Nothing is there of what events.ended looks at ({places}); the source sends another form."
        raise _NotUnderstood("not_understood", detail)


def _leads_somewhere(value: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value is not None


def _conversation_id(item: _Item) -> str:
    try:
        found = fields.text(item.raw("conversation_id"))
    except (ExpressionError, fields.NotText) as error:
        raise _NotUnderstood("bad_conversation_id", f"conversation_id {error}") from error
    if found is None:
        raise _NotUnderstood("no_conversation_id", "map.conversation_id finds nothing in this item.")
    return found


def _reopened(item: _Item, conversation_id: str, event_id: str | None) -> Reading:
    grammar = item.definition.grammar
    name = "ended_at" if grammar.map.reopened_at is None else "reopened_at"
    fmt = grammar.times.reopened_at if name == "reopened_at" else grammar.times.ended_at
    moment = item.soft(name, lambda value: event_time(value, fmt, grammar.times.zone))
    if moment is None or moment > item.received_at:
        # a reopening must never be lost for want of a clock: it keeps us from asking
        if grammar.map.of(name):
            item.notes.append("the time of reopening could not be used; it counts from its arrival")
        moment = item.received_at
    return ConversationReopened(conversation_id, moment, event_id, tuple(item.notes))


def _ended(item: _Item, conversation_id: str, event_id: str | None) -> Reading:
    ended_at = _ended_at(item)
    plain = {name: item.soft(name, fields.text) for name in PLAIN}
    if refused := _channel_refused(item.definition, plain["channel"]):
        return Ignored(refused, conversation_id, event_id)
    account = _account(item)
    user_id, handle, trust = _identity(item, plain["channel"])
    people = {name: _somebody(item, plain.pop(name)) for name in ("agent_id", "team_id")}
    handled_by = _handled_by(item)
    if handled_by in {"ai", "nobody"}:
        people["agent_id"] = None  # a bot is no agent: its id may be a human agent's too
    tags = item.soft("tags", lambda value: fields.tags(value, item.notes), ())
    language = item.soft("language", fields.language) or item.definition.language
    return ConversationEnded(
        conversation_id,
        ended_at,
        account,
        event_id,
        tags=tags,
        language=language,
        x_user_id=user_id,
        x_handle=handle,
        identity_trust=trust,
        handled_by=handled_by,
        notes=tuple(item.notes),
        **plain,
        **people,
    )


def _ended_at(item: _Item) -> datetime:
    times = item.definition.grammar.times
    if item.definition.grammar.map.is_arrival("ended_at"):
        return item.received_at
    try:
        given = item.raw("ended_at")
    except ExpressionError as error:
        raise _NotUnderstood("bad_ended_at", str(error)) from error
    if given is None or given == "":
        raise _NotUnderstood("no_ended_at", "map.ended_at finds nothing; map a time, or write ended_at = 'received'.")
    moment = event_time(given, times.ended_at, times.zone)
    if moment is None:
        detail = f"ended_at is no time of the form '{times.ended_at}' between 2006 and 2200 (without a zone it needs "
        raise _NotUnderstood("bad_ended_at", detail + "times.zone).")
    if moment > item.received_at:
        item.notes.append("ended_at lay ahead of our clock; the time of arrival stands instead")
        return item.received_at
    return moment


def _channel_refused(definition: Definition, channel: str | None) -> str | None:
    rule = definition.grammar.channel
    if channel is None:
        return "no_channel" if rule.missing == "reject" else None
    return "other_channel" if rule.allow and channel.casefold() not in rule.allow else None


def _account(item: _Item) -> str:
    """Return the account to ask from: the event's own word only where the source may use that account."""
    try:
        named = fields.text(item.raw("account")) or item.definition.account
    except (ExpressionError, fields.NotText):
        named = ""
    if named not in item.definition.accounts:
        detail = "The event names an X account this source may not use; list it under the source's accounts."
        raise _NotUnderstood("unknown_account", detail)
    return named


def _somebody(item: _Item, given: str | None) -> str | None:
    return None if given is None or given.casefold() in item.definition.grammar.people.nobody else given


def _handled_by(item: _Item) -> str | None:
    found: str | None = item.soft("handled_by", fields.text)
    if found in HANDLED_BY or found is None:
        return found
    item.notes.append(f"handled_by is none of {', '.join(HANDLED_BY)}")
    return None


def _identity(item: _Item, channel: str | None) -> tuple[str | None, str | None, str]:
    """Return id, handle and the trust of the better one. Each field is what the map says it is, never what it looks."""
    trust, on_x = item.definition.grammar.identity, item.definition.grammar.channel.on_x
    user_id = _identified(item, "x_user_id", identity.x_user_id, "is no X user id (1 to 19 digits, sent as a text)")
    if on_x and (channel or "").casefold() not in on_x:
        if item.soft("x_handle", identity.x_handle):
            item.notes.append("x_handle does not count: nothing says that the conversation was on X")
        return user_id, None, trust.x_user_id if user_id else "crm_entered"
    handle = _identified(item, "x_handle", identity.x_handle, "is no X handle (1 to 15 of A-Z, a-z, 0-9, _)")
    if user_id:
        return user_id, handle, trust.x_user_id
    if handle:
        return None, handle, trust.x_handle
    handle = _identified(item, "x_profile_url", identity.handle_from_url, "is no address of an X profile")
    return None, handle, trust.x_profile_url if handle else "crm_entered"


def _identified(item: _Item, name: str, convert: Callable[[Any], str | None], why: str) -> str | None:
    given = item.soft(name, lambda value: value)
    found = convert(given)
    if found is None and given is not None and str(given).strip().lower() not in fields.NOTHING:
        item.notes.append(f"{name} {why}")
    return found


def _quietly(item: _Item, name: str, convert: Callable[[Any], str | None]) -> str | None:
    """What the map finds, for items that may not be events at all: nothing is said about what is missing."""
    try:
        return convert(item.raw(name))
    except (ExpressionError, fields.NotText):
        return None
