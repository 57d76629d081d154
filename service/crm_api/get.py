"""One HTTP call, limited in every way. Returns status, headers and JSON, or raises `NoAnswer`.

No redirects, no proxy from the environment, TLS verified, 10 s in all (name resolution and slow answers included),
4 MB, JSON only. Neither logs nor keeps what comes back.
"""

import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from service.crm_api.address import Forbidden, PinnedHost, Resolve, place_of
from service.network.transport import Transport, caused_by, resolve, within

WITHIN_S = 10.0
CONNECT_S = 5.0
LARGEST = 4 * 1024 * 1024  # a hundred tickets with all their fields, on one page of a list
LARGEST_REFUSAL = 16 * 1024
OK = 200


class NoAnswer(Exception):
    """No usable answer. `reason` is a stable word, the text a sentence; never a body."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CrmResponse:
    """An answer: status, the headers that say when to come again, and its JSON (for a refusal, if any)."""

    status: int
    headers: Mapping[str, str]
    value: Any = field(repr=False)


def get(
    url: str, headers: Mapping[str, str] | None = None, networks: Iterable[str] = (), ask: Resolve = resolve
) -> CrmResponse:
    """GET an address. The body is read as JSON. Raises NoAnswer."""
    return _got(*_bytes(url, headers or {}, networks, ask))


def post(url: str, body: bytes, headers: Mapping[str, str], networks: Iterable[str]) -> CrmResponse:
    """Ask by POST what changes nothing; the headers say of what type the body is. Raises NoAnswer."""
    return _got(*_bytes(url, headers, networks, body=body))


def deliver(url: str, body: bytes, headers: Mapping[str, str]) -> CrmResponse:
    """Deliver bytes to an address, as a CRM would. Raises NoAnswer."""
    status, said, answer = _bytes(url, headers, body=body)
    return CrmResponse(status, said, _json(said, answer) if answer and "json" in said.get("content-type", "") else None)


def fetch_json(url: str) -> Any:
    """Return the JSON at a public address, such as keys a sender publishes. Raises NoAnswer."""
    found = get(url)
    if found.status != OK:
        raise NoAnswer("status", f"The address answered {found.status}.")
    return found.value


def fetch_text(url: str) -> str:
    """Return the text at a public address, such as a certificate. Raises NoAnswer."""
    status, _, body = _bytes(url, {}, accept="*/*")
    if status != OK:
        raise NoAnswer("status", f"The address answered {status}.")
    return body.decode("utf-8", "replace")


def _bytes(
    url: str,
    headers: Mapping[str, str],
    networks: Iterable[str] = (),
    ask: Resolve = resolve,
    *,
    body: bytes | None = None,
    accept: str = "application/json",
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what is asked, with a body by POST. Raises NoAnswer."""
    try:
        with within(WITHIN_S):
            place = place_of(url, networks, ask)
            method, named = "GET" if body is None else "POST", {"sni_hostname": place.host}
            sent = {**headers, "Host": place.authority, "Accept": accept, "Accept-Encoding": "identity"}
            with (
                _client(place) as client,
                client.stream(method, _target(place, url), content=body, headers=sent, extensions=named) as answer,
            ):
                found = _read(answer) if answer.status_code == OK else _refusal(answer)
            return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, found
    except Forbidden as error:
        raise NoAnswer("forbidden", str(error)) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        raise NoAnswer("slow", f"There was no response within {WITHIN_S:.0f} s.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NoAnswer("unreachable", _silence(error)) from error


def _silence(error: Exception) -> str:
    """Say which silence it is: an unknown name, or a certificate nobody vouches for, is not mended by waiting."""
    cause = caused_by(error, ssl.SSLCertVerificationError, socket.gaierror)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"Its certificate cannot be trusted: {cause.verify_message}."
    if cause is not None:
        return "Its host name cannot be resolved (DNS); is it spelt correctly?"
    if isinstance(error, httpx.ProxyError):
        return f"The proxy (service.outgoing_proxy) refused the connection: {error}."
    return f"Nothing answers there ({type(error).__name__})."


def _client(place: PinnedHost) -> httpx.Client:
    timeout = httpx.Timeout(WITHIN_S, connect=CONNECT_S)
    return httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False, transport=Transport(place.proxy))


def _target(place: PinnedHost, url: str) -> httpx.URL:
    """The path as written, at the IP that was checked: no second name resolution can lead elsewhere."""
    parts = urlsplit(url)
    raw = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpx.URL(place.origin).copy_with(raw_path=raw.encode("ascii"))


def _read(answer: httpx.Response) -> bytes:
    found = b""
    for chunk in answer.iter_raw():
        found += chunk
        if len(found) > LARGEST:
            raise NoAnswer("too_large", f"The response is larger than {LARGEST} bytes.")
    return found


def _refusal(answer: httpx.Response) -> bytes:
    """The content of a refusal; nothing if it is long or slow, because the status says enough."""
    try:
        body = _read(answer)
    except (NoAnswer, httpx.HTTPError):
        return b""
    return body if len(body) <= LARGEST_REFUSAL else b""


def _got(status: int, headers: dict[str, str], body: bytes) -> CrmResponse:
    if status == OK:
        return CrmResponse(status, headers, _json(headers, body))
    try:
        return CrmResponse(status, headers, _json(headers, body) if body else None)
    except NoAnswer:
        return CrmResponse(status, headers, None)


def _json(headers: Mapping[str, str], body: bytes) -> Any:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise NoAnswer("not_json", "The response is not JSON; is this the address of the API?")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("not_json", "The response is declared as JSON but is not.") from error
