"""The same over HTTP, as analysts with several keys read it from the API.

Each answer is kept with its ETag, to see whether a second look at the same releases is told anything else.
"""

import random
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from service.app import create_app
from service.reports.disclosure.asked import Pooled, Value
from tests.reports.attack.collect import Figure
from tests.reports.attack.ledgers import BEGIN
from tests.reports.attack.play import DAY, Lived
from tests.reports.world import Client, World

KEYS: tuple[tuple[str, ...], ...] = (("acme",), ("other",), ())
BOTH = ("acme", "other")
BY = ("team", "agent", "campaign", "language", "hour", "account")
PATHS = (
    "summary", "funnel", "completeness",
    *(f"trend?period={period}" for period in ("day", "week", "month")),
    *(f"breakdown?by={by}" for by in BY),
    *(f"coverage?by={by}" for by in ("team", "agent")),
    *(f"differences?by={by}&since=2026-09-07&until=2026-10-05" for by in BY),
    "compare?since=2026-08-03&until=2026-09-07&other_since=2026-09-07&other_until=2026-10-05",
)  # fmt: skip
PAGES = (
    "", "?since=2026-08-03&until=2026-10-05", "explore?by=team", "explore?by=agent", "explore?by=campaign",
    "explore?by=team&show=response", "explore?by=team&a=red&b=blue", "coverage", "operations", "definitions",
    "report?month=2026-08", "report?since=2026-08-03&to=2026-09-06&team_id=red", "report.html?month=2026-08",
    "timeline",
)  # fmt: skip
NONCE = re.compile(r'(nonce|value)="[A-Za-z0-9_-]{16,}"')
REFUSED = 422
Answer = Mapping[str, Any]


def collect(lived: Lived, rnd: random.Random) -> set[Figure]:
    """Ask as three analysts, each with another key."""
    return Analysts(lived).collect(rnd)


class Analysts:
    """Analysts with a key for one account, for the other, and for all."""

    def __init__(self, lived: Lived) -> None:
        world = World(lived.engine, lived.settings)
        world.clock.now = lived.now
        self._lived, self.world = lived, world
        self._clients = {accounts: world.client("analyst", *accounts) for accounts in KEYS}

    def key_of(self, accounts: tuple[str, ...]) -> str:
        """The key of one of them."""
        return self._clients[accounts].key or ""

    def collect(self, rnd: random.Random, windows: int = 0) -> set[Figure]:
        """Ask for every breakdown, summary and trend, over all days and some windows, with and without filters."""
        found: set[Figure] = set()
        for accounts, client in self._clients.items():
            for asked in self._questions(rnd, windows):
                found |= set(self._read(client, accounts or BOTH, asked))
        return found

    def everything(self) -> dict[str, tuple[int, str | None, str]]:
        """Status, ETag and body of all that can be asked about all days, from the API and the dashboard."""
        found = {}
        for accounts, client in self._clients.items():
            for path in PATHS:
                answer = client.get(f"/v1/{path}")
                found[f"{accounts} {path}"] = (answer.status_code, answer.headers.get("ETag"), answer.text)
        browser = create_app(self._lived.settings, self._lived.engine, self.world.clock).test_client()
        browser.post("/dashboard/sign-in", data={"key": self._clients[()].key})
        for page in PAGES:
            answer = browser.get(f"/dashboard/{page}")
            found[page] = (answer.status_code, answer.headers.get("ETag"), NONCE.sub("", answer.text))
        return found

    def _questions(self, rnd: random.Random, windows: int) -> Iterator[dict[str, str]]:
        spoken = list(self._lived.spoken.values())
        days = (self._lived.now.date() - BEGIN).days
        for number in range(windows + 1):
            a, b = sorted(rnd.sample(range(-3, days + 8), 2))
            window = {"since": (BEGIN + a * DAY).isoformat(), "until": (BEGIN + b * DAY).isoformat()} if number else {}
            each = rnd.choice(spoken)
            yield window
            yield {**window, "team_id": each.team}
            yield {**window, "agent_id": each.agent}
            yield {**window, "campaign": each.campaign}
            yield {**window, "account": each.account}

    def _read(self, client: Client, accounts: tuple[str, ...], asked: dict[str, str]) -> Iterator[Figure]:
        if asked.get("account", accounts[0]) not in accounts:
            assert client.refused("/v1/summary", 403, **asked) == "account_not_allowed"
            return
        mine = (asked["account"],) if "account" in asked else accounts
        for by in BY:
            yield from self._breakdown(client, mine, by, asked)
        answer = client.get("/v1/summary", **asked)
        yield from self._figure(mine, None, asked, None, answer.get_json()["csat"], is_total=True)
        for period in ("day", "week", "month") if len(mine) == 1 else ():
            answer = client.get("/v1/trend", period=period, **asked)
            for item in answer.get_json()["items"] if answer.status_code != REFUSED else ():
                for point in item["points"] if item["type"] == "csat" else ():
                    yield from self._figure(mine, None, asked, None, point["score"], is_total=True)

    def _breakdown(self, client: Client, mine: tuple[str, ...], by: str, asked: dict[str, str]) -> Iterator[Figure]:
        answer = client.get("/v1/breakdown", by=by, **asked)
        if answer.status_code == REFUSED:
            assert answer.get_json()["code"] == "one_at_a_time"
            return
        for item in answer.get_json()["items"]:
            if item["type"] == "csat":
                yield from self._figure(mine, by, asked, None, item["total"], is_total=True)
                for row in item["rows"]:
                    yield from self._figure(mine, by, asked, _label(by, row), row["score"], is_total=False)

    def _figure(
        self,
        mine: tuple[str, ...],
        by: str | None,
        asked: Answer,
        label: Value | Pooled,
        score: Answer,
        *,
        is_total: bool,
    ) -> Iterator[Figure]:
        if score["n"] is None:
            assert score["suppressed"], score
            return
        names = {"team_id": "team", "agent_id": "agent", "campaign": "campaign"}
        wanted = tuple((names[name], value) for name, value in asked.items() if name in names)
        satisfied = round(score["value"] * score["n"] / 100) if score["n"] else 0
        scores = tuple((int(each["score"]), each["n"]) for each in score["distribution"] or () if each["n"])
        first, end = (self._day(score[name]) for name in ("since", "until"))
        classes = (score["n"] - satisfied, satisfied)
        yield Figure(mine, by, wanted, label, is_total, first, end, score["n"], classes, scores)

    def _day(self, moment: str) -> date:
        return datetime.fromisoformat(moment).astimezone(self._lived.settings.service.time_zone).date()


def _label(by: str, row: Answer) -> Value | Pooled:
    if row.get("rest"):
        return Pooled(row.get("of"), row["rest"] == "other_groups")
    value = row["key"]
    return int(value) if by == "hour" and value is not None else value
