"""The ways of asking in a run: accounts take one of three in turn. Returns campaigns, and X's prompts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

TAP, LINK = "How did we do? Tap one.", "How did we do? Answer here: {page}"
WAYS = ("card", "quick_reply", "page")
TEXTS = {"opening": "Thanks for writing.", "card": "How did we do?", "quick_reply": TAP, "page": LINK}
PAGE = re.compile(re.escape(LINK).replace(re.escape("{page}"), r"http://\S+/f/[A-Za-z0-9_-]{22}"))


def campaigns(accounts: Sequence[str]) -> dict[str, Any]:
    """One campaign for each way that an account uses."""
    taken = {way: accounts[place :: len(WAYS)] for place, way in enumerate(WAYS)}
    return {
        way: {
            "type": "csat", "privacy_url": "https://acme.example/privacy", "delay": "500ms", "ways": [way],
            "accounts": list(names), "texts": {"en": TEXTS},
        }
        for way, names in taken.items() if names
    }  # fmt: skip


def asks(message: Mapping[str, Any]) -> bool:
    """Whether a DM of ours at X is one that asks; else it is an opening."""
    return message["text"] == TAP or PAGE.fullmatch(message["text"]) is not None
