"""Fills the gaps of a path template with what is known of a customer or conversation.

The values come from the CRM, so from strangers: only characters an id is made of are accepted, and they are encoded
all the same. The result never leaves the API's address.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

GAP = re.compile(r"\{([a-z_]{1,40})\}")
A_CURSOR = re.compile(r"[!-~]{1,2000}")
AN_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:@|=+-]{0,254}[A-Za-z0-9_=])?")
PATH = re.compile(r"/(?:[A-Za-z0-9_~.,:;@!$'()*+=&?%/ -]|\{[a-z_]{1,40}\})*")


class Unaskable(Exception):
    """A path that cannot be built; its text is a sentence without the value."""


def mistakes(template: str, known: set[str]) -> Iterator[str]:
    """Say what is wrong with a template; `known` are the names that may stand in its gaps."""
    if not PATH.fullmatch(template) or template.startswith("//") or ".." in template or "\\" in template:
        yield "must be a path such as '/api/v2/tickets/{conversation_id}.json', beginning with one slash"
        return
    for name in GAP.findall(template):
        if name not in known:
            yield f"there is no {{{name}}}; there are {', '.join(sorted(known))}"


def filled(template: str, known: Mapping[str, str], cursors: frozenset[str] = frozenset()) -> str:
    """Return the path with its gaps filled. Raises Unaskable. `cursors` are gaps for an API's own words, in a query."""

    def one(match: re.Match[str]) -> str:
        value = known.get(match[1], "")
        if not value:
            raise Unaskable(f"{match[1]} is not known")
        if match[1] in cursors:
            if not A_CURSOR.fullmatch(value):
                raise Unaskable(f"{match[1]} holds what no cursor is made of")
            return quote(unquote_to_bytes(value), safe="")  # where it was cut out of an address it is encoded already
        if not AN_ID.fullmatch(value) or ".." in value:
            raise Unaskable(f"{match[1]} holds what no id is made of")
        return quote(value, safe="")

    # what the template itself holds is encoded too, but for what a path and a query are made of
    parts = GAP.split(template)
    path = "".join(
        quote(part, safe="/?&=:;,@!$'()*+%~") if n % 2 == 0 else "{" + part + "}" for n, part in enumerate(parts)
    )
    return GAP.sub(one, path)
