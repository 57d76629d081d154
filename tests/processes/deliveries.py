"""Signed deliveries as a CRM sends them: one, or one after the other in the background."""

import base64
import hashlib
import hmac
import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from tests.processes.site import Site
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


def post(site: Site, conversation_id: str, ended_at: datetime | None = None) -> httpx.Response:
    """Say that a conversation ended, now where nothing else is said; its customer follows from its id."""
    customer = str(10_000_000 + zlib.crc32(conversation_id.encode()))
    data = {"conversation_id": conversation_id, "x_user_id": customer, "agent_id": "agent-1", "team_id": "team-1"}
    event = {"type": "conversation.ended", "timestamp": (ended_at or datetime.now(UTC)).isoformat(), "data": data}
    body = json.dumps(event).encode()
    with httpx.Client(
        timeout=20, trust_env=False, verify=False
    ) as http:  # plain HTTP: to read all certificates takes longer
        return http.post(f"{site.web_url}/webhooks/crm/crm", content=body, headers=signed(f"m-{conversation_id}", body))


def deliver(site: Site, conversation_id: str, ended_at: datetime | None = None) -> int:
    """The same; 0 where nobody answers."""
    try:
        return post(site, conversation_id, ended_at).status_code
    except httpx.HTTPError:
        return 0


@contextmanager
def telling(site: Site, most: int, times: int = 1) -> Iterator[list[str]]:
    """A CRM that keeps reporting up to `most` conversations, each so often; yields those always answered 200."""
    accepted, stop = list[str](), threading.Event()

    def tell() -> None:
        while not stop.wait(0.2) and len(accepted) < most:
            name = f"live-{len(accepted)}"
            if all(deliver(site, name) == 200 for _ in range(times)):
                accepted.append(name)

    thread = threading.Thread(target=tell)
    thread.start()
    yield accepted
    stop.set()
    thread.join()
