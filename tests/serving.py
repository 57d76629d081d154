"""Serves an application on a local port until the block ends.

werkzeug's server checks twice a second whether it should stop, and whoever stops it waits for that: here it checks more
often.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler, make_server

LOOK_EVERY_S = 0.01


class Silent(WSGIRequestHandler):
    """werkzeug's own, without its log."""

    def log(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(application: WSGIApplication, *, tls: bool = False) -> Iterator[str]:
    """Serve it until the block ends; over TLS with a certificate that nobody vouches for."""
    proof = "adhoc" if tls else None
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent, ssl_context=proof)
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_EVERY_S,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
