"""Says with which other settings a refused signature would be right, for `dm-feedback sources explain`.

A wrong signature does not tell why; but the keys are at hand, and so is what was sent, so the usual ways of signing are
tried. Shows no key and no signature. Never decides about a delivery.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any

from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound
from service.intake.verify import Refusal
from service.intake.verify.shared_secret import DIGESTS, KEY_ENCODINGS, Hmac
from service.intake.verify.signed_parts import ENCODINGS, WHOLE_PARTS, Part
from service.intake.verify.verifier import Key, secret_of

Changes = dict[str, Any]
OF_THE_BODY = tuple(part for part in WHOLE_PARTS if part.startswith("body"))


def what_would_fit(definition: Definition, inbound: Inbound, now: datetime) -> str:
    """The fewest other settings of an HMAC with which a key of the source made this signature; empty if none."""
    fitting = (
        changes
        for each in definition.verifiers
        if type(each) is Hmac
        for changes in _others(each, inbound)
        if _fits(each, changes, definition.words, inbound, now)
    )
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in min(fitting, key=len, default={}).items())


def _others(by: Hmac, inbound: Inbound) -> Iterator[Changes]:
    """Every combination of what is usual, each as the settings that differ."""
    usual: dict[str, Iterable[Any]] = {
        "digest": DIGESTS,
        "encoding": ENCODINGS,
        "key_encoding": KEY_ENCODINGS,
        "signed": [list(by.signed), *_layouts(by)],
        "signature.prefix": [by.signature.prefix, *_prefixes(inbound.headers.get(by.signature.header, ""))],
    }
    own = (by.digest, by.encoding, by.key_encoding, list(by.signed), by.signature.prefix)
    for chosen in product(*usual.values()):
        yield {name: value for name, value, as_it_is in zip(usual, chosen, own, strict=True) if value != as_it_is}


def _layouts(by: Hmac) -> Iterator[list[str]]:
    yield from (["body"], ["body_compact"])
    yield from ([form if part in OF_THE_BODY else part for part in by.signed] for form in OF_THE_BODY)
    for time in (part for part in by.signed if part.startswith(("header:", "sig:"))):
        yield [time, "body"]
        yield from ([time, f"literal:{sign}", "body"] for sign in ".:;")


def _prefixes(offered: str) -> Iterator[str]:
    yield ""
    name, sign, _ = offered.partition("=")
    if sign and name.isalnum():
        yield name + sign


def _fits(by: Hmac, changes: Changes, words: tuple[bytes, ...], inbound: Inbound, now: datetime) -> bool:
    try:
        _tried(by, changes, words).check(inbound, now)
    except (Refusal, ValueError):
        return False
    return True


def _tried(by: Hmac, changes: Changes, words: tuple[bytes, ...]) -> Hmac:
    """The same with other settings, and whatever its time; keys of its own stay as they are."""
    written = None if by.keys else changes.get("key_encoding")
    texts = {key.index: words[key.index].decode().removeprefix(by.key_prefix) for key in by.secrets if written}
    return replace(
        by,
        timestamp=None,
        digest=changes.get("digest", by.digest),
        encoding=changes.get("encoding", by.encoding),
        signed=tuple(Part(part) for part in changes.get("signed", by.signed)),
        signature=replace(by.signature, prefix=changes.get("signature.prefix", by.signature.prefix)),
        secrets=tuple(Key(index, secret_of(text, written)) for index, text in texts.items()) if written else by.secrets,
    )
