"""One signed delivery, as a CRM sends it."""

import base64
import hashlib
import hmac
import json
import time
import zlib
from datetime import UTC, datetime

import httpx

from tests.processes.house import House
from tests.support import SOURCE_KEY

SECRET = base64.b64decode(SOURCE_KEY.removeprefix("whsec_"))


def signed(event_id: str, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    moment = str(int(time.time()))
    content = f"{event_id}.{moment}.".encode() + body
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(hmac.digest(SECRET, content, hashlib.sha256)).decode()}",
    }


def post(house: House, conversation_id: str, ended_at: datetime | None = None) -> httpx.Response:
    """Say that a conversation ended, now where nothing else is said; its customer follows from its id."""
    customer = str(10_000_000 + zlib.crc32(conversation_id.encode()))
    data = {"conversation_id": conversation_id, "x_user_id": customer, "agent_id": "agent-1", "team_id": "team-1"}
    event = {"type": "conversation.ended", "timestamp": (ended_at or datetime.now(UTC)).isoformat(), "data": data}
    body = json.dumps(event).encode()
    with httpx.Client(
        timeout=20, trust_env=False, verify=False
    ) as http:  # plain HTTP: to read all certificates takes longer
        return http.post(
            f"{house.web_url}/webhooks/crm/crm", content=body, headers=signed(f"m-{conversation_id}", body)
        )


def deliver(house: House, conversation_id: str, ended_at: datetime | None = None) -> int:
    """The same; 0 where nobody answers."""
    try:
        return post(house, conversation_id, ended_at).status_code
    except httpx.HTTPError:
        return 0
