"""Asking by a DM with X's quick replies, one per score: a tap answers. Needs v1.1 DMs and a webhook for what comes in.

Each option carries signed metadata with request and score, which `results/replies.py` reads back. A send with unknown
outcome is found in the DM list by its text.
"""

from datetime import datetime, timedelta

from service.states import Kind
from service.ways import opening
from service.ways.catalogue import choose
from service.ways.scale import words
from service.ways.way import Asking, Delivered, Way
from service.x_api import XClient, taps


def send(x: XClient, asking: Asking, signed_at: datetime) -> Delivered:
    """Send the DM, with one option per score in the customer's language, else in that of the text."""
    said = words(asking.type, choose(asking.languages))
    labels = {score: f"{score} {word}" for score, word in said.items()}
    options = taps.options(asking.key, asking.request_id, asking.type, labels)
    sent = x.send_dm(asking.to_user_id, asking.text, signed_at=signed_at, options=options).value
    return Delivered(sent.id, sent.id, None, sent.created_at)


def recognise(key: str, metadata: str) -> taps.Tap | None:
    """Return the request and the score a tap names, or None if we did not sign it."""
    return taps.read(key, metadata)


WAY = Way("quick_reply", opening.ENDPOINT, timedelta(0), send, opening.dms_per_day, (Kind.OPENING, Kind.ASKING))
