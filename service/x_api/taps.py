"""Quick replies that name their request: makes the options, and reads what a tap says.

An option's metadata comes back to us through X when it is tapped. It is signed, so nobody can make one up for a request
that is not theirs; X says whose tap it is. A label never holds a link: X refuses those.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.x_api.facts import Option
from service.x_api.questions import SCORE_RANGE

LABEL_LIMIT = 36
_FORM = re.compile(r"dmf1:(?P<request>[A-Za-z0-9_]{1,40}):(?P<score>[0-9]{1,2}):(?P<proof>[A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Tap:
    """What a tapped option says: this score, for this request."""

    request_id: str
    score: int


def options(hash_key: str, request_id: str, card_type: str, labels: Mapping[int, str]) -> Sequence[Option]:
    """One option per score, in the order of the scale; `labels` may name some of them in words."""
    return [
        Option(labels.get(score, str(score))[:LABEL_LIMIT], _metadata(hash_key, request_id, score))
        for score in SCORE_RANGE[card_type]
    ]


def read(hash_key: str, metadata: str) -> Tap | None:
    """What the metadata of a tap says, or None if it is not ours."""
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
