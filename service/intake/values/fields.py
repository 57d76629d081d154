"""One field: what an expression found becomes a text that fits its column, or None and a note why not.

A bad field never costs the event: it is set aside, and the note says which and why, without its value.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from service.intake.values.languages import language_tag

# what templates and careless clients write where there is nothing
NOTHING = frozenset({"", "null", "none", "nil", "undefined", "nan"})
# what no id and no word holds, each with what is said of it
TEMPLATE = re.compile(r"\{\{|\}\}|\$\{|\{!")
BROKEN = re.compile("\ufffd")
UNKEPT = re.compile("[\x00\ud800-\udfff]")
ODD = re.compile("|".join(each.pattern for each in (TEMPLATE, BROKEN, UNKEPT)))
WHY = (
    (TEMPLATE, "is a template's placeholder that the sender did not fill"),
    (BROKEN, "holds a letter that was broken on its way; declare the charset, or send UTF-8"),
    (UNKEPT, "holds a character no database keeps (NUL or half a surrogate pair)"),
)
MAX_TEXT, MAX_LANGUAGE_NAME, MAX_TAGS = 256, 80, 1000
PARTS_TAGS = re.compile(r"[,;\n]")  # Salesforce parts what was picked by semicolons
EXACT_IN_A_FRACTION = 2**53


class NotText(Exception):
    """A value that is present but unusable; the text says why, without the value."""


def text(value: Any, limit: int = MAX_TEXT) -> str | None:
    """Return an id or a word as text; None if there is nothing. Raises NotText."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_A_FRACTION:
        value = int(value)  # 5158.0, as some libraries write a whole number
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotText(f"is {_kind(value)}, not a text or a whole number")
    found = str(value).strip()
    if found.lower() in NOTHING:
        return None
    if ODD.search(found):
        raise NotText(next(why for odd, why in WHY if odd.search(found)))
    if len(found) > limit:
        raise NotText(f"is longer than {limit} characters")
    return found


def tags(value: Any, notes: list[str]) -> tuple[str, ...]:
    """Return tags from a list, or from a text with commas or semicolons. Raises NotText if none is usable.

    A bad tag costs only itself: without the others a conversation tagged `no-survey` would be asked about. `notes`
    gets a line about what was set aside.
    """
    if isinstance(value, str):
        value = _parted(value)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise NotText(f"is {_kind(value)}, not a list")
    good, bad = _sorted_out(value)
    if bad and not good:
        raise bad[0]
    if bad:
        notes.append(f"tags: {len(bad)} of {len(value)} set aside; the first {bad[0]}")
    if len(good) > MAX_TAGS:
        notes.append(f"tags: only the first {MAX_TAGS} of {len(good)} are kept")
    return tuple(good[:MAX_TAGS])


def language(value: Any) -> str | None:
    """Return a language tag such as `de` or `pt-BR`, from a tag or a name such as `Deutsch`. Raises NotText."""
    found = text(value, MAX_LANGUAGE_NAME)
    if found is None:
        return None
    tag = language_tag(found)
    if tag is None:
        raise NotText("is neither a language tag such as 'de' or 'pt-BR' nor a language name we know")
    return tag


def _parted(text: str) -> list[Any]:
    """The tags in a text; some senders write a JSON list into it."""
    try:
        listed = json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        listed = None
    return listed if isinstance(listed, list) else PARTS_TAGS.split(text)


def _sorted_out(values: Iterable[Any]) -> tuple[list[str], list[NotText]]:
    """The usable tags, each once, in order, and why the others are not."""
    good: dict[str, None] = {}
    bad = []
    for each in values:
        try:
            found = text(each)
        except NotText as problem:
            bad.append(problem)
            continue
        if found:
            good[found] = None
    return list(good), bad


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return {list: "a list", dict: "an object", float: "a fraction"}.get(type(value), "something else")
