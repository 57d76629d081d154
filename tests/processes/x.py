"""X in its own process, and a client of its controls."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.processes.children import cli, until
from tests.processes.site import Site


class X:
    """The sandbox's /_control, from outside."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/_control", timeout=60, trust_env=False, verify=False)

    def ask(self, path: str, **query: object) -> Any:
        answer = self._http.get(path, params={key: str(value) for key, value in query.items()})
        return answer.raise_for_status().json()

    def tell(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._http.post(path, json=dict(body)).raise_for_status().json()

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        self._http.put(path, json=dict(body)).raise_for_status()

    def faults(self, *rules: Mapping[str, Any]) -> list[int]:
        """Add rules and return their ids."""
        return list(self.tell("/faults", {"rules": [dict(each) for each in rules]})["ids"])

    def hits(self, rule_id: int) -> int:
        return sum(each["hits"] for each in self.ask("/faults")["rules"] if each["id"] == rule_id)

    def forget_fault(self, rule_id: int) -> None:
        self._http.delete("/faults", params={"id": str(rule_id)}).raise_for_status()

    def calm(self) -> None:
        """Take all faults away; who hangs is let go only by time."""
        self._http.delete("/faults").raise_for_status()

    def sent(self, via: str) -> int:
        counts = self.ask("/truth", messages=0, cards=0, requests=0, pushes=0)["counts"]
        return int(counts["messages_via"].get(via, 0))

    def close(self) -> None:
        self._http.close()

    def answers(self) -> bool:
        try:
            self.ask("/clock")
        except httpx.HTTPError:
            return False
        return True


@contextmanager
def running_x(site: Site, bind: str = "127.0.0.1") -> Iterator[X]:
    """The sandbox of this site, as a process of its own."""
    words = ("sandbox", "--bind", f"{bind}:{site.x_port}", "--file", str(site.x_file))
    x = X(site.x_url)
    with cli("sandbox", site.directory, *words):
        until(x.answers, 60, "the sandbox answers")
        yield x
        x.close()
