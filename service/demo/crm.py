"""Plays the CRM: signs and sends deliveries, and records what the service answered to each.

Like a real one it repeats, under the same message id, what was not answered with 2xx. Its record is one of the three
that reconcile.py compares.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from service.clock import Clock
from service.demo.http_call import OK, NobodyAnswered, call
from service.demo.script import SIGNED, ScriptedDelivery, body
from service.demo.stage import Stage

TRIES, AGAIN_AFTER_S = 6, 1.0
SERVER_ERROR = 500
AN_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class PostedDelivery:
    """One request as the sender remembers it. `status` 0: nobody answered. `ended_at` is the end it reported."""

    delivery: ScriptedDelivery
    ended_at: datetime
    digest: str
    status: int
    said: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether the service said that this made a conversation of its ledger."""
        return self.status == OK and self.delivery.kind == "ended" and self.said.get("accepted") == 1


@dataclass(slots=True)
class Crm:
    """The sender. `posted` grows while it works; read it when it is done."""

    stage: Stage
    clock: Clock
    posted: list[PostedDelivery] = field(default_factory=list)
    _ends: dict[tuple[str, int], datetime] = field(default_factory=dict)
    _reopenings: dict[str, datetime] = field(default_factory=dict)

    def deliver(self, delivery: ScriptedDelivery) -> list[PostedDelivery]:
        """Send one delivery, in as many copies at once as it says."""
        told = self._told(delivery)
        ended_at = self._ends[_key(delivery)]
        with ThreadPoolExecutor(delivery.at_once) as pool:
            copies = [pool.submit(self._send, delivery, told, ended_at) for _ in range(delivery.at_once)]
            posted = [tried for copy in copies for tried in copy.result()]
        self.posted.extend(posted)
        return posted

    def _told(self, delivery: ScriptedDelivery) -> bytes:
        """The body. The end of a conversation is fixed when it is first reported."""
        now = self.clock()
        if delivery.kind == "reopened":
            self._reopenings.setdefault(delivery.conversation_id, now)
        ended_at = self._ends.setdefault(_key(delivery), now - timedelta(seconds=delivery.ago_s))
        return body(delivery, ended_at, self._reopenings.get(delivery.conversation_id))

    def _send(self, delivery: ScriptedDelivery, told: bytes, ended_at: datetime) -> list[PostedDelivery]:
        digest, tries = hashlib.sha256(told).hexdigest(), list[PostedDelivery]()
        url = f"{self.stage.service_url}/webhooks/crm/{delivery.source}"
        for _ in range(TRIES):
            try:
                answer = call("POST", url, told, self._headers(delivery, told))
                status, said = answer.status, answer.json() or {}
            except NobodyAnswered:
                status, said = 0, {}
            tries.append(PostedDelivery(delivery, ended_at, digest, status, said))
            if 0 < status < SERVER_ERROR:
                break
            time.sleep(AGAIN_AFTER_S)
        return tries

    def _headers(self, delivery: ScriptedDelivery, told: bytes) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if delivery.source != SIGNED:
            return headers | {"authorization": f"Bearer {self.stage.source_token}"}
        signed_at = str(int(self.clock().timestamp()) - (AN_HOUR_S if delivery.forged == "time" else 0))
        signature = sign(self.stage.signing_key, delivery.message_id, signed_at, told)
        if delivery.forged == "signature":
            signature = "v1," + base64.b64encode(bytes(32)).decode()
        return headers | {
            "webhook-id": delivery.message_id, "webhook-timestamp": signed_at, "webhook-signature": signature,
        }  # fmt: skip


def sign(key: str, message_id: str, signed_at: str, told: bytes) -> str:
    """The signature as Standard Webhooks 1.0.0 describe it."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    digest = hmac.digest(secret, f"{message_id}.{signed_at}.".encode() + told, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def _key(delivery: ScriptedDelivery) -> tuple[str, int]:
    return f"{delivery.source}/{delivery.conversation_id}", delivery.end
