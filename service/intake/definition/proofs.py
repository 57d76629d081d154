"""The grammar of `verify`: a table or list of tables, with the source's keys, becomes verifiers, or every mistake.

A list (or `any_of`) holds alternatives, `all_of` demands several together. A key with a prefix belongs only to the
verifier of that prefix: a public key (`whpk_…`) used as an HMAC secret would let anybody sign. Never shows a key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import ValidationError

from service.intake.definition.kinds import Table
from service.intake.delivery.inbound import Inbound
from service.intake.verify.jwt import Token
from service.intake.verify.message_signatures import MessageSignature
from service.intake.verify.plain import Basic, BodyEquals, Static
from service.intake.verify.public_key import PublicKeys
from service.intake.verify.shared_secret import Hash, Hmac
from service.intake.verify.signed_parts import Signing
from service.intake.verify.sns import Sns
from service.intake.verify.twilio import Twilio
from service.intake.verify.verifier import Verifier
from service.settings.declare import reader_of, wrong
from service.settings.sections import Mistake

KIND_CLASSES = (Hmac, PublicKeys, Static, Basic, Twilio, Hash, Token, MessageSignature, Sns, BodyEquals)
KINDS: dict[str, Any] = {each.kind: each for each in KIND_CLASSES}
GROUPS = ("any_of", "all_of")
PRIVATE_PREFIX = "whsk_"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf(Verifier):
    """All of these verifiers must agree."""

    kind: ClassVar[str] = "all_of"
    verifiers: tuple[Verifier, ...]

    def check(self, inbound: Inbound, now: datetime) -> int | None:
        """Return the index of the first key that was needed. Raises Refusal."""
        indices = [each.check(inbound, now) for each in self.verifiers]
        return next((index for index in indices if index is not None), None)

    def covered(self, inbound: Inbound) -> str:
        """Return what all of them cover. Raises Refusal."""
        return "; ".join(each.covered(inbound) for each in self.verifiers)


@dataclass(frozen=True, slots=True)
class Spec:
    """One table of `verify`, checked: a kind without keys, or a group of them."""

    path: str
    kind: Verifier | None = None  # of one of KINDS, without keys
    group: str = ""
    members: "tuple[Spec, ...]" = ()


def load_verify(given: Any, path: str, problems: list[Mistake]) -> Spec | None:
    """Check `verify`. Returns None if there are mistakes."""
    before = len(problems)
    spec = _load(given, path, problems, ())
    return spec if len(problems) == before else None


def build_verifiers(spec: Spec, source_keys: Sequence[str], problems: list[Mistake]) -> tuple[Verifier, ...]:
    """Give each verifier its keys. One without any is left out; none at all is a mistake."""
    alternatives = spec.members if spec.group == "any_of" else (spec,)
    keys_path = spec.path.removesuffix(".verify") + ".keys"
    mistakes = [*_unfit(source_keys, keys_path)]
    prefixes = frozenset(_prefixes(spec))
    built = [_build(each, source_keys, prefixes, keys_path, mistakes) for each in alternatives]
    verifiers = tuple(each for each in built if each is not None)
    if not verifiers and not mistakes:
        mistakes.append(Mistake(keys_path, 'is missing; write keys_env = ["NAME"] and set the variable'))
    problems += mistakes
    return verifiers


def each_of(verifiers: Iterable[Verifier]) -> Iterator[Verifier]:
    """Yield the verifiers that have keys, also those that must agree with others."""
    for verifier in verifiers:
        yield from verifier.verifiers if isinstance(verifier, AllOf) else (verifier,)


def is_slow(verifiers: Iterable[Verifier]) -> bool:
    """Whether verifying may wait for somebody's published keys, or parses a body that a stranger may have sent."""
    return any(
        isinstance(each, Sns)
        or (isinstance(each, Token) and each.key_set is not None)
        or (isinstance(each, Static) and each.body is not None)
        or (isinstance(each, Signing) and "body_compact" in each.signed)
        for each in each_of(verifiers)
    )


def _load(given: Any, path: str, problems: list[Mistake], inside: tuple[str, ...]) -> Spec:
    if isinstance(given, list):
        given = {"any_of": given}
    if not isinstance(given, Mapping):
        problems.append(Mistake(path, "must be a table with a kind, or a list of them"))
        return Spec(path)
    group = next((each for each in GROUPS if each in given), None)
    if group:
        return _load_group(group, given, path, problems, inside)
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        problems.append(Mistake(f"{path}.kind", f"must be one of {', '.join(KINDS)}"))
        return Spec(path)
    if kind == BodyEquals.kind and "all_of" not in inside:
        problems.append(Mistake(path, "body_equals proves nothing alone; put it into all_of beside a signature"))
    return Spec(path, _load_kind(KINDS[kind], given, path, problems))


def _load_kind(kind: Any, given: Mapping[str, Any], path: str, problems: list[Mistake]) -> Any:
    try:
        loaded = reader_of(kind, Table).load({key: each for key, each in given.items() if key != "kind"})
    except ValidationError as error:
        problems += [Mistake(*each) for each in wrong(error.messages, path, "is missing")]
        return None
    problems += [Mistake(f"{path}.{key}", sentence) for key, sentence in loaded.mistakes()]
    return loaded


def _load_group(
    group: str, given: Mapping[str, Any], path: str, problems: list[Mistake], inside: tuple[str, ...]
) -> Spec:
    members = given[group]
    if len(given) > 1 or not isinstance(members, list) or not members or group in inside or inside[-1:] == ("all_of",):
        problems.append(Mistake(path, f"{group} must stand alone, outside another group, and be a list of tables"))
        return Spec(path)
    inner = path if group == "any_of" else f"{path}.{group}"
    of = tuple(_load(each, f"{inner}[{i}]", problems, (*inside, group)) for i, each in enumerate(members))
    if group == "all_of" and all(isinstance(each.kind, BodyEquals) for each in of):
        problems.append(Mistake(path, "all_of needs a signature or a token beside body_equals"))
    return Spec(path, group=group, members=of)


def _build(
    spec: Spec, source_keys: Sequence[str], prefixes: frozenset[str], keys_path: str, problems: list[Mistake]
) -> Verifier | None:
    if spec.group:
        built = [_build(each, source_keys, prefixes, keys_path, problems) for each in spec.members]
        # a body is read only after a signature vouched for it
        ordered = sorted((each for each in built if each), key=lambda each: isinstance(each, BodyEquals))
        return _all_of(tuple(ordered)) if len(ordered) == len(built) else None
    assert spec.kind is not None, "no group"
    own = spec.kind.keys
    problems += _unfit(own or (), f"{spec.path}.keys")
    problems += [Mistake(f"{spec.path}.{key}", sentence) for key, sentence in spec.kind.lacking()]
    chosen = _chosen(source_keys if own is None else own, spec.kind, prefixes)
    try:
        return spec.kind.keyed(chosen) if chosen or not spec.kind.needs_keys else None
    except ValueError as error:
        where = keys_path if own is None else f"{spec.path}.keys"
        problems.append(Mistake(where, f"holds a key that {error}"))
        return None


def _all_of(verifiers: tuple[Verifier, ...]) -> AllOf:
    return AllOf(
        verifiers=verifiers,
        secret_headers=frozenset().union(*(each.secret_headers for each in verifiers)),
        secret_query=frozenset().union(*(each.secret_query for each in verifiers)),
    )


def _chosen(keys: Sequence[str], kind: Verifier, prefixes: frozenset[str]) -> list[tuple[int, str]]:
    own, others = kind.key_prefix, tuple(prefixes - {kind.key_prefix})
    return [
        (index, key.removeprefix(own))
        for index, key in enumerate(keys)
        if (own and key.startswith(own)) or (not kind.prefixed_only and not key.startswith(others))
    ]


def _prefixes(spec: Spec) -> Iterator[str]:
    for each in spec.members:
        yield from _prefixes(each)
    if spec.kind is not None and spec.kind.key_prefix:
        yield spec.kind.key_prefix


def _unfit(keys: Sequence[str], path: str) -> list[Mistake]:
    return [
        Mistake(f"{path}[{i}]", "is the sender's private key; paste the public one, whpk_…")
        for i, key in enumerate(keys)
        if key.startswith(PRIVATE_PREFIX)
    ]
