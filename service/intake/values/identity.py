"""Who the customer is on X: an id, a handle, or None if the field holds neither.

The field decides which, not the look of the value: an all-digit string can be a legal handle. Asks nobody; finding the
id behind a handle is outreach's business.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from service.intake.values.fields import NOTHING
from service.settings.values import is_x_user_id

TRUSTS = ("vendor_verified", "bridge", "crm_entered")
X_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
X_HOSTS = frozenset({"x.com", "www.x.com", "mobile.x.com", "twitter.com", "www.twitter.com", "mobile.twitter.com"})
# first path segments that are pages of X itself, not people
RESERVED = frozenset({
    "i", "intent", "share", "home", "explore", "search", "hashtag", "messages", "notifications", "settings", "login",
    "signup", "compose", "tos", "privacy", "about", "jobs", "download", "account",
})  # fmt: skip
EXACT_IN_ANY_SENDER = 2**53
FULL_WIDTH = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}  # as Japanese keyboards write `@acme`


def x_user_id(value: Any) -> str | None:
    """Return the numeric id. A JSON number is accepted only if no sender can have rounded it (up to 2**53)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= EXACT_IN_ANY_SENDER:
        return str(value)
    return value.strip() if isinstance(value, str) and is_x_user_id(value.strip()) else None


def x_handle(value: Any) -> str | None:
    """Return the handle without its leading `@`, as written; compare it regardless of case.

    People also paste the profile's address into the same field, along with invisible characters.
    """
    if not isinstance(value, str):
        return None
    if "/" in value:
        return handle_from_url(value)
    bare = _seen(value).strip().removeprefix("@")
    return bare if X_HANDLE.fullmatch(bare) else None


def handle_from_url(value: Any) -> str | None:
    """Return the handle in a profile address at x.com or twitter.com."""
    if not isinstance(value, str):
        return None
    text = _seen(value).strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() not in X_HOSTS:
        return None
    segment = parts.path.lstrip("/").partition("/")[0]
    return None if segment.lower() in RESERVED else x_handle(segment)


WHO: Mapping[str, tuple[Callable[[Any], str | None], str]] = {
    "x_user_id": (x_user_id, "is no X user id (1 to 19 digits, sent as a text)"),
    "x_handle": (x_handle, "is no X handle (1 to 15 of A-Z, a-z, 0-9, _)"),
    "x_profile_url": (handle_from_url, "is no address of an X profile"),
}
"""The fields that say who somebody is: how each is read, and what is said of a value that is not read."""


def read(name: str, given: Any, notes: list[str]) -> str | None:
    """Return what a field says of who somebody is; a value that says nothing leaves a note."""
    convert, why = WHO[name]
    found = convert(given)
    if found is None and given is not None and str(given).strip().lower() not in NOTHING:
        notes.append(f"{name} {why}")
    return found


def _seen(text: str) -> str:
    """The visible part of a text, in letters of normal width."""
    return "".join(each for each in text.translate(FULL_WIDTH) if unicodedata.category(each) != "Cf")
