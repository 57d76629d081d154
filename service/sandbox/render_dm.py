"""A DM as X's JSON, in the list, in an answer and in a push. Changes nothing.

How the list alters a text is a switch: X has never said that it alters none.
"""

import hashlib
import html
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from service.sandbox.state import Message, World

URL = re.compile(r"https?://[^\s]+")


def message_json(world: World, message: Message, *, listed: bool = False) -> dict[str, Any]:
    """The event as X shows it."""
    text, urls = message.text, list[dict[str, Any]]()
    if listed:
        text = _SHOWN[world.assumptions.list_texts](text)
    if world.assumptions.urls_as_tco:
        text, urls = _shortened(text)
    return {
        "type": "message_create",
        "id": str(message.id),
        "created_timestamp": str(message.at_ms),
        "message_create": {
            "target": {"recipient_id": message.recipient},
            "sender_id": message.sender,
            "message_data": {
                "text": text,
                "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": urls},
                **_quick_replies(message),
            },
        },
    }


def _quick_replies(message: Message) -> dict[str, Any]:
    if message.tapped is not None:
        return {"quick_reply_response": {"type": "options", "metadata": message.tapped}}
    if message.options:
        shown = [{"label": label, "metadata": metadata} for label, metadata in message.options]
        return {"quick_reply": {"type": "options", "options": shown}}
    return {}


def _visible(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf" and not "\ufe00" <= char <= "\ufe0f")


def _rewritten(text: str) -> str:
    """As an editor that means well: straight quotes curled, dashes drawn long, the last full stop dropped."""
    return text.replace('"', "\u201d").replace("'", "\u2019").replace(" - ", " \u2014 ").removesuffix(".")


_SHOWN: dict[str, Callable[[str], str]] = {
    "typed": str,
    "visible": _visible,
    "escaped": html.escape,
    "rewritten": _rewritten,
}


def _shortened(text: str) -> tuple[str, list[dict[str, Any]]]:
    parts: list[str] = []
    urls: list[dict[str, Any]] = []
    end = length = 0
    for found in URL.finditer(text):
        digest = hashlib.sha256(found.group().encode("utf-8", "replace")).digest()
        short = "https://t.co/" + urlsafe_b64encode(digest).decode().translate(_PLAIN)[:10]
        parts += (text[end : found.start()], short)
        start = length + found.start() - end
        length, end = start + len(short), found.end()
        urls.append(
            {
                "url": short,
                "expanded_url": found.group(),
                "display_url": found.group().split("://", 1)[1],
                "indices": [start, length],
            }
        )
    return "".join(parts) + text[end:], urls


_PLAIN = str.maketrans("-_", "Az", "=")
