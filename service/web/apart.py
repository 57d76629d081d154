"""Addresses whose answers may wait for somebody else: in, what the application knows; out, what its server must know.

The server gives each a thread of its own, so that nobody else waits. Holds no rule about which they are.
"""

from collections.abc import Iterable
from typing import Any

import flask

NAME = "dm_feedback.apart"


def tell(app: flask.Flask, addresses: Iterable[str]) -> None:
    """Let the server know the addresses."""
    app.extensions[NAME] = frozenset(addresses)


def of(application: Any) -> frozenset[str]:
    """Return the addresses of an application; none where it is not ours."""
    found: frozenset[str] = getattr(application, "extensions", {}).get(NAME, frozenset())
    return found
