"""Takes the client's address, scheme and host from a reverse proxy's headers, if we trust it.

Only as many proxies as the settings say, and only from their networks: otherwise any client could choose its own
address.
"""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from service.network.addresses import is_inside, networks
from service.settings import Web

SCHEME = "HTTP_X_FORWARDED_PROTO"
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def trusting(application: Wsgi, web: Web) -> Wsgi:
    """Return the application, wrapped for the proxies in the settings."""
    hops = web.trusted_proxies
    if not hops:
        return application
    fixed, ours = ProxyFix(application, x_for=hops, x_proto=hops, x_host=hops), networks(web.proxy_networks)

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if ours and not is_inside(ours, environ.get("REMOTE_ADDR")):
            return application(environ, start_response)
        scheme = environ.get(SCHEME, "")
        if scheme and "," not in scheme:  # most proxies set it, where they add to the addresses
            environ[SCHEME] = ",".join([scheme] * hops)
        return fixed(environ, start_response)

    return call
