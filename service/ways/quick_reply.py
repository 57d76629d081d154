"""Asking by a DM with X's quick replies, one per score: a tap answers. Needs v1.1 DMs and a webhook for what comes in.

An option's metadata names request and score, and comes back to us through X when it is tapped. It is signed, so nobody
can make one up for a request that is not theirs; X says whose tap it is. A label never holds a link: X refuses those. A
send with unknown outcome is found in the DM list by its text.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.states import Kind
from service.ways import opening
from service.ways.catalogue import choose
from service.ways.scale import words
from service.ways.way import Asking, Delivered, Way
from service.x_api import XClient
from service.x_api.facts import Option
from service.x_api.questions import SCORE_RANGE

LABEL_LIMIT = 36
_FORM = re.compile(r"dmf1:(?P<request>[A-Za-z0-9_]{1,40}):(?P<score>[0-9]{1,2}):(?P<proof>[A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Tap:
    """What a tapped option says: this score, for this request."""

    request_id: str
    score: int


def send(x: XClient, asking: Asking, signed_at: datetime) -> Delivered:
    """Send the DM, with one option per score in the customer's language, else in that of the text."""
    said = words(asking.type, choose(asking.languages))
    labels = {score: f"{score} {word}" for score, word in said.items()}
    buttons = options(asking.key, asking.request_id, asking.type, labels)
    sent = x.send_dm(asking.to_user_id, asking.text, signed_at=signed_at, options=buttons).value
    return Delivered(sent.id, sent.id, None, sent.created_at)


def options(hash_key: str, request_id: str, card_type: str, labels: Mapping[int, str]) -> Sequence[Option]:
    """One option per score, in the order of the scale; `labels` may name some of them in words."""
    return [
        Option(labels.get(score, str(score))[:LABEL_LIMIT], _metadata(hash_key, request_id, score))
        for score in SCORE_RANGE[card_type]
    ]


def recognise(hash_key: str, metadata: str) -> Tap | None:
    """Return the request and the score a tap names, or None if we did not sign it."""
    found = _FORM.fullmatch(metadata)
    if found is None:
        return None
    tap = Tap(found["request"], int(found["score"]))
    wanted = _metadata(hash_key, tap.request_id, tap.score)
    return tap if hmac.compare_digest(metadata.encode(), wanted.encode()) else None


def _metadata(hash_key: str, request_id: str, score: int) -> str:
    said = f"dmf1:{request_id}:{score}"
    proof = hmac.digest(hash_key.encode(), f"tap\x1f{said}".encode(), "sha256")[:16]
    return f"{said}:{urlsafe_b64encode(proof).decode().rstrip('=')}"


WAY = Way("quick_reply", opening.ENDPOINT, timedelta(0), send, opening.dms_per_day, (Kind.OPENING, Kind.ASKING))
