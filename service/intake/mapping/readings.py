"""Items of a verified `Inbound` become events of ours: one `Reading` per item, in order. Split, filter, map.

Pure: reads no clock and no database, and raises nothing, whatever the body holds. What cannot be understood becomes
`Unmappable` with a reason, is kept, and can be read again once the definition is fixed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.intake.definition.tables import Definition
from service.intake.delivery.body import MAX_ITEMS, parse_root
from service.intake.delivery.formats import BodyProblem
from service.intake.delivery.inbound import Inbound, storable
from service.intake.expressions.compiled import PER_DELIVERY, PER_ITEM, Expression, ExpressionError, at_path
from service.intake.expressions.evaluate import Budget, TooCostly
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Ignored, Reading, Unmappable
from service.intake.mapping.one_item import OneItem
from service.intake.mapping.who import handled_by, identity_of, somebody
from service.intake.values import fields
from service.intake.values.times import event_time
from service.text import folded

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
        return _read_item(OneItem(self.definition, context, self.received_at, budget))


def open_items(definition: Definition, inbound: Inbound, received_at: datetime) -> Items:
    """Parse a delivery. Raises BodyProblem."""
    root, values = parse_items(definition, inbound)
    return Items(definition, received_at, base_context(definition, inbound, root), values)


def parse_items(definition: Definition, inbound: Inbound) -> tuple[Any, list[Any]]:
    """Return the whole body and the items in it. Raises BodyProblem."""
    root, split = root_of(definition, inbound), definition.grammar.events.split
    if split is not None:
        items = _split(split, root)
    else:
        items = root if definition.grammar.endpoint.cloudevents and isinstance(root, list) else [root]
    if len(items) > MAX_ITEMS:
        raise BodyProblem("too_many_items", f"A delivery may hold at most {MAX_ITEMS} items.")
    return root, items


def root_of(definition: Definition, inbound: Inbound) -> Any:
    """Return the whole body, parsed. Raises BodyProblem."""
    endpoint = definition.grammar.endpoint
    return parse_root(inbound, endpoint.body, cloudevents=endpoint.cloudevents)


def _split(split: Expression, root: Any) -> list[Any]:
    try:
        items = split.read(root)
    except ExpressionError as error:
        raise BodyProblem("split_failed", str(error)) from error
    except TooCostly as error:
        raise BodyProblem(TOO_COSTLY, f"events.split: {error}") from error
    if not isinstance(items, list):
        alone = f"; if what it finds is an event, write to_array({split.text})" if isinstance(items, dict) else ""
        raise BodyProblem("not_a_list", f"events.split must find a list in the body; '{split.text}' does not{alone}.")
    return items


def base_context(definition: Definition, inbound: Inbound, root: Any) -> dict[str, Any]:
    """Return what expressions see besides the item: no credentials, so that a replay sees the same."""
    return {
        "h": storable(inbound.headers, definition.secret_headers),
        "q": storable(inbound.query, definition.secret_query),
        "root": root,
        "v": definition.grammar.values,
    }


class _NotUnderstood(Exception):
    """An item that becomes `Unmappable`: a stable reason, a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _read_item(item: OneItem) -> Reading:
    try:
        return _understood(item)
    except TooCostly as error:
        return Unmappable(TOO_COSTLY, f"{error}; make it do less, or send fewer items at once.")


def _understood(item: OneItem) -> Reading:
    event_id = item.quiet("event_id", lambda value: fields.text(value, MAX_EVENT_ID))
    try:
        meaning = _meaning(item)
        if meaning is None:
            return Ignored("other_event", item.quiet("conversation_id", fields.text), event_id)
        return meaning(item, _conversation_id(item), event_id)
    except _NotUnderstood as problem:
        conversation_id = item.quiet("conversation_id", fields.text)
        return Unmappable(problem.reason, problem.detail, conversation_id, event_id)


def _meaning(item: OneItem) -> Callable[[OneItem, str, str | None], Reading] | None:
    """Return the function that reads this item; None if it is no event of ours."""
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


def _demand_a_known_shape(item: OneItem) -> None:
    """Raise if nothing the filters look at is there: such an item is unknown, not merely something else."""
    looked_at = item.definition.grammar.events.looks_at
    if looked_at and all(at_path(item.context, path) is None for path in looked_at):
        places = ", ".join(".".join(path) for path in sorted(looked_at)[:MOST_PLACES])
        detail = (
            f"The event has none of the fields that events.ended reads ({places}); the source sends a different format."
        )
        raise _NotUnderstood("not_understood", detail)


def _conversation_id(item: OneItem) -> str:
    try:
        found = fields.text(item.raw("conversation_id"))
    except (ExpressionError, fields.NotText) as error:
        raise _NotUnderstood("bad_conversation_id", f"conversation_id {error}") from error
    if found is None:
        raise _NotUnderstood("no_conversation_id", "map.conversation_id finds nothing in this item.")
    return found


def _reopened(item: OneItem, conversation_id: str, event_id: str | None) -> Reading:
    grammar = item.definition.grammar
    name = "ended_at" if grammar.map.reopened_at is None else "reopened_at"
    fmt = grammar.times.reopened_at if name == "reopened_at" else grammar.times.ended_at
    moment = item.soft(name, lambda value: event_time(value, fmt, grammar.times.zone))
    if moment is None or moment > item.received_at:
        # a reopening must not be lost for lack of a time: it keeps us from asking
        if grammar.map.of(name):
            item.notes.append("the time of reopening could not be used; it counts from its arrival")
        moment = item.received_at
    return ConversationReopened(conversation_id, moment, event_id, tuple(item.notes))


def _ended(item: OneItem, conversation_id: str, event_id: str | None) -> Reading:
    ended_at = _ended_at(item)
    plain = {name: item.soft(name, fields.text) for name in PLAIN}
    if refused := _channel_refused(item.definition, plain["channel"]):
        return Ignored(refused, conversation_id, event_id)
    account = _account(item)
    user_id, handle, trust = identity_of(item, plain["channel"])
    people = {name: somebody(item, plain.pop(name)) for name in ("agent_id", "team_id")}
    by = handled_by(item)
    if by in {"ai", "nobody"}:
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
        handled_by=by,
        notes=tuple(item.notes),
        **plain,
        **people,
    )


def _ended_at(item: OneItem) -> datetime:
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
        detail = f"ended_at is no time of the form '{times.ended_at}' between 2006 and 2200"
        needs = "" if times.zone else "; without a zone it needs times.zone"
        raise _NotUnderstood("bad_ended_at", f"{detail} (2026-11-30T10:00:00Z, or seconds since 1970{needs}).")
    if moment > item.received_at:
        item.notes.append("ended_at lay ahead of our clock; the time of arrival stands instead")
        return item.received_at
    return moment


def _channel_refused(definition: Definition, channel: str | None) -> str | None:
    rule = definition.grammar.channel
    if channel is None:
        return "no_channel" if rule.missing == "reject" else None
    return "other_channel" if rule.allow and folded(channel) not in rule.allow else None


def _account(item: OneItem) -> str:
    """Return the account to ask from: the event's choice only if the source may use that account."""
    try:
        named = fields.text(item.raw("account")) or item.definition.account
    except (ExpressionError, fields.NotText):
        named = ""
    if named not in item.definition.accounts:
        detail = "The event names an X account that this source may not use; add it to the source's accounts."
        raise _NotUnderstood("unknown_account", detail)
    return named
