"""The CRMs on a socket. Never for the open internet."""

import threading
from typing import Self

from service.sandbox.crm.crm_app import create_crms
from service.sandbox.crm.people import Crms
from service.sandbox.server import QuietHandler, QuietServer, url_of


class CrmServer:
    """All vendors in threads of this process. A context manager."""

    def __init__(self, crms: Crms, host: str = "127.0.0.1", port: int = 0) -> None:
        self.crms = crms
        self._server = QuietServer(host, port, create_crms(crms), QuietHandler)
        self.url = url_of(host, self._server.port)
        self._thread = threading.Thread(target=self._serve, name="crm-sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)
