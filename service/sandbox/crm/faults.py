"""What goes wrong on purpose: a rule from /_control makes another answer of the vendor's, or only takes time.

refused   401, as for a wrong key         limited   429 with the vendor's own header
missing   404, as for nobody              status    any status
slow      the answer comes late           html      a page instead of JSON
half      JSON that breaks off            redirect  to an address inside the network
expired   tokens end before their time    drop      the connection ends without an answer
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from flask import Response

KINDS = ("refused", "limited", "missing", "status", "slow", "html", "half", "redirect", "expired", "drop")
INSIDE = "http://169.254.169.254/latest/meta-data/"
PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"


@dataclass(slots=True)
class Fault:
    """One rule: the next `times` calls of a vendor (all: `*`) meet it."""

    fault: str
    vendor: str = "*"
    times: int = 1
    status: int = 500
    seconds: float = 1.0
    hits: int = 0


def fault_from(raw: Mapping[str, Any]) -> Fault:
    """A rule from JSON. Raises ValueError, saying what is wrong."""
    unknown = set(raw) - ({each.name for each in fields(Fault)} - {"hits"})
    if unknown or raw.get("fault") not in KINDS:
        raise ValueError(f"A rule has fault ({', '.join(KINDS)}), vendor, times, status, seconds; not {dict(raw)!r}.")
    return Fault(**raw)


def draw(faults: list[Fault], vendor: str, *, signing_in: bool = False) -> Fault | None:
    """The first rule that hits this call, its count taken. Nobody limits how often one signs in."""
    for each in faults:
        mine = each.vendor in {"*", vendor} and not (signing_in and each.fault == "limited")
        if mine and each.hits < each.times:
            each.hits += 1
            return each
    return None


def spoiled(fault: Fault, answer: Response) -> Response:
    """What comes instead of a whole answer."""
    match fault.fault:
        case "slow":
            time.sleep(fault.seconds)
        case "html":
            return Response(PAGE, 200, content_type="text/html; charset=utf-8")
        case "half":
            body = answer.get_data()
            return Response(body[: len(body) // 2], 200, content_type="application/json")
        case "redirect":
            return Response("", 302, {"Location": INSIDE})
        case "status":
            return Response('{"error": "made up"}', fault.status, content_type="application/json")
    return answer
