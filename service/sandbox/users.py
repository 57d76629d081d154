"""Users and relations: account/verify_credentials, users/show, users/lookup, friendships/show.

User objects have id_str and, by switch and person, can_dm. `find` is how every other file meets a user. Changes
nothing, except that unknown customers may be created on the spot.
"""

import re
from typing import Any

from service.sandbox import customers, limits
from service.sandbox.call import Call
from service.sandbox.state import Person, World
from service.sandbox.writing import XRefusal, refusal, x_date

MAX_LOOKUP = 100
_JOINED_MS = 1_292_018_623_000
MADE_UP = re.compile(r"user([1-9][0-9]{0,10})")
_NAME = re.compile(r"[A-Za-z0-9_]{1,15}")


def verify_credentials(call: Call) -> dict[str, Any]:
    """The caller's own user object."""
    return user_json(call, call.world.people[call.caller])


def show(call: Call) -> dict[str, Any]:
    """users/show by user_id or screen_name; 404/50 unknown, 403/63 suspended."""
    return user_json(call, _asked(call, "user_id", "screen_name"))


def lookup(call: Call) -> list[dict[str, Any]]:
    """users/lookup: unknown and suspended users silently missing, order not kept, 404/17 when none is left."""
    given = call.params
    ids = [one.strip() for one in given.get("user_id", "").split(",") if one.strip()]
    names = [one.strip() for one in given.get("screen_name", "").split(",") if one.strip()]
    if not 1 <= len(ids) + len(names) <= MAX_LOOKUP:
        raise XRefusal(404, 17) if not ids and not names else XRefusal(403, 18, "Too many terms specified in query.")
    found = [find(call.world, call.long("user_id", one)) for one in ids]
    found += [find_named(call.world, name) for name in names]
    seen = {one.user_id: one for one in found if one is not None and not one.suspended}
    if not seen:
        raise XRefusal(404, 17)
    return [user_json(call, seen[user_id]) for user_id in sorted(seen)]


def friendship(call: Call) -> dict[str, Any]:
    """friendships/show: can_dm stands under relationship.source; null when the caller is not the source."""
    target = _asked(call, "target_id", "target_screen_name")
    source = call.world.people[call.caller]
    if {"source_id", "source_screen_name"} & set(call.query):
        source = _asked(call, "source_id", "source_screen_name")
    return {"relationship": {"source": _source_json(call, source, target), "target": _target_json(target)}}


def rate_limit_status(call: Call) -> dict[str, Any]:
    """application/rate_limit_status, of all or of the named `resources`."""
    families = {one for one in call.query.get("resources", "").split(",") if one}
    token = call.world.accounts[call.caller].token
    resources = limits.status(call.world, call.caller, families, call.now_ms)
    return {"rate_limit_context": {"access_token": token}, "resources": resources}


def find(world: World, user_id: str) -> Person | None:
    """The person with this id; by switch one is made up when first met."""
    person = world.people.get(user_id)
    if person is None and world.assumptions.auto_create_customers:
        person = customers.create(world, {"user_id": user_id})
    return person


def find_named(world: World, screen_name: str) -> Person | None:
    """The person with this name; by switch one is made up whose name says their number, as `customers` names them."""
    made_up = MADE_UP.fullmatch(screen_name.lower())
    user_id = world.names.get(screen_name.lower(), made_up[1] if made_up else "")
    return find(world, user_id) if made_up else world.people.get(user_id)


def can_be_messaged(person: Person) -> bool:
    """The truth behind can_dm, also when the field is missing."""
    return person.dm_error is None if person.can_dm is None else person.can_dm


def check_messageable(world: World, user_id: str) -> Person:
    """The recipient of a DM; refuses who is unknown, suspended or not to be messaged."""
    person = find(world, user_id)
    if person is None:
        raise refusal(world.assumptions.dm_unknown_recipient)
    if person.suspended:
        raise XRefusal(403, 63)
    if person.dm_error is not None:
        raise refusal(person.dm_error)
    if person.can_dm is False:
        raise refusal(world.assumptions.dm_not_allowed)
    return person


def user_json(call: Call, person: Person) -> dict[str, Any]:
    """A user object as live recordings show it, about the keys a client may lean on."""
    body: dict[str, Any] = {
        "id": int(person.user_id),
        "id_str": person.user_id,
        "name": person.name,
        "screen_name": person.screen_name,
        "location": "",
        "description": "",
        "url": None,
        "entities": {"description": {"urls": []}},
        "protected": person.protected,
        "followers_count": 12,
        "friends_count": 34,
        "listed_count": 0,
        "created_at": x_date(_JOINED_MS, "spaced"),
        "favourites_count": 0,
        "utc_offset": None,
        "time_zone": None,
        "geo_enabled": False,
        "verified": person.is_account,
        "statuses_count": 56,
        "lang": None,
        "contributors_enabled": False,
        "is_translator": False,
        "profile_background_color": "F5F8FA",
        "profile_image_url_https": "https://abs.twimg.com/sticky/default_profile_images/default_profile_normal.png",
        "default_profile": True,
        "default_profile_image": True,
        "following": False,
        "follow_request_sent": False,
        "notifications": False,
        "translator_type": "none",
        "suspended": False,
        "needs_phone_verification": False,
    }
    if call.world.assumptions.users_can_dm == "present" and person.can_dm is not None:
        body["can_dm"] = person.can_dm
    return body


def _asked(call: Call, id_key: str, name_key: str) -> Person:
    given = call.params
    if id_key in given:
        person = find(call.world, call.long(id_key, given[id_key]))
    elif name_key in given:
        if not _NAME.fullmatch(given[name_key]):
            raise XRefusal(404, 50)
        person = find_named(call.world, given[name_key])
    else:
        raise call.missing(id_key)
    if person is None:
        raise XRefusal(404, 50)
    if person.suspended:
        raise XRefusal(403, 63)
    return person


def _source_json(call: Call, source: Person, target: Person) -> dict[str, Any]:
    own = source.user_id == call.caller
    flag = False if own else None
    body: dict[str, Any] = {
        "id": int(source.user_id),
        "id_str": source.user_id,
        "screen_name": source.screen_name,
        "following": False,
        "followed_by": False,
        "live_following": flag,
        "following_received": flag,
        "following_requested": flag,
        "notifications_enabled": flag,
        "can_dm": can_be_messaged(target) if own else None,
        "blocking": flag,
        "blocked_by": flag,
        "muting": flag,
        "want_retweets": flag,
        "all_replies": flag,
        "marked_spam": flag,
    }
    if call.world.assumptions.friendships_can_dm == "missing":
        del body["can_dm"]
    return body


def _target_json(target: Person) -> dict[str, Any]:
    return {
        "id": int(target.user_id),
        "id_str": target.user_id,
        "screen_name": target.screen_name,
        "following": False,
        "followed_by": False,
        "following_received": False,
        "following_requested": False,
    }
