"""The sandbox on a socket: threads, keep-alive, no log lines, and connections that can die on purpose.

Never for the open internet: it is a developer's X.
"""

import io
import json
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from service.process import STOPS, ending_on
from service.sandbox import pushes
from service.sandbox.app import create_sandbox
from service.sandbox.config import SandboxConfig
from service.sandbox.faults import Drop
from service.sandbox.schedule import Ticker
from service.sandbox.state import World
from service.sandbox.writing import XRefusal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def serve(config: SandboxConfig, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the base URL once connections are accepted."""
    server = SandboxServer(config, host, port)
    server.start()
    with suppress(KeyboardInterrupt), ending_on(*STOPS):
        try:
            if ready is not None:
                ready(server.url)
            server.wait()
        finally:
            server.stop()


class SandboxServer:
    """A sandbox running in threads of this process: `start`, use `url`, `stop`. Also a context manager."""

    def __init__(self, config: SandboxConfig, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app: Flask = create_sandbox(config)
        self.world: World = self.app.extensions["sandbox"]
        self._server = QuietServer(host, port, self.app, QuietHandler)
        self.url = url_of(host, self._server.port)
        self._ticker = Ticker(self.world)
        self._thread = threading.Thread(target=self._serve, name="sandbox-server", daemon=True)

    def start(self) -> None:
        """Accept connections and let the sandbox's time go by."""
        self._ticker.start()
        self._thread.start()

    def wait(self) -> None:
        """Block until somebody stops it; wakes now and then so that a signal is seen."""
        while self._thread.is_alive():
            self._thread.join(timeout=1)

    def stop(self) -> None:
        """No more connections, no more pushes; hanging requests are let go."""
        self.world.released.set()
        self._server.shutdown()
        self._ticker.stop()
        pushes.stop(self.world)
        self.world.visitors.shutdown(wait=False, cancel_futures=True)
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)


def url_of(host: str, port: int) -> str:
    """Return the address under which a server that listens there is reached from this machine."""
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)  # noqa: S104 - only shown
    return f"http://{shown}:{port}"


class QuietServer(ThreadedWSGIServer):
    """Werkzeug's server, for many clients at once."""

    # 50 clients connecting at once must all find a place in the queue.
    request_queue_size = 512
    block_on_close = False


class QuietHandler(WSGIRequestHandler):
    """Werkzeug's handler closes every connection and waits 10 ms after each; this one reads the body and keeps it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # status line, headers and body leave in one packet

    def run_wsgi(self) -> None:
        """One request, one answer, or none when the sandbox drops it."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        # Werkzeug leaves these out; one CRM signs its callers in by such a name.
        environ |= {f"HTTP_{name.upper()}": value for name, value in self.headers.items() if "_" in name}
        # The whole body, or what is left of it would be read as the next request.
        body = environ["wsgi.input"].read(_length(environ))
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        try:
            status, headers, content = _ask(self.server.app, environ)
        except Drop:
            self._die()
            raise
        self._send(status, headers, content)

    def _send(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, phrase = status.split(" ", 1)
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _die(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            # All three, and now: a shutdown first would soften the reset into an orderly end.
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    def log_request(self, *_: object) -> None:
        """Quiet: /_control/truth has every request."""

    def connection_dropped(self, *_: object) -> None:
        """The client left; so do we."""
        self.close_connection = True


def _ask(app: "WSGIApplication", environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        answer[:] = [status, headers]
        return lambda _: None

    try:
        content = b"".join(app(environ, start_response))
    except Drop:
        raise
    except Exception:  # noqa: BLE001 - a fault of ours must not look like a connection dropped on purpose
        traceback.print_exc()
        body = json.dumps(XRefusal(500, 131).body).encode()
        return "500 INTERNAL SERVER ERROR", [("Content-Length", str(len(body)))], body
    return answer[0], answer[1], content


def _length(environ: dict[str, Any]) -> int:
    return -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
