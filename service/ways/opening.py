"""The opening DM, which precedes the message that asks, whichever way that goes."""

from collections.abc import Sequence
from datetime import datetime

from service.settings import Account
from service.states import Kind
from service.ways.way import Bound, Delivered, Way
from service.x_api import XClient

ENDPOINT = "send_dm"


def send(x: XClient, to_user_id: str, text: str, signed_at: datetime) -> Delivered:
    """Write the DM."""
    sent = x.send_dm(to_user_id, text, signed_at=signed_at).value
    return Delivered(sent.id, sent.id, None, sent.created_at)


def dms_per_day(account: Account) -> int:
    """Return how many DMs X lets this account send in 24 hours, openings and those that ask together."""
    return account.dms_per_day


def per_day(account: Account, way: Way) -> int:
    """Return how many openings a day allows: no more than messages that ask can follow."""
    most = min(account.dms_per_day, way.per_day(account))
    return most // 2 if Kind.OPENING in way.shares else most


def bounds(account: Account, way: Way) -> Sequence[Bound]:
    """Return the limits on an opening: its own slots, and those it shares with messages that ask."""
    own = Bound((Kind.OPENING,), per_day(account, way))
    return [own, way.bound(account)] if Kind.OPENING in way.shares else [own]
