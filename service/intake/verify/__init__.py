"""Did the source send these bytes? `Verified` or `Refused`.

plain.py                a token, Basic, a value              shared_secret.py   HMAC over signed bytes
public_key.py, jwks.py  public-key signatures                jwt.py             JSON Web Tokens
message_signatures.py   HTTP Message Signatures (RFC 9421)   twilio.py, sns.py  their own schemes
verifier.py             what a verifier is, its verdicts     signed_parts.py    which bytes are signed, how old
signing.py              signs as a source does, to try one

A verifier is an object with one method, `check`; those of a definition are alternatives. Their grammar is in
definition/proofs.py. Pure except for jwks.py's cache of public keys: reads no clock and, unless it has to decompress,
raises nothing, whatever the bytes are.
"""

from collections.abc import Sequence
from datetime import datetime

from service.intake.delivery.decode import unpacked
from service.intake.delivery.inbound import Inbound
from service.intake.verify.verifier import NotNow, NotProvenYet, Refusal, Refused, Verified, Verifier

__all__ = ["STALE", "NotProvenYet", "Refusal", "Refused", "Verified", "Verifier", "verify", "verify_either"]

STALE = "timestamp_stale"  # every kind of proof looks at the time last


def verify_either(
    verifiers: Sequence[Verifier], inbound: Inbound, now: datetime, limit: int
) -> tuple[Verified | Refused, Inbound]:
    """The verdict, and the request in the form it is about: a sender may have signed the bytes before compressing them.

    Raises TooLarge and UnknownEncoding.
    """
    verdict = verify(verifiers, inbound, now)
    if isinstance(verdict, Verified):
        return verdict, inbound
    plain = unpacked(inbound, limit)
    # a signature of the packed bytes, even if it is too old, is none of the others
    known = plain is inbound or verdict.code == STALE
    return verdict if known else verify(verifiers, plain, now), plain


def verify(verifiers: Sequence[Verifier], inbound: Inbound, now: datetime) -> Verified | Refused:
    """Try one after the other; the first that accepts decides."""
    refusals = list[Refused]()
    for verifier in verifiers:
        try:
            return Verified(verifier.check(inbound, now), verifier.kind)
        except NotNow as refusal:
            refusals.append(NotProvenYet(refusal.code, refusal.sentence))
        except Refusal as refusal:
            refusals.append(Refused(refusal.code, refusal.sentence))
    if not refusals:
        return Refused("no_keys", "The source has no keys.")
    # first what may still be proven; and a wrong signature tells an operator more than a missing alternative
    return min(refusals, key=lambda each: (not isinstance(each, NotProvenYet), each.code.endswith("_missing")))
