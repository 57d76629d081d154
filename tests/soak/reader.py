"""A supervisor at work during the load; returns how long each answer took.

Every few seconds figures, breakdowns, the newest rows, a search of comments and the changes since the last look.
"""

import threading
import time
from collections import Counter

import httpx

EVERY_S = 1.0
PATHS = (
    "/v1/summary", "/v1/breakdown?by=agent", "/v1/breakdown?by=team", "/v1/trend", "/v1/funnel",
    "/v1/results?limit=50", "/v1/results?q=words", "/v1/requests?limit=50", "/v1/changes?limit=200",
)  # fmt: skip


class Reader:
    """A thread that asks one after another, for ever."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30, trust_env=False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.took_s: list[float] = []
        self.answers: Counter[str] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)
        self._http.close()

    def _read(self) -> None:
        while True:
            for path in PATHS:
                self._ask(path)
                if self._over.wait(EVERY_S):
                    return

    def _ask(self, path: str) -> None:
        began = time.monotonic()
        try:
            answer = str(self._http.get(path).status_code)
        except httpx.HTTPError as error:
            answer = type(error).__name__
        self.answers[answer if answer == "200" else f"{path.partition('?')[0]} {answer}"] += 1
        self.took_s.append(time.monotonic() - began)
