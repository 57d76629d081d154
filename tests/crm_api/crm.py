"""A CRM's API on a local port: answers what a test tells it to and remembers every request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request

from tests.serving import served


@dataclass
class Crm:
    """What it answers by path, and what it was asked."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    bodies: list[Any] = field(default_factory=list)

    def reply(self, path: str) -> Any:
        whole = request.full_path.rstrip("?")
        self.asked.append((whole, {name.lower(): value for name, value in request.headers.items()}))
        if request.is_json:
            self.bodies.append(request.get_json())
        found = self.answers.get(f"/{path}", (404, {"error": "none"}))
        if callable(found):
            found = found()
        if isinstance(found, Response):
            return found
        status, value, *headers = found if isinstance(found, tuple) else (200, found)
        answer = jsonify(value)
        answer.status_code = status
        answer.headers.update(headers[0] if headers else {})
        return answer

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def crm(**answers: Any) -> Iterator[Crm]:
    """Serve one until the end of the block."""
    here, app = Crm(), Flask("crm")
    app.add_url_rule("/<path:path>", view_func=here.reply, methods=["GET", "POST"])
    here.answers = {**answers}
    with served(app) as here.url:
        yield here
