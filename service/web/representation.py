"""How an answer of the API is represented: with an ETag, compressed if asked for. Never changes what is said.

A client that does not accept JSON is told so before anything is read.
"""

import hashlib
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import flask
from werkzeug.exceptions import NotAcceptable

from service.errors import PROBLEM_JSON

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

API = "/v1/"
DESCRIBED = ("/openapi", "/docs")
JSON = ("application/json", PROBLEM_JSON)
SQUEEZED = frozenset({"application/json", "application/jsonl", "text/csv", "application/yaml", "text/html"})
WORTH_IT = 1000  # bytes; below that compression costs more than it saves
GZIP = 31  # zlib's word for gzip's frame
LEVEL = 4
QUICK = 1  # of zstd: already smaller than gzip at its 4, in a fifth of the time


class Compressor(Protocol):
    """What zlib and zstd have in common."""

    def compress(self, data: bytes, /) -> bytes:
        """Take a piece in; give what is ready."""

    def flush(self) -> bytes:
        """Give the rest."""


CODINGS: Mapping[str, Callable[[], Compressor]] = {
    "zstd": lambda: zstd.ZstdCompressor(level=QUICK),
    "gzip": lambda: zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP),
}
"""The better one first: it is taken where a client likes both alike."""


def register_representation(app: flask.Flask) -> None:
    """Mark and compress every answer of the API."""
    app.before_request(_demand_json)
    app.after_request(_squeezed)  # the last one registered is the first one called
    app.after_request(_marked)


def _demand_json() -> None:
    """Refuse a client that does not accept JSON from a JSON address; files have addresses of their own."""
    asked = flask.request
    if not asked.path.startswith(API) or "." in asked.path.rpartition("/")[2] or not asked.headers.get("Accept"):
        return
    if asked.url_rule is not None and not asked.accept_mimetypes.best_match(JSON):
        raise NotAcceptable(
            "This address answers in application/json. As files rows are at /v1/results.csv, .jsonl, .xlsx, .parquet."
        )


def _marked(response: flask.Response) -> flask.Response:
    """Add an ETag to what can be asked for again, and answer 304 to a client that has it."""
    asked = flask.request
    plain = asked.path.startswith(API) and asked.method == "GET" and response.status_code == 200  # noqa: PLR2004 - HTTP
    if plain and not response.is_streamed and "ETag" not in response.headers:
        response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
        response.make_conditional(asked)
    return response


def _squeezed(response: flask.Response) -> flask.Response:
    if not flask.request.path.startswith((API, *DESCRIBED)) or response.mimetype not in SQUEEZED:
        return response  # a page with a form's secret must not be compressed together with text that others can choose
    if flask.request.method == "HEAD" or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    small = not response.is_streamed and (response.content_length or 0) < WORTH_IT
    coding = _coding()
    if small or coding is None:
        return response
    response.headers["Content-Encoding"] = coding
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)  # other bytes than where nothing is compressed, and the same words
    if response.is_streamed:
        response.headers.pop("Content-Length", None)
        response.response = _pieces(CODINGS[coding](), response.response)
    else:
        response.set_data(b"".join(_pieces(CODINGS[coding](), [response.get_data()])))
    return response


def _coding() -> str | None:
    """The client's preferred coding among ours; a client that takes anything gets what everybody can read."""
    asked = flask.request.accept_encodings
    named = {each.lower() for each in asked.values()}
    known = [name for name in CODINGS if name == "gzip" or name in named]
    liked = max(known, key=lambda name: asked[name])  # the first of equals
    return liked if asked[liked] else None


def _pieces(squeeze: Compressor, pieces: Iterable[str | bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if out := squeeze.compress(piece.encode() if isinstance(piece, str) else piece):
            yield out
    yield squeeze.flush()
