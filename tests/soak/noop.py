"""A server that does nothing, asked all the while; returns how long each answer took.

Its times are the machine's own. On a busy machine, deliveries are compared with it.
"""

import threading
import time

import httpx

EVERY_S = 0.5


class Noop:
    """A thread that asks once and again."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/webhooks/crm/crm"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.took_s: list[float] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)

    def _ask(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            while not self._over.wait(EVERY_S):
                began = time.monotonic()
                try:
                    http.post(self._url, content=b"{}").raise_for_status()
                except httpx.HTTPError:
                    continue
                self.took_s.append(time.monotonic() - began)
