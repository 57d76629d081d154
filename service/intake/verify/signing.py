"""Signs a delivery as a source would, to try a source from here.

Only for keys we have: nobody but a vendor can sign with a vendor's private key.
"""

import base64
import hmac
from dataclasses import replace
from datetime import datetime

from service.intake.delivery.formats import FORM
from service.intake.delivery.inbound import Inbound
from service.intake.verify.plain import Basic, Static
from service.intake.verify.shared_secret import Hmac
from service.intake.verify.signed_parts import SignedTime, encode
from service.intake.verify.twilio import SIGNATURE, Twilio, ending
from service.intake.verify.verifier import Keyed, Verifier

NOT_YET = "0"  # stands for a signature while the bytes are put together that it is made of


def signed(verifier: Verifier, inbound: Inbound, now: datetime) -> Inbound | None:
    """Return the delivery with its signature; None if this kind cannot be made here.

    Raises Refusal if a part of what is signed is missing.
    """
    match verifier:
        case Hmac():
            return _by_hmac(verifier, inbound, now)
        case Static(header=str(name)):
            return _headed(inbound, name, verifier.scheme + _key(verifier).decode())
        case Static(query=str(name)):
            return replace(inbound, query={**inbound.query, name: _key(verifier).decode()})
        case Basic():
            key = _key(verifier).decode()
            pair = f"{key}:X" if verifier.key_is == "user" else f"{verifier.user}:{key}"
            return _headed(inbound, "authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
        case Twilio():
            inbound = _with_digest(inbound)
            proof = hmac.digest(_key(verifier), (inbound.url + ending(inbound)).encode(), "sha1")
            return _headed(inbound, SIGNATURE, encode(proof, "base64"))
    return None


def _with_digest(inbound: Inbound) -> Inbound:
    """The address with the digest of a body that is no form, as Twilio sends it."""
    if inbound.content_type == FORM or "bodySHA256" in inbound.query:
        return inbound
    sign = "&" if inbound.query else "?"
    query = {**inbound.query, "bodySHA256": inbound.digest}
    return replace(inbound, url=f"{inbound.url}{sign}bodySHA256={inbound.digest}", query=query)


def _by_hmac(verifier: Hmac, inbound: Inbound, now: datetime) -> Inbound:
    time, place = verifier.timestamp, verifier.signature.header
    if time is not None and time.from_.startswith("header:"):
        inbound = _headed(inbound, time.from_.removeprefix("header:"), _written(time, now))
    inbound = _headed(inbound, place, _with_time(verifier, NOT_YET, now))
    proof = encode(verifier.made(verifier.secrets[0], inbound), verifier.encoding)
    return _headed(inbound, place, _with_time(verifier, proof, now))


def _with_time(verifier: Hmac, proof: str, now: datetime) -> str:
    """The signature's header: the signature alone, or beside the time by their names."""
    at, time = verifier.signature, verifier.timestamp
    if at.kv is None:
        return at.prefix + proof
    named = {} if time is None else {time.from_.partition(":")[2]: _written(time, now)}
    named[at.kv] = at.prefix + proof
    if at.names:
        return at.separator.join(named.get(name, "") for name in at.names)
    return at.separator.join(f"{name}={value}" for name, value in named.items())


def _written(time: SignedTime, now: datetime) -> str:
    if time.format.startswith("iso8601"):
        return f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return str(int(now.timestamp() * (1000 if time.format == "unix_ms" else 1)))


def _key(verifier: Keyed) -> bytes:
    return verifier.secrets[0].secret


def _headed(inbound: Inbound, name: str, value: str) -> Inbound:
    return replace(inbound, headers={**inbound.headers, name: value})
