"""Network addresses: inside a given network or not, this machine or not, and what counts as one client."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
ONE_CUSTOMER = 64  # bits of IPv6: whoever has one address usually has the other 2^64 of its network


def networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Read networks that the settings have checked."""
    return tuple(ip_network(each, strict=False) for each in written)


def is_inside(where: Iterable[Network], address: str | None) -> bool:
    """Say whether the address lies in one of the networks; what is no address lies in none."""
    found = _read(address)
    return found is not None and any(found in network for network in where)


def neighbourhood(address: str | None) -> str:
    """Return what is counted as one client: an IPv4 address, or the /64 of an IPv6 one."""
    found = _read(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, ONE_CUSTOMER), strict=False))
    return str(found or "nowhere")


def _read(address: str | None) -> IPv4Address | IPv6Address | None:
    """Read an address; some proxies write the port behind it: 203.0.113.7:51234, [2001:db8::7]:51234."""
    text = address or ""
    if text.startswith("[") or text.count(":") == 1:
        text = text.removeprefix("[").partition("]" if text.startswith("[") else ":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_this_machine(host: str | None) -> bool:
    """Say whether a name never leaves this machine; `.test` and `.localhost` are reserved for that (RFC 6761)."""
    name = (host or "localhost").lower()
    if name == "localhost" or name.startswith("/") or name.endswith((".localhost", ".test")):
        return True  # a path is a socket's
    found = _read(name)
    return found is not None and found.is_loopback


def is_open_to_the_road(url: str) -> bool:
    """Say whether what is sent to an address could be read on its way."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_this_machine(parts.hostname)
