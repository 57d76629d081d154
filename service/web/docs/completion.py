"""Completes the description the frameworks wrote of our routes: required fields, and examples.

Every field of an answer is always present, null where there is nothing to say, so clients need no checks for it.
"""

from collections.abc import Iterator
from typing import Any

from service.errors import PROBLEM_JSON
from service.web.docs import examples
from service.web.statuses import component

JSON = "application/json"
IN_PATHS = {
    "request_id": "The request's id, as shown in lists",
    "feed_id": "The feed's id, from its creation",
    "secret": "The secret part of the feed's URL",
    "note_id": "The note's id, as shown in the timeline",
    "source": "The CRM, by its name in the settings",
    "conversation_id": "The CRM's id of the conversation",
}


def complete(spec: dict[str, Any]) -> None:
    """Add the required fields of answers, an example of each, and words for what stands in a path."""
    schemas = spec["components"]["schemas"]
    for given in _in_paths(spec):
        given.setdefault("description", IN_PATHS[given["name"]])
    for name in sorted(_told(spec, schemas)):
        shape = schemas[name]
        if shape.get("properties") and name != "Problem":
            shape["required"] = sorted(shape["properties"])
    for status, response in _responses(spec):
        for kind, content in response.get("content", {}).items():
            if kind == PROBLEM_JSON and status in examples.ERRORS:
                content["example"] = examples.problem(status)
            elif kind == JSON and "schema" in content:
                content["example"] = examples.of(content["schema"], schemas)


def _in_paths(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in spec["paths"].values():
        yield from (each for each in path.get("parameters", ()) if each["in"] == "path" and "description" not in each)


def _responses(spec: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every described answer with its status; shared ones with their name."""
    for path in spec["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                for status, response in operation.get("responses", {}).items():
                    if "$ref" not in response and str(status).isdigit():
                        yield int(status), response
    shared = spec["components"].get("responses", {})
    yield from ((status, shared[component(status)]) for status in examples.ERRORS if component(status) in shared)


def _told(spec: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The schemas that answers are made of."""
    waiting = [name for status, each in _responses(spec) if status < 400 for name in _named(each)]  # noqa: PLR2004 - HTTP
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named(schemas[name])
    return found


def _named(value: Any) -> Iterator[str]:
    """The schemas a piece of the description refers to."""
    if isinstance(value, dict):
        if str(value.get("$ref", "")).startswith("#/components/schemas/"):
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _named(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each)
