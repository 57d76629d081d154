"""Asking by a link to our own question page: a plain DM, which every client shows and every way of sending can carry.

Needs no privilege at X. The answer comes to the page and names its request by the token. A send with unknown outcome is
found in the DM list by its text.
"""

from datetime import datetime, timedelta

from service.states import Kind
from service.ways import opening
from service.ways.links import token_hash
from service.ways.way import Asking, Delivered, Way
from service.x_api import XClient


def send(x: XClient, asking: Asking, signed_at: datetime) -> Delivered:
    """Write the DM."""
    return opening.send(x, asking.to_user_id, asking.text, signed_at)


def recognise(token: str) -> str | None:
    """Return what a link's request is found by, or None if it does not look like a link of ours."""
    return token_hash(token)


WAY = Way("page", opening.ENDPOINT, timedelta(0), send, opening.dms_per_day, (Kind.OPENING, Kind.ASKING))
