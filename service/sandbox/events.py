"""feedback/events: what happened to the caller's cards in a range of time, page by page.

Takes from_time and to_time in ms and count, later only the cursor. Has the 24 h rule and, by switch, every oddity a
client must survive: empty, short and repeating pages.
"""

from bisect import bisect_left
from typing import Any

from service.sandbox.call import Call
from service.sandbox.clock import DAY_MS
from service.sandbox.render import event_json
from service.sandbox.state import Event, EventCursor
from service.sandbox.writing import XRefusal, refusal

MOST = 100
_FIRST_CURSOR = 10_000


def list_events(call: Call) -> dict[str, Any]:
    """One page; the end is an empty next_cursor, never an empty page."""
    rules = call.world.assumptions
    size = _size(call)
    place = _place(call)
    found = _range(call, place)
    if place.page in rules.events_empty_pages:
        page: list[Event] = []
        given = place.given
    else:
        page, given = _cut(call, found, place, max(1, size // 3) if rules.events_short_pages else size)
    body: dict[str, Any] = {"events": [_event(call, one) for one in page]}
    if given < len(found) or place.page + 1 in rules.events_empty_pages or place.page in rules.events_empty_pages:
        body["next_cursor"] = _mint(call, place, given)
    elif rules.events_end != "missing":
        body["next_cursor"] = rules.events_end
    return body


def _cut(call: Call, found: list[Event], place: EventCursor, size: int) -> tuple[list[Event], int]:
    page = found[place.given : place.given + size]
    if call.world.assumptions.events_repeat and place.given and size > 1:
        page = [found[place.given - 1], *page[: size - 1]]
        return page, place.given + len(page) - 1
    return page, place.given + len(page)


def _range(call: Call, place: EventCursor) -> list[Event]:
    rules = call.world.assumptions
    oldest = 0 if rules.events_retention_s is None else call.now_ms - int(rules.events_retention_s * 1000)
    events = call.world.events[call.caller]
    if rules.events_range == "created_at":
        of_card = call.world.cards
        found = [one for one in events if place.from_ms <= of_card[one[2]].at_ms <= place.to_ms and one[0] >= oldest]
    else:
        start = bisect_left(events, (max(place.from_ms, oldest),))
        found = events[start : bisect_left(events, (place.to_ms + 1,))]
    return found[::-1] if rules.events_order == "newest_first" else found


def _event(call: Call, event: Event) -> dict[str, Any]:
    at_ms, _, card_id, event_type = event
    form = call.world.assumptions.question_variant_id
    return event_json(call.world, call.world.cards[card_id], event_type, at_ms, form)


def _place(call: Call) -> EventCursor:
    cursor = call.query.get("cursor")
    times = [_millis(call, name) for name in ("from_time", "to_time") if name in call.query]
    if not cursor:
        return _first(call, times)
    place = call.world.event_cursors.get(cursor)
    if place is None or place.account != call.caller or (times and times != [place.from_ms, place.to_ms]):
        raise _refused(call, "cursor: is invalid for this range.")
    return place


def _first(call: Call, times: list[int]) -> EventCursor:
    if len(times) != 2 or times[0] > times[1]:  # noqa: PLR2004 - from and to
        raise _refused(call, "from_time and to_time: both are needed, in this order.")
    if call.world.assumptions.events_24h_rule and times[1] > call.now_ms - DAY_MS:
        raise _refused(call, "to_time: must be at least 24 hours ago.")
    return EventCursor(account=call.caller, from_ms=times[0], to_ms=times[1], given=0, page=1)


def _mint(call: Call, place: EventCursor, given: int) -> str:
    cursor = str(_FIRST_CURSOR + call.world.next_number())
    call.world.event_cursors[cursor] = EventCursor(
        account=place.account, from_ms=place.from_ms, to_ms=place.to_ms, given=given, page=place.page + 1
    )
    return cursor


def _size(call: Call) -> int:
    if "count" not in call.query and call.world.assumptions.events_count_required:
        raise call.missing("count")
    try:
        return call.count(MOST, MOST)
    except XRefusal as error:
        raise _refused(call, error.message) from None


def _millis(call: Call, name: str) -> int:
    try:
        return int(call.long(name, call.query[name]))
    except XRefusal as error:
        raise _refused(call, error.message) from None


def _refused(call: Call, message: str) -> XRefusal:
    return refusal(call.world.assumptions.events_refused, message)
