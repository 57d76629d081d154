"""X's limits: 15-minute windows per user and endpoint for GETs, and sends per 24 hours. Counts only under the lock."""

from collections import deque
from collections.abc import Mapping

from service.sandbox.clock import DAY_MS
from service.sandbox.state import Key, World
from service.sandbox.writing import XRefusal, refusal

#: Calls per window and user, as X documents them.
WINDOW_LIMITS: Mapping[str, int] = {
    "account/verify_credentials": 75,
    "users/show": 900,
    "users/lookup": 900,
    "friendships/show": 180,
    "direct_messages/events/list": 15,
    "direct_messages/events/show": 15,
    "feedback/show": 180,
    "feedback/events": 1_000,
    "application/rate_limit_status": 180,
    "2/users/me": 75,
    "2/users/:id": 900,
    "2/users/by/username": 900,
    "2/dm_conversations/messages": 15,
    "2/dm_conversations/dm_events": 15,
}
#: Where rate_limit_status lists each of them.
RATE_PATHS: Mapping[str, tuple[str, str]] = {
    "account/verify_credentials": ("account", "/account/verify_credentials"),
    "users/show": ("users", "/users/show/:id"),
    "users/lookup": ("users", "/users/lookup"),
    "friendships/show": ("friendships", "/friendships/show"),
    "direct_messages/events/list": ("direct_messages", "/direct_messages/events/list"),
    "direct_messages/events/show": ("direct_messages", "/direct_messages/events/show"),
    "feedback/show": ("feedback", "/feedback/show/:id"),
    "feedback/events": ("feedback", "/feedback/events"),
    "application/rate_limit_status": ("application", "/application/rate_limit_status"),
}


def spend(world: World, user_id: str, endpoint: str, now_ms: int) -> dict[str, str]:
    """Count one call and give its headers; XRefusal 429/88 with headers when the window is used up."""
    limit = WINDOW_LIMITS.get(endpoint)
    if limit is None or not world.assumptions.rate_limits:
        return {}
    window = _window(world, (user_id, endpoint), now_ms)
    if window[1] >= limit:
        raise XRefusal(429, 88, headers=_headers(world, limit, 0, window[0]))
    window[1] += 1
    return _headers(world, limit, limit - window[1], window[0])


def status(world: World, user_id: str, families: set[str], now_ms: int) -> dict[str, dict[str, object]]:
    """The `resources` of rate_limit_status, of these families or (none named) of all."""
    resources: dict[str, dict[str, object]] = {}
    for endpoint, (family, path) in RATE_PATHS.items():
        if families and family not in families:
            continue
        start_ms, used = world.windows.get((user_id, endpoint), [now_ms, 0])
        if now_ms >= _end_ms(world, start_ms):
            start_ms, used = now_ms, 0
        limit = WINDOW_LIMITS[endpoint]
        resources.setdefault(family, {})[path] = {
            "limit": limit,
            "remaining": limit - used,
            "reset": reset_s(world, _end_ms(world, start_ms)),
        }
    return resources


def check_dms(world: World, account: str, recipient: str, now_ms: int, *, v2: bool = False) -> None:
    """Refuse a DM beyond the account's or its app's 24 h allowance; on v1.1 a free reply always passes."""
    if free_reply(world, account, recipient, now_ms) and not v2:
        return
    app = world.accounts[account].consumer_key
    rules = world.assumptions
    own, of_app = (rules.v2_dms_per_day,) * 2 if v2 else (rules.dms_per_day, rules.app_dms_per_day)
    over = _count(world.sent[("dm", account)], now_ms) >= own
    if over or _count(world.sent[("dm app", app)], now_ms) >= of_app:
        raise refusal(rules.dm_daily_limit)


def count_dm(world: World, account: str, recipient: str, now_ms: int, *, v2: bool = False) -> None:
    """A DM was sent."""
    if free_reply(world, account, recipient, now_ms) and not v2:
        world.replies[(account, recipient)][1] += 1
        return
    world.sent[("dm", account)].append(now_ms)
    world.sent[("dm app", world.accounts[account].consumer_key)].append(now_ms)


def open_replies(world: World, account: str, customer: str, at_ms: int) -> None:
    """An inbound DM opens, or opens anew, the free replies to that customer."""
    world.replies[(account, customer)] = [at_ms, 0]


def free_reply(world: World, account: str, recipient: str, now_ms: int) -> bool:
    """Whether a DM to them would not count."""
    opened_ms, used = world.replies.get((account, recipient), (0, 0))
    return now_ms < opened_ms + DAY_MS and used < world.assumptions.reply_allowance


def check_cards(world: World, account: str, now_ms: int) -> None:
    """Refuse a card beyond the account's 24 h allowance."""
    if _count(world.sent[("card", account)], now_ms) >= world.assumptions.cards_per_day:
        raise refusal(world.assumptions.card_daily_limit)


def count_card(world: World, account: str, now_ms: int) -> None:
    """A card was created."""
    world.sent[("card", account)].append(now_ms)


def reset_s(world: World, reset_ms: int) -> int:
    """A reset as epoch seconds, on the clock the switch names."""
    if world.assumptions.rate_reset_clock == "wall":
        left = world.clock.real_seconds_until(reset_ms)
        return int(world.clock.wall_s() + (left or 0.0)) + 1
    return -(-reset_ms // 1000)


def _window(world: World, key: Key, now_ms: int) -> list[int]:
    window = world.windows.get(key)
    if window is None or now_ms >= _end_ms(world, window[0]):
        window = world.windows[key] = [now_ms, 0]
    return window


def _end_ms(world: World, start_ms: int) -> int:
    return start_ms + world.assumptions.rate_window_s * 1000


def _headers(world: World, limit: int, remaining: int, start_ms: int) -> dict[str, str]:
    return {
        "x-rate-limit-limit": str(limit),
        "x-rate-limit-remaining": str(remaining),
        "x-rate-limit-reset": str(reset_s(world, _end_ms(world, start_ms))),
    }


def _count(times: deque[int], now_ms: int) -> int:
    while times and times[0] <= now_ms - DAY_MS:
        times.popleft()
    return len(times)
