"""How each CRM signs, written again from its documentation, without any code of the service."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SECRET = "test-secret-0123456789-abcdefgh"
HEX_SECRET = "00112233445566778899aabbccddeeff" * 2
STANDARD_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass
class Outgoing:
    """A request about to be sent; signers add to it."""

    url: str
    body: bytes
    headers: dict[str, str]
    now: datetime
    query: str = ""
    secret: str = SECRET
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> str:
        return str(int(self.now.timestamp()))

    @property
    def millis(self) -> str:
        return str(int(self.now.timestamp() * 1000))


def _mac(algorithm: Callable, key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, algorithm).digest()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard(out: Outgoing) -> None:
    key = base64.b64decode(STANDARD_SECRET.split("_", 1)[1])
    message = f"{out.headers['webhook-id']}.{out.seconds}.".encode() + out.body
    out.headers["webhook-timestamp"] = out.seconds
    out.headers["webhook-signature"] = "v0,none v1," + _b64(_mac(hashlib.sha256, key, message))


def bearer(out: Outgoing) -> None:
    out.headers["authorization"] = f"Bearer {out.secret}"


def token_header(out: Outgoing) -> None:
    out.headers["x-webhook-token"] = out.secret


def token_query(out: Outgoing) -> None:
    out.query = f"token={out.secret}"


def zendesk(out: Outgoing) -> None:
    ts = out.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    out.headers["x-zendesk-webhook-signature-timestamp"] = ts
    out.headers["x-zendesk-webhook-signature"] = _b64(_mac(hashlib.sha256, out.secret.encode(), ts.encode() + out.body))


def kustomer(out: Outgoing) -> None:
    out.headers["x-kustomer-webhook-signature"] = _mac(hashlib.sha256, out.secret.encode(), out.body).hex()


def front_app(out: Outgoing) -> None:
    out.headers["x-front-request-timestamp"] = out.millis
    message = out.millis.encode() + b":" + out.body
    out.headers["x-front-signature"] = _b64(_mac(hashlib.sha256, out.secret.encode(), message))


def front_rule(out: Outgoing) -> None:
    out.headers["x-front-signature"] = _b64(_mac(hashlib.sha1, out.secret.encode(), out.body))


def intercom(out: Outgoing) -> None:
    out.headers["x-hub-signature"] = "sha1=" + _mac(hashlib.sha1, out.secret.encode(), out.body).hex()


def chatwoot(out: Outgoing) -> None:
    out.headers["x-chatwoot-timestamp"] = out.seconds
    message = f"{out.seconds}.".encode() + out.body
    out.headers["x-chatwoot-signature"] = "sha256=" + _mac(hashlib.sha256, out.secret.encode(), message).hex()


def hubspot(out: Outgoing) -> None:
    out.headers["x-hubspot-request-timestamp"] = out.millis
    message = b"POST" + out.url.encode() + out.body + out.millis.encode()
    out.headers["x-hubspot-signature-v3"] = _b64(_mac(hashlib.sha256, out.secret.encode(), message))


def dixa(out: Outgoing) -> None:
    mac = _mac(hashlib.sha256, bytes.fromhex(HEX_SECRET), f"{out.millis}.".encode() + out.body).hex()
    out.headers["x-dixa-signature"] = f"t={out.millis},v1={mac}"


def helpscout(out: Outgoing) -> None:
    out.headers["x-helpscout-signature"] = _b64(_mac(hashlib.sha1, out.secret.encode(), out.body))


def crisp(out: Outgoing) -> None:
    out.headers["x-crisp-request-timestamp"] = out.millis
    message = b"[" + out.millis.encode() + b";" + out.body + b"]"
    out.headers["x-crisp-signature"] = _mac(hashlib.sha256, out.secret.encode(), message).hex()


def crisp_website(out: Outgoing) -> None:
    out.query = f"key={out.secret}"


def sprinklr(out: Outgoing) -> None:
    out.headers["x-hub-signature"] = "sha256=" + _mac(hashlib.sha256, out.secret.encode(), out.body).hex()


def jira(out: Outgoing) -> None:
    """As WebSub defines it."""
    out.headers["x-hub-signature"] = "sha256=" + _mac(hashlib.sha256, out.secret.encode(), out.body).hex()


def svix(out: Outgoing) -> None:
    """As Svix sends Standard Webhooks: the same signature under names of its own."""
    standard(out)
    for name in ("id", "timestamp", "signature"):
        out.headers[f"svix-{name}"] = out.headers.pop(f"webhook-{name}")


def api_key_as_user(out: Outgoing) -> None:
    out.headers["authorization"] = "Basic " + _b64(f"{out.secret}:X".encode())


def trengo(out: Outgoing) -> None:
    made = _mac(hashlib.sha256, out.secret.encode(), f"{out.seconds}.".encode() + out.body).hex()
    out.headers["trengo-signature"] = f"{out.seconds};{made}"


def rocketchat(out: Outgoing) -> None:
    out.headers["x-rocketchat-livechat-token"] = out.secret


def api_key(out: Outgoing) -> None:
    out.headers["x-api-key"] = out.secret


def in_the_body(out: Outgoing) -> None:
    """LiveChat writes its secret into every body; one who does not know it writes another."""


def zoho_desk(out: Outgoing) -> None:
    claims = {"iss": "orgId:60001", "aud": "webhookId:1", "iat": int(out.seconds), "exp": int(out.seconds) + 300}
    parts = ({"alg": "RS256", "kid": "k"}, claims)
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    signature = rsa_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    out.headers["x-zdesk-jwt"] = f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def liveperson(out: Outgoing) -> None:
    out.headers["x-liveperson-signature"] = "sha1=" + _b64(_mac(hashlib.sha1, out.secret.encode(), out.body))


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def rsa_public_pem() -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return rsa_key().public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def mislabelled_pem() -> str:
    """As Freshchat's admin page shows it."""
    return rsa_public_pem().replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC").replace("END PUBLIC", "END RSA PUBLIC")


def _rsa(out: Outgoing) -> str:
    return _b64(rsa_key().sign(out.body, padding.PKCS1v15(), hashes.SHA256()))


def freshchat(out: Outgoing) -> None:
    out.headers["x-freshchat-signature"] = _rsa(out)


def salesiq(out: Outgoing) -> None:
    out.headers["x-siqsignature"] = _rsa(out)


def twilio_form(out: Outgoing) -> None:
    fields = sorted(parse_qsl(out.body.decode(), keep_blank_values=True))
    message = out.url + "".join(f"{name}{value}" for name, value in fields)
    out.headers["x-twilio-signature"] = _b64(_mac(hashlib.sha1, out.secret.encode(), message.encode()))


def twilio_json(out: Outgoing) -> None:
    out.query = "bodySHA256=" + hashlib.sha256(out.body).hexdigest()
    message = f"{out.url}?{out.query}"
    out.headers["x-twilio-signature"] = _b64(_mac(hashlib.sha1, out.secret.encode(), message.encode()))


@dataclass(frozen=True)
class Sender:
    """How a preset's deliveries are signed, and the key that goes into the settings."""

    sign: Callable[[Outgoing], None]
    key: Callable[[], str] = lambda: SECRET
    others: tuple[Callable[[Outgoing], None], ...] = ()


SENDERS: dict[str, Sender] = {
    "standard": Sender(standard, lambda: STANDARD_SECRET, (svix,)),
    "cloudevents": Sender(bearer),
    "token": Sender(bearer, others=(token_header, token_query)),
    "zendesk_event": Sender(zendesk),
    "zendesk_trigger": Sender(zendesk),
    "salesforce_flow": Sender(bearer, others=(token_header,)),
    "kustomer": Sender(kustomer),
    "front_app": Sender(front_app),
    "front_rule": Sender(front_rule),
    "intercom": Sender(intercom),
    "chatwoot": Sender(chatwoot),
    "hubspot": Sender(hubspot),
    "dixa": Sender(dixa, lambda: HEX_SECRET),
    "helpscout": Sender(helpscout),
    "crisp": Sender(crisp, others=(crisp_website,)),
    "liveperson": Sender(liveperson),
    "freshchat": Sender(freshchat, mislabelled_pem),
    "freshdesk": Sender(bearer, others=(token_header, api_key_as_user)),
    "gorgias": Sender(bearer, others=(token_header, token_query)),
    "zoho_salesiq": Sender(salesiq, rsa_public_pem),
    "sprinklr": Sender(sprinklr, others=(bearer, token_query)),
    "jira_service_management": Sender(jira),
    "django_helpdesk": Sender(token_query, others=(bearer,)),
    "twilio_conversations": Sender(twilio_form),
    "twilio_event_streams": Sender(twilio_json),
    "trengo": Sender(trengo),
    "rocketchat": Sender(rocketchat),
    "livechat": Sender(in_the_body),
    "amazon_connect": Sender(api_key, others=(bearer,)),
    "zoho_desk": Sender(zoho_desk, rsa_public_pem),
    "salesforce_outbound": Sender(token_query),
    "genesys": Sender(bearer, others=(token_header,)),
}
