"""The opening DM, which precedes the message that asks, whichever way that goes: in, a text; out, what X has now."""

from datetime import datetime

from service.settings import Account
from service.ways.way import Delivered, Way
from service.x_api import XClient

ENDPOINT = "send_dm"


def send(x: XClient, to_user_id: str, text: str, signed_at: datetime) -> Delivered:
    """Write the DM."""
    sent = x.send_dm(to_user_id, text, signed_at=signed_at).value
    return Delivered(sent.id, sent.id, None, sent.created_at)


def per_day(account: Account, way: Way) -> int:
    """Return how many openings a day may hold: no more than messages that ask can follow."""
    return min(account.dms_per_day, way.per_day(account))
