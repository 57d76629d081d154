"""Verifies a notification of Amazon SNS for a known topic.

The certificate comes from the address in the message, which must be Amazon's own; the topic must be one of the
definition's. A subscription is confirmed only after both checks.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from service.crm_api.get import NoAnswer, fetch_text
from service.intake.delivery.inbound import Inbound
from service.intake.verify.verifier import NotNow, Refusal, Verifier
from service.settings.declare import REQUIRED, setting
from service.settings.values import NOT_EMPTY

AMAZON = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(?:\.cn)?")
CERTIFICATE = re.compile(r"https://[a-z0-9.-]+/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
"""Just these are Amazon's: whatever else its API answers may hold what anybody with an account there wrote into it."""

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
HASHES = {"1": SHA1, "2": SHA256}
CERTIFICATES = 16
PROVEN: dict[tuple[Callable[[str], str], str], RSAPublicKey] = {}
"""Keys that have proven a message: no stranger can fill this, or push one out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sns(Verifier):
    """A notification of Amazon SNS, signed by Amazon."""

    kind: ClassVar[str] = "sns"
    topics: tuple[str, ...] = setting(REQUIRED, "the ARNs of the topics that may send here", NOT_EMPTY)
    fetch: Callable[[str], str] = fetch_text

    def check(self, inbound: Inbound, _now: datetime) -> None:
        """Accept what Amazon signed for one of the topics. Raises Refusal otherwise."""
        named = any(each.encode() in inbound.body for each in self.topics)  # much sooner found than the body is parsed
        message = _message(inbound) if named else {}
        if message.get("TopicArn") not in self.topics:
            raise Refusal("sns_topic", "The topic is not one of this source's; add its ARN to verify.topics.")
        address = amazon_url(message.get("SigningCertURL"))
        if address is None or not CERTIFICATE.fullmatch(address) or not _is_of(address, message["TopicArn"]):
            raise Refusal("sns_certificate", "The certificate is not at Amazon's address for the topic's region.")
        key = PROVEN.get((self.fetch, address)) or self._key(address)
        try:
            digest = HASHES[str(message.get("SignatureVersion"))]
            signature = base64.b64decode(str(message.get("Signature")), validate=True)
            key.verify(signature, signed_text(message).encode(), PKCS1v15(), digest())
        except (KeyError, ValueError, InvalidSignature) as error:
            raise Refusal("signature_wrong", "Amazon did not sign this message.") from error
        PROVEN.pop((self.fetch, address), None)
        if len(PROVEN) >= CERTIFICATES:
            PROVEN.pop(next(iter(PROVEN)), None)  # the one that was needed longest ago
        PROVEN[self.fetch, address] = key

    def covered(self, inbound: Inbound) -> str:
        """Say which bytes the signature covers. Raises Refusal."""
        return signed_text(_message(inbound))

    def _key(self, url: str) -> RSAPublicKey:
        try:
            found = load_pem_x509_certificate(self.fetch(url).encode()).public_key()
        except NoAnswer as error:
            raise NotNow("sns_certificate_away", "Amazon's certificate cannot be fetched now.") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Refusal("sns_certificate", "There is no certificate at the address.") from error
        if not isinstance(found, RSAPublicKey):
            raise Refusal("sns_certificate", "Amazon's certificate holds no RSA key.")
        return found


def amazon_url(given: Any) -> str | None:
    """Return the address if it is one of Amazon SNS, over https."""
    try:
        parts = urlsplit(given if isinstance(given, str) else "")
        right = parts.scheme == "https" and AMAZON.fullmatch(parts.netloc.lower())
    except ValueError:
        return None
    return str(given) if right else None


def subscription(inbound: Inbound) -> str | None:
    """Return the confirmation address from a verified request to confirm a subscription."""
    try:
        message = _message(inbound)
    except Refusal:
        return None
    return amazon_url(message.get("SubscribeURL")) if message.get("Type") == "SubscriptionConfirmation" else None


def signed_text(message: dict[str, Any]) -> str:
    """The fields Amazon signs, one line per name and per value."""
    names = NOTIFICATION if message.get("Type") == "Notification" else CONFIRMATION
    return "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)


def _message(inbound: Inbound) -> dict[str, Any]:
    try:
        found = json.loads(inbound.body)
    except (ValueError, RecursionError) as error:
        raise Refusal("body_unreadable", "The body is not a message of Amazon SNS.") from error
    if not isinstance(found, dict):
        raise Refusal("body_unreadable", "The body is not a message of Amazon SNS.")
    return found


def _is_of(address: str, topic: str) -> bool:
    """Whether an Amazon address is in the topic's own region (arn:aws:sns:REGION:ACCOUNT:NAME)."""
    region = f"{topic}:::".split(":")[3]
    return urlsplit(address).netloc.lower().startswith(f"sns.{region}.")
