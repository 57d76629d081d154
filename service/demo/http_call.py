"""One small HTTP call to this machine: status, headers and bytes, or NobodyAnswered.

Uses the standard library's client, so the played CRM and the supervisor share no code with the service.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 15.0
OK = 200


class NobodyAnswered(Exception):
    """Nobody answered."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def call(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Make one request on a connection of its own. Raises NobodyAnswered."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers or {})
        )
        answer = connection.getresponse()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise NobodyAnswered(f"{method} {url}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def call_json(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Make one request with a JSON body and read a JSON answer. Raises NobodyAnswered unless it is a success."""
    sent = None if body is None else json.dumps(body).encode()
    answer = call(method, url, sent, {"content-type": "application/json", **(headers or {})})
    if answer.status // 100 != 2:  # noqa: PLR2004 - 2xx
        raise NobodyAnswered(f"{method} {url}: {answer.status} {answer.body[:300].decode('utf-8', 'replace')}")
    return answer.json()
