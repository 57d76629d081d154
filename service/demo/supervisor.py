"""Reads as a supervisor's tool would: results, the CSV and the summary's figures, over HTTP and page by page.

A short page is not the end, a missing cursor is.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from service.demo.http_call import OK, NobodyAnswered, call, call_json
from service.demo.memories import ShownAnswer, ToldToTool

PAGE = 25  # small, so that the cursor is really used
LIST = "/v1/results?agent_id=eve&has_text=true&limit=1"
UNIT = {"csat": " %", "nps": ""}


@dataclass(frozen=True, slots=True)
class FigureInWords:
    """One figure as words."""

    name: str
    value: str
    interval: str
    n: str
    how: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `call` is an example of an integration's call, `answered` the beginning of its answer."""

    told: ToldToTool
    figures: Sequence[FigureInWords]
    ways: Sequence[FigureInWords]
    csv: bytes
    call: str
    answered: str


def bearer(key: str) -> dict[str, str]:
    """The header with a key."""
    return {"authorization": f"Bearer {key}"}


def read(service_url: str, key: str) -> Reading:
    """Read everything. Raises NobodyAnswered."""
    results = {
        each["request_id"]: ShownAnswer(each["score"], each["text"], each["suppressed"])
        for each in _results(service_url, key)
    }
    table = _csv(service_url, key)
    rows = {each["request_id"]: _from_csv(each) for each in csv.DictReader(io.StringIO(table.decode("utf-8-sig")))}
    summary = call_json("GET", f"{service_url}/v1/summary", headers=bearer(key))
    groups = call_json("GET", f"{service_url}/v1/breakdown?by=agent", headers=bearer(key))["items"]
    told = ToldToTool(results, rows, {kind: summary[kind]["n"] for kind in ("csat", "nps")})
    shown = f"{service_url}{LIST}"
    page = call_json("GET", shown, headers=bearer(key))
    ways = call_json("GET", f"{service_url}/v1/breakdown?by=way", headers=bearer(key))["items"]
    return Reading(
        told, [*_figures(summary), *_groups(groups)], [*_ways(ways)], table, shown, _beginning(page["items"])
    )


def _beginning(items: Sequence[Mapping[str, Any]]) -> str:
    shown = [{name: row[name] for name in SHOWN} for row in items]
    return json.dumps({"items": shown}, ensure_ascii=False).removesuffix("}]}") + ", …"


SHOWN = (
    "request_id", "conversation_id", "account", "team_id", "agent_id", "type", "score", "score_at", "text", "text_at",
)  # fmt: skip


def _results(service_url: str, key: str) -> Iterator[Mapping[str, Any]]:
    cursor = ""
    while True:
        page = call_json("GET", f"{service_url}/v1/results?limit={PAGE}&include_test=true{cursor}", headers=bearer(key))
        yield from page["items"]
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={quote(page['next_cursor'])}"


def _csv(service_url: str, key: str) -> bytes:
    url = f"{service_url}/v1/results.csv?include_test=true"
    answer = call("GET", url, headers=bearer(key))
    if answer.status != OK:
        raise NobodyAnswered(f"GET {url}: {answer.status} {answer.body[:300].decode('utf-8', 'replace')}")
    return answer.body


def _from_csv(row: Mapping[str, str]) -> ShownAnswer:
    text = row["text"] or None
    if text is not None and text[:2] in GUARDED:
        text = text[1:]
    return ShownAnswer(int(row["score"]) if row["score"] else None, text, row["suppressed"] == "true")


GUARDED = frozenset(f"'{sign}" for sign in "=+-@\t\r")  # the apostrophe keeps spreadsheets from calculating


def _figures(summary: Mapping[str, Any]) -> Iterator[FigureInWords]:
    yield _figure("CSAT, satisfied (4 and 5 of 5)", summary["csat"], UNIT["csat"])
    yield _figure("NPS (-100 to 100)", summary["nps"], UNIT["nps"])
    yield _figure("response rate, of delivered cards", summary["response_rate_of_delivered"], " %")


def _groups(tables: Sequence[Mapping[str, Any]]) -> Iterator[FigureInWords]:
    for table in tables:
        for row in table["rows"]:
            if row["delivered"] and row["score"]["n"] != 0:
                name = f"  {table['type'].upper()} of {_whose(row)} customers"
                yield _figure(name, row["score"], UNIT[table["type"]])


def _whose(row: Mapping[str, Any]) -> str:
    if row["rest"] is not None:
        return "not yet named agents'"
    return "nobody's" if row["key"] is None else f"agent {row['key']}'s"


def _ways(tables: Sequence[Mapping[str, Any]]) -> Iterator[FigureInWords]:
    """How many of those asked in each way answered, and their scores."""
    for table in tables:
        for row in table["rows"]:
            if row["delivered"]:
                rate = row["response_rate"]
                name = f"{row['key']}: {rate['successes']} of {rate['n']} answered, {table['type'].upper()}"
                yield _figure(name, row["score"], UNIT[table["type"]])


def _figure(name: str, score: Mapping[str, Any], unit: str) -> FigureInWords:
    if score["value"] is None:
        return FigureInWords(name, "not shown", "", "", f"{score['suppressed']}: kept back on every surface alike")
    n = f"{score['n']}{' (low base)' if score['low_base'] else ''}"
    span = f"{score['low']:.1f} to {score['high']:.1f}"
    return FigureInWords(name, f"{score['value']:.1f}{unit}", span, n, score["method"])
