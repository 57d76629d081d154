"""Keys put to verifiers: in, checked specs and the source's keys; out, verifiers, or every mistake with its path.

A key with a prefix belongs to the verifier of that prefix alone: a public key (`whpk_…`) taken as an HMAC secret would
let anybody sign. Never shows a key in a sentence.
"""

import base64
import binascii
from typing import Any

from service.intake.grammar_verify import Spec
from service.intake.verify import AllOf, Verifier
from service.intake.verify_keyed import Hmac, Key, Twilio
from service.intake.verify_parts import Signed
from service.intake.verify_plain import Basic, BodyEquals, Static
from service.intake.verify_public import PublicKeys, load_public_key
from service.settings.shapes import Problem

PUBLIC_TEST_KEYS = {
    "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==": "is the key Zendesk signs test requests with; everybody knows it",
}
PRIVATE_PREFIX = "whsk_"


def build_verifiers(
    spec: Any, source_keys: tuple[str, ...], body_kinds: tuple[str, ...], path: str, problems: list[Problem]
) -> tuple[Verifier, ...]:
    """Put the keys to each verifier. A verifier that gets none is left out; none at all is a mistake."""
    mistakes = [*_unfit_keys(source_keys, path.removesuffix(".verify") + ".keys")]
    prefixes = _prefixes(spec)
    built = [_build(each, source_keys, prefixes, body_kinds, where, mistakes) for where, each in spec["of"]]
    verifiers = tuple(each for each in built if each is not None)
    if not verifiers and not mistakes:
        mistakes.append(
            Problem(
                path.removesuffix(".verify") + ".keys", 'is missing; write keys_env = ["NAME"] and set the variable'
            )
        )
    problems += mistakes
    return verifiers


def secret_names(verifiers: tuple[Verifier, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the headers and query names that carry a token or signature and are therefore never stored."""
    headers: set[str] = set()
    query: set[str] = set()
    for each in verifiers:
        if isinstance(each, AllOf):
            inner_headers, inner_query = secret_names(each.verifiers)
            headers |= inner_headers
            query |= inner_query
        elif isinstance(each, Hmac | PublicKeys):
            headers.add(each.signed.signature.header)
        elif isinstance(each, Static):
            headers |= {each.header} if each.header else set()
            query |= {each.query} if each.query else set()
        elif isinstance(each, Twilio):
            headers.add("x-twilio-signature")
    return frozenset(headers), frozenset(query)


def _build(
    spec: Spec,
    source_keys: tuple[str, ...],
    prefixes: frozenset[str],
    body_kinds: tuple[str, ...],
    path: str,
    problems: list[Problem],
) -> Verifier | None:
    if spec["kind"] == "all_of":
        return _build_all(spec, source_keys, prefixes, body_kinds, problems)
    if spec["kind"] == "body_equals":
        return BodyEquals(spec["expression"], spec["expected"], body_kinds)
    own = spec["keys"]
    problems += _unfit_keys(own or (), f"{path}.keys")
    where = f"{path}.keys" if own is not None else path.partition(".verify")[0] + ".keys"
    chosen = _chosen(own if own is not None else source_keys, spec, prefixes)
    return _with_keys(spec, chosen, where, problems) if chosen else None


def _build_all(
    spec: Spec,
    source_keys: tuple[str, ...],
    prefixes: frozenset[str],
    body_kinds: tuple[str, ...],
    problems: list[Problem],
) -> Verifier | None:
    built = [_build(each, source_keys, prefixes, body_kinds, where, problems) for where, each in spec["of"]]
    if any(each is None for each in built):
        return None
    # a body is read only after a signature vouched for it
    ordered = sorted((each for each in built if each is not None), key=lambda each: isinstance(each, BodyEquals))
    return AllOf(tuple(ordered))


def _with_keys(spec: Spec, chosen: list[tuple[int, str]], where: str, problems: list[Problem]) -> Verifier | None:
    try:
        if spec["kind"] == "public_key":
            loaded = tuple((index, load_public_key(text, spec["algorithm"])) for index, text in chosen)
            return PublicKeys(spec["algorithm"], _signed(spec), loaded)
        keys = tuple(Key(index, _secret(text, spec.get("key_encoding", "utf8"))) for index, text in chosen)
    except ValueError as error:
        problems.append(Problem(where, f"holds a key that {error}"))
        return None
    if spec["kind"] == "hmac":
        return Hmac(spec["digest"], _signed(spec), keys)
    if spec["kind"] == "static":
        return Static(keys, spec["header"], spec["query"], spec["scheme"])
    return Basic(keys, spec["user"]) if spec["kind"] == "basic" else Twilio(keys)


def _signed(spec: Spec) -> Signed:
    signed = spec["signed"]
    assert isinstance(signed, Signed)
    return signed


def _chosen(keys: Any, spec: Spec, prefixes: frozenset[str]) -> list[tuple[int, str]]:
    own = spec.get("key_prefix", "")
    others = tuple(prefixes - {own})
    return [
        (index, key.removeprefix(own) if own else key)
        for index, key in enumerate(keys)
        if (own and key.startswith(own)) or (not spec.get("prefixed_only") and not key.startswith(others))
    ]


def _secret(text: str, encoding: str) -> bytes:
    try:
        if encoding == "hex":
            secret = bytes.fromhex(text)
        elif encoding == "base64":
            secret = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        else:
            secret = text.encode()
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"is not {encoding}") from error
    if not secret:
        raise ValueError("is empty")
    return secret


def _prefixes(spec: Spec) -> frozenset[str]:
    if "of" in spec:
        return frozenset().union(*(_prefixes(each) for _, each in spec["of"]))
    return frozenset({spec["key_prefix"]} - {""} if spec.get("key_prefix") else set())


def _unfit_keys(keys: Any, path: str) -> list[Problem]:
    known = [Problem(f"{path}[{i}]", PUBLIC_TEST_KEYS[key]) for i, key in enumerate(keys) if key in PUBLIC_TEST_KEYS]
    private = [
        Problem(f"{path}[{i}]", "is the sender's private key; paste the public one, whpk_…")
        for i, key in enumerate(keys)
        if key.startswith(PRIVATE_PREFIX)
    ]
    return known + private
