"""Did the source send these bytes? In: a definition, an `Inbound`, the time; out, `Verified` or `Refused`.

A definition's verifiers are alternatives; `all_of` demands several together. Pure: reads no clock, no key store, and
raises nothing, whatever the bytes are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from service.intake.inbound import Inbound
from service.intake.verify_keyed import Hmac, Twilio, check_hmac, check_twilio
from service.intake.verify_parts import Refusal, Refused, Verified
from service.intake.verify_plain import (
    Basic,
    BodyEquals,
    Static,
    check_basic,
    check_body_equals,
    check_static,
)
from service.intake.verify_public import PublicKeys, check_public_key


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them must agree."""

    verifiers: "tuple[Verifier, ...]"
    kind: str = "all_of"


Verifier = Hmac | PublicKeys | Static | Basic | Twilio | BodyEquals | AllOf


class HasVerifiers(Protocol):
    """What `verify` needs of a definition."""

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The alternatives, in the order in which they are tried."""


def verify(definition: HasVerifiers, inbound: Inbound, now: datetime) -> Verified | Refused:
    """Try each verifier of the definition; the first that agrees decides."""
    refusals = []
    for verifier in definition.verifiers:
        try:
            return Verified(_check(verifier, inbound, now), verifier.kind)
        except Refusal as refusal:
            refusals.append(Refused(refusal.code, refusal.sentence))
    if not refusals:
        return Refused("no_keys", "The source has no keys.")
    # a wrong signature tells an operator more than the absence of an alternative one
    return next((each for each in refusals if not each.code.endswith("_missing")), refusals[0])


def _check(verifier: Verifier, inbound: Inbound, now: datetime) -> int | None:
    if isinstance(verifier, AllOf):
        indices = [_check(each, inbound, now) for each in verifier.verifiers]
        return next((index for index in indices if index is not None), None)
    return CHECKS[type(verifier)](verifier, inbound, now)


CHECKS: dict[type[Any], Callable[[Any, Inbound, datetime], int | None]] = {
    Hmac: check_hmac,
    PublicKeys: check_public_key,
    Static: check_static,
    Basic: check_basic,
    Twilio: check_twilio,
    BodyEquals: check_body_equals,
}
