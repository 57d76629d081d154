"""Resolves an API's address to the IP to connect to, or says why we must not go there.

https only (http for this machine). A name is resolved once and the connection goes to exactly that IP, so a name that
changes its mind cannot lead inside. Private networks are allowed only where the settings list them, and are reached
directly. Where the settings name a proxy, it resolves the name.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from service.network import addresses
from service.network.egress import proxy_to
from service.network.transport import is_ip, resolve

Ip = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]
PORTS = {"https": 443, "http": 80}


class Forbidden(Exception):
    """An address we must not call. Its text is a sentence."""


@dataclass(frozen=True, slots=True)
class PinnedHost:
    """A host, and the IP that was found for it; where a proxy resolves the name, that name."""

    scheme: str
    host: str
    port: int
    ip: str
    proxy: str | None = None

    @property
    def origin(self) -> str:
        """The address to connect to."""
        shown = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.scheme}://{shown}:{self.port}"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"


def place_of(url: str, networks: Iterable[str] = (), ask: Resolve = resolve) -> PinnedHost:
    """Return where to connect to. Raises Forbidden, and OSError if the name is unknown."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in PORTS or not host or parts.username is not None or parts.password is not None:
        raise Forbidden("The address must be https://host, without a name or password in it.")
    port = parts.port or PORTS[parts.scheme]
    allowed = addresses.networks(networks)
    proxy = None if allowed else proxy_to(parts.scheme, host)  # networks are ours: no proxy stands before them
    if proxy is not None and not is_ip(host):
        return PinnedHost(parts.scheme, host, port, host, proxy)
    found = [_ip(each) for each in ask(host, port)]
    if not found:
        raise OSError(f"{host} has no address")
    for ip in found:
        _demand(ip, parts.scheme, allowed)
    return PinnedHost(parts.scheme, host, port, str(found[0]), proxy)


def _ip(text: str) -> Ip:
    ip = ip_address(text.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return mapped if isinstance(mapped, IPv4Address) else ip


def _demand(ip: Ip, scheme: str, allowed: Iterable[addresses.Network]) -> None:
    """All addresses of a name must be allowed: which one is used later is not ours to choose."""
    if scheme == "http":
        if not ip.is_loopback:
            raise Forbidden("Plain http goes to this machine only; write https.")
        return
    if not ip.is_global and not any(ip in each for each in allowed):
        raise Forbidden("The address is in a private network; name it under the source's api.networks.")
    if ip.is_multicast:
        raise Forbidden("The address is a multicast address.")
