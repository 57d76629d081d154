"""HTTP transport with a deadline for the whole call, not just for the next byte.

A socket timeout only limits the wait for the next byte: a server that sends one every few seconds could keep a caller
for ever, and a silent name server would be asked for half a minute. Leases rely on how long a call may take: a machine
that slept has spent that time, and sends nothing when it wakes. Knows neither X nor a CRM.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpcore
import httpx

from service.clock import since_boot
from service.network import egress

KEPT, KEPT_FOR_S = 8, 5.0
UNTIL: ContextVar[float | None] = ContextVar("until", default=None)
NAMED_WITHIN_S = 5.0
Options = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


def trusted() -> ssl.SSLContext:
    """The certificates we trust."""
    return _trusted(egress.chosen().trusted_ca)


@cache
def _trusted(more: str | None) -> ssl.SSLContext:
    """Read once: that takes longer than a call."""
    context = httpx.create_ssl_context(trust_env=False)
    if more is not None:
        context.load_verify_locations(cadata=more)
    return context


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End every wait of this thread within so many seconds from now."""
    before = UNTIL.set(since_boot() + seconds)
    try:
        yield
    finally:
        UNTIL.reset(before)


def is_over() -> bool:
    """Whether nothing is left of the time."""
    until = UNTIL.get()
    return until is not None and since_boot() >= until


def caused_by(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """Return the first cause of an error that is of one of these kinds: libraries wrap what the system said."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kinds):
        cause = cause.__cause__ or cause.__context__
    return cause


def resolve(host: str, port: int) -> list[str]:
    """Resolve a host, for no longer than the call may wait. Raises OSError, including TimeoutError."""
    if is_ip(host):
        return [host]
    found: SimpleQueue[list[str] | OSError] = SimpleQueue()
    Thread(target=_ask, args=(host, port, found), name="names", daemon=True).start()
    try:
        answer = found.get(timeout=_left(NAMED_WITHIN_S, TimeoutError))
    except Empty:
        raise TimeoutError(f"nobody says where {host} is") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def is_ip(host: str) -> bool:
    """Say whether a host is an address and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _ask(host: str, port: int, found: "SimpleQueue[list[str] | OSError]") -> None:
    try:
        found.put([str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
    except OSError as error:
        found.put(error)
    except UnicodeError as error:  # no name in any encoding of names
        found.put(OSError(str(error)))


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    """What is left of a time-out within the call's deadline."""
    until = UNTIL.get()
    if until is None:
        return timeout
    rest = until - since_boot()
    if rest <= 0:
        raise over("The time of this call is over.")
    return rest if timeout is None else min(timeout, rest)


class BoundedStream(httpcore.NetworkStream):
    """A connection whose waits end with the call."""

    def __init__(self, line: httpcore.NetworkStream) -> None:
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for the next bytes."""
        return self._line.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send."""
        self._line.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands."""
        return BoundedStream(
            self._line.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout))
        )

    def get_extra_info(self, info: str) -> Any:
        """Tell of the connection."""
        return self._line.get_extra_info(info)


class BoundedNetwork(httpcore.NetworkBackend):
    """Connects: resolves a name in time and tries each of its addresses."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Options | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        try:
            addresses = resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for place, address in enumerate(addresses, 1):
            try:
                wait = _left(timeout, httpcore.ConnectTimeout)
                return BoundedStream(self._backend.connect_tcp(address, port, wait, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")


class Transport(httpx.HTTPTransport):
    """httpx's transport over such connections, through a proxy if one is given. Takes nothing from the environment."""

    def __init__(self, proxy: str | None = None) -> None:
        super().__init__(verify=trusted(), trust_env=False)
        options: dict[str, Any] = {
            "ssl_context": trusted(),
            # unlimited: callers limit themselves, and a call that waited here would look like a failed one
            "max_connections": None,
            "max_keepalive_connections": KEPT,
            "keepalive_expiry": KEPT_FOR_S,
            "network_backend": BoundedNetwork(),
        }
        self._pool = httpcore.ConnectionPool(**options) if proxy is None else _through(httpx.Proxy(proxy), options)


def _through(proxy: httpx.Proxy, options: dict[str, Any]) -> httpcore.ConnectionPool:
    place = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=proxy.url.raw_path
    )
    tls = trusted() if proxy.url.scheme == "https" else None
    return httpcore.HTTPProxy(place, proxy.raw_auth, proxy_ssl_context=tls, **options)
