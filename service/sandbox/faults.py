"""Faults set through /_control: which request they hit, and what the client sees instead of an answer.

A fault may drop the connection, spoil the answer, refuse, or only take time. "before" means nothing was stored; "after"
means it was, and such a fault only hits calls that did store something.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from flask import Response

from service.sandbox.limits import reset_s
from service.sandbox.state import Exchange, Rule, World
from service.sandbox.writing import XRefusal

#: fault -> the side of the commit it strikes on, and whether `when` may name the other
KINDS: Mapping[str, tuple[str, bool]] = {
    "drop_before": ("before", False),
    "drop_after_commit": ("after", False),
    "status": ("before", False),
    "status_after_commit": ("after", False),
    "429": ("before", False),
    "slow": ("after", True),
    "hang": ("after", True),
    "html": ("before", True),
    "empty": ("before", True),
    "half_json": ("after", True),
}
_KINDS_OF_VALUES: Mapping[str, tuple[type, ...]] = {
    "endpoint": (str,),
    "recipient": (str, NoneType),
    "account": (str, NoneType),
    "times": (int, NoneType),
    "skip": (int,),
    "probability": (int, float),
    "status": (int, NoneType),
    "code": (int, NoneType),
    "message": (str, NoneType),
    "seconds": (int, float),
    "headers": (bool,),
    "reset_in_s": (int, float),
    "retry_after_s": (int, float, NoneType),
}
_HANG_LOOK_S = 0.1
_DEFAULT_HANG_S = 3600.0


class Drop(ConnectionResetError):
    """The connection ends without an answer. Leaves the WSGI app, so a socketless client sees this exception."""


@dataclass(frozen=True, slots=True)
class Spoiled:
    """An answer no JSON client likes."""

    status: int
    content_type: str
    keep: float
    text: str | None

    def answer(self, whole: bytes) -> Response:
        """What the client sees in place of the whole answer."""
        body = whole[: int(len(whole) * self.keep)] if self.text is None else self.text.encode()
        return Response(body, self.status, content_type=self.content_type)


def read_rule(world: World, raw: Mapping[str, Any]) -> Rule:
    """A rule from /_control; ValueError says what is wrong."""
    unknown = set(raw) - {item.name for item in fields(Rule)} | {"id", "hits"} & set(raw)
    if unknown:
        raise ValueError(f"A fault rule has unknown keys: {', '.join(sorted(unknown))}.")
    if raw.get("fault") not in KINDS:
        raise ValueError(f"fault must be one of {', '.join(KINDS)}, not {raw.get('fault')!r}.")
    side, movable = KINDS[raw["fault"]]
    if raw.get("when", side) not in {"before", "after"} or (raw.get("when", side) != side and not movable):
        raise ValueError(f"{raw['fault']} strikes {side} the commit.")
    for name, kinds in _KINDS_OF_VALUES.items():
        if name in raw and (not isinstance(raw[name], kinds) or (isinstance(raw[name], bool) and bool not in kinds)):
            raise ValueError(f"{name} of a fault rule cannot be {raw[name]!r}.")
    if raw.get("how", "reset") not in {"reset", "close"}:
        raise ValueError("how must be reset or close.")
    return Rule(**{**raw, "when": raw.get("when", side), "id": world.next_number()})


def draw(world: World, endpoint: str, account: str | None, recipient: str | None) -> Rule | None:
    """The first rule that hits this call, its count taken; call it under the lock."""
    for rule in world.rules:
        if not _fits(rule, endpoint, account, recipient):
            continue
        if rule.skip > 0:
            rule.skip -= 1
        elif world.rng.random() < rule.probability:
            rule.hits += 1
            return rule
    return None


def give_back(world: World, rule: Rule) -> None:
    """The call stored nothing, so an after-commit fault does not strike; its count is restored."""
    with world.lock:
        rule.hits -= 1


def strike(
    world: World, rule: Rule | None, when: str, line: Exchange, connection: socket.socket | None
) -> Spoiled | None:
    """Do what the rule says, if it strikes before or after the commit. Not under the lock.

    Returns after `slow`, gives a `Spoiled` answer, or raises Drop or XRefusal.
    """
    if rule is None or rule.when != when:
        return None
    line.fault = rule.fault
    if rule.fault == "slow":
        world.released.wait(rule.seconds)
        return None
    if rule.fault == "hang":
        _hang(world.released, rule.seconds or _DEFAULT_HANG_S, connection)
    if rule.fault in {"hang", "drop_before", "drop_after_commit"}:
        _drop(connection, rule.how)
    if rule.fault in {"status", "status_after_commit"}:
        raise XRefusal(rule.status or 503, rule.code or 130, rule.message, _retry_after(rule))
    if rule.fault == "429":
        raise XRefusal(429, rule.code or 88, rule.message, _limit_headers(world, rule))
    return _spoiled(rule)


def _spoiled(rule: Rule) -> Spoiled:
    if rule.fault == "html":
        page = "<!DOCTYPE html><html><head><title>Twitter / Error</title></head><body>Over capacity</body></html>"
        return Spoiled(rule.status or 503, "text/html;charset=utf-8", 1.0, page)
    if rule.fault == "empty":
        return Spoiled(rule.status or 200, "application/json;charset=utf-8", 0.0, "")
    return Spoiled(rule.status or 200, "application/json;charset=utf-8", 0.5, None)


def _fits(rule: Rule, endpoint: str, account: str | None, recipient: str | None) -> bool:
    if rule.times is not None and rule.hits >= rule.times:
        return False
    return rule.endpoint in {"*", endpoint} and rule.account in {None, account} and rule.recipient in {None, recipient}


def _retry_after(rule: Rule) -> dict[str, str]:
    return {} if rule.retry_after_s is None else {"retry-after": str(int(rule.retry_after_s))}


def _limit_headers(world: World, rule: Rule) -> dict[str, str]:
    headers = _retry_after(rule)
    if rule.headers:
        reset = reset_s(world, world.clock.now_ms() + int(rule.reset_in_s * 1000))
        headers |= {
            "x-rate-limit-limit": "15",
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": str(reset),
        }
    return headers


def _hang(released: threading.Event, seconds: float, connection: socket.socket | None) -> None:
    """Say nothing until the time is over, the client has gone, or the sandbox is reset."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not released.wait(_HANG_LOOK_S):
        if connection is not None and select.select([connection], [], [], 0)[0]:
            return  # readable while we owe the answer: the client hung up


def _drop(connection: socket.socket | None, how: str) -> None:
    if connection is not None and how == "reset":
        with suppress(OSError):
            # Linger 0 makes the close a TCP reset, as when a proxy dies.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Drop("The sandbox dropped the connection.")
