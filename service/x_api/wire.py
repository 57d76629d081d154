"""One request out, one answer in: the only code that touches the network towards X.

Returns a `Reply` whose JSON was read in full, or raises an `XError`. Time-outs are strict and answers limited in size.
Of httpx only the transport is used: it follows no redirect, sends nothing twice, keeps no cookie, takes no proxy from
the environment, and costs half of the client. Logs path, status and X's transaction number; never a field, a text or a
header.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, NoReturn, TypeVar

import httpx
import structlog

from service.clock import Clock
from service.network.egress import proxy_to
from service.network.transport import Transport, caused_by, is_over, within
from service.telemetry import traces
from service.telemetry.counters import PROCESS_COUNTS
from service.x_api.bodies import only_complains, parsed
from service.x_api.errors import OutcomeUnknown, Temporary, Unreachable, XError
from service.x_api.facts import ParseProblem
from service.x_api.rate import RateLimit, rate_from
from service.x_api.refusal import date_of, error_from, transaction_of

T = TypeVar("T")

log = structlog.get_logger(__name__)

USER_AGENT = "dm-feedback/1 (self-hosted)"
# what stands for a person or a card in an address; the rest of it is the endpoint
IDS = re.compile(r"(?<=/username/)[^/]+|(?<=/show/)[^/]+(?=\.json)|(?<=/2/users/)(?!by/|me$)[^/]+|(?<=/with/)[^/]+")
MAX_BODY = 8 * 1024 * 1024  # a page of 50 messages of 10,000 characters, escaped, stays well below

HEADERS = httpx.Headers(
    {
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # so that the cap on the size is a cap on memory too
    }
)

NOTHING_WAS_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""All other failures come when bytes may have left. A write that failed and a kept-alive connection that X closed are
no exception: X may have read the request before."""


OURS_TO_MEND = {socket.gaierror: "name_not_known", ssl.SSLCertVerificationError: "certificate_not_trusted"}
"""A name server or a proxy on our side of the way, not X."""

CONNECT_S, WRITE_S = 5.0, 10.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for X: for the next part of an answer, and for a whole call including name and connection."""

    read: float = 20.0
    total: float = 40.0


TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class XAnswer(Generic[T]):
    """What X said, what is left of the window (None: X did not say), and when it said so."""

    value: T
    rate: RateLimit | None
    dated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer, read in full, not yet understood."""

    status: int
    headers: Mapping[str, str]
    json: Any
    sends: bool
    read_at: datetime

    def read(self, parse: Callable[[Any], T]) -> XAnswer[T]:
        """The answer as a fact. An unreadable answer is no success, and after a send no failure either."""
        try:
            return XAnswer(parse(self.json), rate_from(self.headers, self.read_at), date_of(self.headers))
        except ParseProblem as problem:
            _unreadable(self.status, self.headers, str(problem), sends=self.sends)


class Wire:
    """A connection to X, signed by `auth`, for many threads at once."""

    def __init__(
        self,
        auth: httpx.Auth | None,
        *,
        base_url: str,
        patience: Timeouts,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._base_url = base_url.rstrip("/")
        self._auth = auth or httpx.Auth()
        self._transport = transport or _transport(_address(self._base_url))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """Read. Nothing at X changes, so any failure may be retried."""
        return self._call(self._request("GET", path, params=params), sends=False)

    def send(self, path: str, *, signed_at: datetime, form: Mapping[str, str] | None = None, json: Any = None) -> Reply:
        """Write to a customer, signed with the moment its intent was committed."""
        request = self._request("POST", path, signed_at=signed_at, data=form, json=json)
        return self._call(request, sends=True)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _request(self, verb: str, path: str, *, signed_at: datetime | None = None, **content: Any) -> httpx.Request:
        timeout = {"connect": CONNECT_S, "read": self._patience.read, "write": WRITE_S, "pool": CONNECT_S}
        known = {"timeout": timeout, "signed_at": signed_at}
        return httpx.Request(verb, _address(self._base_url + path), headers=HEADERS, extensions=known, **content)

    def _call(self, request: httpx.Request, *, sends: bool) -> Reply:
        started = time.monotonic()
        try:
            with within(self._patience.total):
                response, body = self._exchange(request, sends=sends)
            reply = self._reply(response, body, sends=sends)
        except XError as error:
            _log(request, started, status=error.http_status, transaction=error.transaction, error=error)
            raise
        _log(request, started, status=reply.status, transaction=transaction_of(reply.headers))
        return reply

    def _exchange(self, request: httpx.Request, *, sends: bool) -> tuple[httpx.Response, bytes]:
        try:
            response = self._answer(request)
            try:
                return response, _body(response, sends=sends)
            finally:
                response.close()
        except NOTHING_WAS_SENT as error:
            raise Unreachable("X could not be reached.", reason=_word(error)) from error
        except httpx.HTTPError as error:
            _lost("answer_too_slow" if is_over() else _word(error), sends=sends, cause=error)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """Send the request, signed by `auth`, which may look at the answer and send it once more."""
        flow = self._auth.sync_auth_flow(request)
        signed = next(flow)
        while True:
            response = self._delivered(signed, request)
            try:
                signed = flow.send(response)
            except StopIteration:
                return response
            except BaseException:
                response.close()
                raise
            response.close()

    def _delivered(self, signed: httpx.Request, request: httpx.Request) -> httpx.Response:
        try:
            return self._transport.handle_request(signed)
        except httpx.HTTPError as error:
            if signed.url == request.url:
                raise
            # what `auth` wanted to know first; the request itself has not left
            raise Temporary("X did not say what time it is.", reason=_word(error)) from error

    def _reply(self, response: httpx.Response, body: bytes, *, sends: bool) -> Reply:
        now = self._clock()
        if not response.is_success:
            raise error_from(response.status_code, response.headers, body, sends=sends, now=now)
        try:
            said = parsed(body)
        except (ValueError, RecursionError):
            _unreadable(response.status_code, response.headers, "body: This is not JSON.", sends=sends)
        if only_complains(said):
            raise error_from(response.status_code, response.headers, body, sends=sends, now=now)
        return Reply(response.status_code, response.headers, said, sends, now)


def _transport(to: httpx.URL) -> Transport:
    return Transport(proxy_to(to.scheme, to.host))


@lru_cache(maxsize=64)
def _address(text: str) -> httpx.URL:
    """Parse an address, cached: that is half the cost of a request, and most endpoints have a single one."""
    return httpx.URL(text)


def _body(response: httpx.Response, *, sends: bool) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            _lost("answer_too_large", sends=sends)
    return b"".join(chunks)


def _lost(reason: str, *, sends: bool, cause: Exception | None = None) -> NoReturn:
    if sends:
        raise OutcomeUnknown("The answer to a send was lost: it may be at X.", reason=reason) from cause
    raise Temporary("The answer of X was lost.", reason=reason) from cause


def _unreadable(status: int, headers: Mapping[str, str], what: str, *, sends: bool) -> NoReturn:
    kind = OutcomeUnknown if sends else Temporary
    raise kind(
        f"X's answer cannot be read ({what})",
        reason="unreadable_answer",
        http_status=status,
        transaction=transaction_of(headers),
        dated=date_of(headers),
    ) from None


def endpoint_of(path: str) -> str:
    """Return the endpoint of an address, without the person or card it is about."""
    return IDS.sub(":id", path)


def _word(error: Exception) -> str:
    """ReadTimeout -> read_timeout: the stable word for a connection failure; what waiting does not mend has its own."""
    cause = caused_by(error, *OURS_TO_MEND)
    if cause is not None:
        return next(word for kind, word in OURS_TO_MEND.items() if isinstance(cause, kind))
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in type(error).__name__).lstrip("_")


def _log(
    request: httpx.Request,
    started: float,
    *,
    status: int | None,
    transaction: str | None,
    error: XError | None = None,
) -> None:
    took = time.monotonic() - started
    endpoint = endpoint_of(request.url.path)
    PROCESS_COUNTS.add("x_calls", request.method, endpoint, str(status or (error.reason if error else "")))
    PROCESS_COUNTS.observe("x_call_seconds", took, request.method, endpoint)
    facts: dict[str, str | int] = {
        "http.response.status_code": status or 0,
        "error.type": error.reason if error else "",
    }
    traces.call(f"{request.method} {endpoint}", took, facts, failed=error is not None)
    log.info(
        "x_called",
        method=request.method,
        path=endpoint,
        status=status,
        transaction=transaction,
        milliseconds=round(took * 1000),
        outcome=type(error).__name__ if error else "ok",
        reason=error.reason if error else None,
        code=error.code if error else None,
    )
