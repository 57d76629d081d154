"""Makes a delivery to try a source with: one of a preset's payloads, renewed.

Its conversation, customer and time are replaced, whatever form the body has. It names nobody on X unless told to: a
trial must not write to a stranger.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from service.intake.delivery.inbound import Inbound, parse_request_file
from service.intake.presets import payload, preset_expected
from service.intake.values.times import parse_time

SAME_MOMENT = timedelta(seconds=1)
ISO = r"\d{4}-\d\d-\d\dT\d\d(?::|%3A)\d\d(?::|%3A)\d\d(?:\.\d+)?(?:Z|(?:[+-]|%2B)\d\d(?::|%3A)?\d\d)?"
MOMENT = re.compile(rf"{ISO}|(?<![\w.])\d{{10}}(?:\d{{3}})?(?:\.\d+)?(?![\w.])")
PROFILE = re.compile(r'"https?://(?:www\.)?(?:x|twitter)\.com/[^"]*"')
MESSAGE_ID = re.compile(r"(?:-id|-delivery)$")


@dataclass(frozen=True, slots=True)
class TryOf:
    """What a trial delivery reports: a conversation, and the customer by the CRM's id, X's id, or a handle."""

    conversation: str | None = None
    customer: str | None = None
    x_user_id: str | None = None
    x_handle: str | None = None


def sample(preset: str, public_url: str, source: str, said: TryOf, now: datetime) -> Inbound:
    """Return the preset's first payload of an end, renewed and not signed."""
    fixtures = preset_expected(preset)["fixtures"]
    file = next(name for name in fixtures if name.startswith("ended"))
    inbound, told = parse_request_file(payload(preset, file), public_url, source), fixtures[file]["fields"]
    body = PROFILE.sub("null", _at(inbound.body.decode(), told.get("ended_at"), now))
    for old, new in _changes(told, said, now):
        body = _with(body, old, new)
    headers = {name: f"{value}-{int(now.timestamp())}" if MESSAGE_ID.search(name) else value
               for name, value in inbound.headers.items()}  # fmt: skip
    return replace(inbound, headers=headers, body=body.encode())


def _changes(told: Mapping[str, Any], said: TryOf, now: datetime) -> Iterator[tuple[str, str | None]]:
    """Old texts and their replacements; None: nothing."""
    old = str(told["conversation_id"])
    another = str(int(now.timestamp()))
    yield old, said.conversation or (another if old.isdecimal() else f"{old}-{another}")
    if told.get("x_user_id"):
        yield str(told["x_user_id"]), said.x_user_id
    if told.get("x_handle"):
        yield str(told["x_handle"]), said.x_handle
    if told.get("customer_ref") and said.customer:
        yield str(told["customer_ref"]), said.customer


def _with(body: str, old: str, new: str | None) -> str:
    """Replace a word; without a new one by `null` if it is the whole text, and by 0, who is nobody, within one."""
    word = rf"(?<!\w){re.escape(old)}(?!\w)"
    if new is not None:
        return re.sub(word, lambda _: new, body)
    return re.sub(rf"(?<=_){re.escape(old)}(?!\w)|{word}", "0", re.sub(rf'"@?{re.escape(old)}"', "null", body))


def _at(body: str, ended_at: str | None, now: datetime) -> str:
    """Set its end to now, in the format it uses for times."""
    then = None if ended_at is None else datetime.fromisoformat(ended_at)

    def anew(match: re.Match[str]) -> str:
        written = unquote(match[0])
        moment = parse_time(written, "auto")
        if then is None or moment is None or abs(moment - then) > SAME_MOMENT:
            return match[0]
        if "T" in written:
            return quote(f"{now:%Y-%m-%dT%H:%M:%SZ}", safe="" if "%" in match[0] else ":")
        digits = len(written.partition(".")[0])
        return str(int(now.timestamp() * 10 ** (digits - 10)))

    return MOMENT.sub(anew, body)
