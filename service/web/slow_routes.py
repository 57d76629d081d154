"""Addresses whose answers may take long, whoever asks, told by the application to its server.

The server gives each a thread of its own, so that nobody else waits.
"""

from collections.abc import Iterable
from typing import Any

import flask

NAME = "dm_feedback.apart"


def tell(app: flask.Flask, addresses: Iterable[str]) -> None:
    """Let the server know the addresses."""
    app.extensions[NAME] = frozenset(addresses)


def of(application: Any) -> frozenset[str]:
    """Return the addresses of an application; none if it is not ours."""
    found: frozenset[str] = getattr(application, "extensions", {}).get(NAME, frozenset())
    return found
