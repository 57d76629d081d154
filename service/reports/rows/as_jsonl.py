"""Rows as JSON Lines: an object per line, with the same names and values as in the lists."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from json.encoder import encode_basestring
from typing import Any

from service.clock import rfc3339
from service.reports.rows.row import COLUMNS, KINDS, Columns, stamp, texts_of

LINE = "{" + ", ".join(f'"{name}": %s' for name in COLUMNS) + "}\n"
MADE: dict[str, Callable[[Any], str]] = {
    "text": encode_basestring,
    "time": lambda each: f'"{stamp(each)}"',
    "number": str,
    "flag": lambda each: "true" if each else "false",
    "list": partial(json.dumps, ensure_ascii=False),
}


def lines(pages: Iterable[Columns]) -> Iterator[bytes]:
    """Return the file in pieces of a page."""
    values = [texts_of(name, MADE[kind], "null") for name, kind in zip(COLUMNS, KINDS, strict=True)]
    for page in pages:
        made = [each(column) for each, column in zip(values, page, strict=True)]
        yield "".join([LINE % each for each in zip(*made, strict=True)]).encode()


def tombstones(erased: Iterable[tuple[str, datetime]]) -> bytes:
    """Return a line for each answer that is gone."""
    lines = (f'{{"request_id": {encode_basestring(each)}, "erased_at": "{rfc3339(at)}"}}\n' for each, at in erased)
    return "".join(lines).encode()
