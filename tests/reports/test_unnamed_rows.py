"""Nothing published depends on whose the unnamed rows are: two ledgers that differ only in that look the same.

Three new colleagues share some conversations. In the other ledger they share them differently, and nobody has more than
four answers in either. Whatever a supervisor's, an analyst's or an admin's key can ask, over the API, on pages, in
files or by a feed, is answered with the same bytes in both, on several days of the story.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from service.app import create_app
from service.db import writing
from service.privacy.housekeeping import erase
from service.reports.people.name_at import NameLine
from service.reports.people.rename_rows import tell
from service.reports.people.stored import keep
from tests.reports.attack.play import database
from tests.reports.world import Client, World, settings_of

DAY = timedelta(days=1)
MONDAY = date(2026, 8, 3)
KNOWN = (("red", "ann"), ("red", "bob"), ("blue", "cat"), (None, "fay"), ("gold", None))
NEW = (("red", "new"), ("blue", "fresh"), ("green", None))
MOMENTS = (24, 90)
NAMES = {9: ("agent", "new", "Nora"), 20: ("agent", "fresh", "Fred"), 34: ("team", "green", "Greens")}
SKIPPED_ON, ERASED_ON = {3, 7, 11, 22, 33}, {12, 28}
LAST_DAY = 35
QUESTIONS = 60  # drawn from thousands, another sixty at each moment
ENDS = (("card_sent", None), ("failed", "refused"), ("unknown", "unclear_send"), ("skipped", "cannot_dm"))
PEOPLE = [{"team_id": team} for team in ("red", "blue", "green", "")] + [
    {"agent_id": agent} for agent in ("ann", "new", "fresh", "")
]
FILTERS: list[dict[str, Any]] = [{}, *PEOPLE, {"team_id": "red", "agent_id": "new"}, {"language": "de"}]
FIGURES = (
    "summary", "funnel", "completeness", *(f"breakdown?by={by}" for by in ("team", "agent", "language", "hour", "way")),
    *(f"coverage?by={by}" for by in ("team", "agent", "way")), "trend?period=week", "trend?period=month&by=team",
    "trend?period=month&by=agent", "differences?by=team", "differences?by=agent", "differences?by=team&and_by=language",
    "compare?by=agent&a=ann&b=new", "compare?by=team_id&a=red&b=blue", "compare?by=team&a=red&b=green",
)  # fmt: skip
ROWS = (
    "results?limit=250", "requests?limit=250", "results?limit=7&sort=ended_at", "requests?has_text=true",
    "requests?state=failed", "results?q=fine", "results?score_to=3", "results.csv?", "results.jsonl?answered=true",
    "results.csv?manifest=true", "changes?limit=250",
)  # fmt: skip
PAGES = (
    "", "explore?by=team", "explore?by=agent", "explore?by=team&and=language", "explore?by=agent&a=ann&b=new",
    "coverage?by=agent", "coverage?by=team", "operations", "conversations", "comments", "comments?all=true", "report",
    "timeline", "download/figures.csv?by=agent", "download/rows.csv",
)  # fmt: skip
FEEDS = (
    *({"figure": "coverage", "by": by} for by in ("team", "agent")),
    *({"figure": "breakdown", "by": by} for by in ("team", "agent")),
    *({"figure": "trend", "period": "month", "by": by} for by in ("team", "agent")),
)
NONCE = re.compile(r'(nonce|value)="[A-Za-z0-9_-]{16,}"|"request_id": ?"[0-9a-f]{16}"|request_id=[0-9a-f]{16}')


@dataclass(frozen=True)
class Turn:
    """One conversation: when, how it ended, what was answered. `whose` None: one of the new."""

    day: int
    hour: int
    whose: tuple[str | None, str | None] | None
    ended_as: tuple[str, str | None]
    score: int | None
    text: str | None
    language: str


def story(draw: random.Random) -> list[Turn]:
    """Six weeks in which four agents are known and three are new."""
    found = [Turn(-1, 9, who, ENDS[0], 5, None, "en") for who in KNOWN for _ in range(9)]
    for day in range(LAST_DAY + 1):
        found += [_turn(draw, day, who, ENDS[0]) for who in KNOWN for _ in range(draw.choice((0, 1, 1, 2)))]
    new = [_turn(draw, draw.randrange(LAST_DAY + 1), None, ENDS[0], answers=True) for _ in range(9)]
    new += [_turn(draw, draw.randrange(LAST_DAY + 1), None, end, answers=False) for end in ENDS * 2]
    return sorted([*found, *new], key=lambda turn: (turn.day, turn.hour))


def _turn(draw: random.Random, day: int, who: Any, end: tuple[str, str | None], answers: bool | None = None) -> Turn:
    answered = draw.random() < 0.6 if answers is None else answers
    text = draw.choice(("fine", None)) if answered else None
    return Turn(day, draw.randrange(8, 19), who, end, draw.choice((1, 3, 5)) if answered else None, text,
                draw.choice(("en", "en", "de")))  # fmt: skip


def shared(draw: random.Random, turns: list[Turn]) -> list[Any]:
    """Whose each turn is: the new share theirs by chance, with at most four answers each."""
    left = dict.fromkeys(NEW, 4)
    found = []
    for turn in turns:
        who = turn.whose
        if who is None:
            who = draw.choice([each for each in NEW if left[each] or turn.score is None])
            left[who] -= turn.score is not None
        found.append(who)
    return found


def lived(world: World, turns: list[Turn], whose: list[Any], since: int, until: int) -> None:
    """Some days, each closed on the morning after; when the story is over, a week at a time."""
    for day in (day for day in range(since, until) if day <= LAST_DAY or day % 7 == until % 7 - 1):
        for place, (turn, (team, agent)) in enumerate(zip(turns, whose, strict=True)):
            if turn.day == day:
                at = datetime.combine(MONDAY + day * DAY, time(turn.hour, place % 60), UTC)
                state, reason = turn.ended_as
                world.add(
                    score=turn.score, text=turn.text, days_ago=(world.clock.now - at) / DAY, state=state,
                    reason=reason, id=f"fr_{place:026d}", team_id=team, agent_id=agent, language=turn.language,
                    x_user_id=str(7000 + place),
                )  # fmt: skip
        happen(world, turns, day)
        world.clock.now = datetime.combine(MONDAY + (day + 1) * DAY, time(3), UTC)
        while tell(world.engine, world.settings, world.clock.now):
            pass
        world.tell()
        world.released()


def happen(world: World, turns: list[Turn], day: int) -> None:
    """What else happens: a CRM names the new ones, rules skip some of theirs, some write late, some are erased."""
    if day in NAMES:
        with writing(world.engine) as connection:
            keep(connection, [NameLine(*NAMES[day])], "source:crm", world.clock.now)
    if day in SKIPPED_ON:
        team, agent = NEW[day % len(NEW)]
        columns = {"id": f"fr_9{day:025d}", "team_id": team, "agent_id": agent, "days_ago": 0.1}
        world.add(state="skipped", reason="cooldown", **columns)
    for place, turn in enumerate(turns if day in ERASED_ON else ()):
        if turn.whose is None and turn.day <= day and place % 2:
            erase(world.engine, world.settings, str(7000 + place), by="admin", now=world.clock.now)
        elif turn.whose is None and turn.day <= day and turn.score is not None:
            now = world.clock.now
            world.set_result(f"fr_{place:026d}", text="late", text_at=now, text_seen_at=now, updated_at=now)


def asked(draw: random.Random, turns: list[Turn], n: int) -> list[tuple[str, str]]:
    """Role and address: some of all there are, and of each new one's conversation its own microsecond."""
    windows: list[dict[str, Any]] = [{}, {"since": "2026-08-10", "until": "2026-08-31"}, {"since": "2026-08-03"}]
    for turn in turns:
        if turn.whose is None:
            hour = datetime.combine(MONDAY + turn.day * DAY, time(turn.hour), UTC)
            windows.append(
                {"since": hour.isoformat(), "until": (hour + DAY / 24).isoformat(), "date_field": "ended_at"}
            )
    roles = (("supervisor", FIGURES, windows), ("admin", ROWS, windows), ("analyst", FIGURES, windows[:3]))
    drawn = {role: draw.sample([*product(paths, those, FILTERS)], n // len(roles)) for role, paths, those in roles}
    return [(role, _with(f"/v1/{path}", {**window, **by})) for role, some in drawn.items() for path, window, by in some]


def _with(path: str, query: dict[str, Any]) -> str:
    if path.startswith("/v1/differences"):
        query = {"since": "2026-08-17", **query}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"


def told(world: World, questions: list[tuple[str, str]], ids: list[str]) -> Iterator[tuple[str, str]]:
    """Everything that is answered, by what was asked."""
    clients = {role: world.client(role) for role in ("supervisor", "analyst", "admin")}
    for role, address in questions:
        yield f"{role} {address}", _body(clients[role].get(address))
    for each in ids:
        yield each, _body(clients["admin"].get(f"/v1/requests/{each}"))
    app = create_app(world.settings, world.engine, world.clock)
    for role in ("supervisor", "analyst"):
        browser = app.test_client()
        browser.post("/dashboard/sign-in", data={"key": clients[role].key})
        for page in PAGES:
            yield f"{role} {page}", _body(browser.get(f"/dashboard/{page}"))
    for question in FEEDS:
        yield f"feed {question}", _fed(clients["supervisor"], question)


def _fed(client: Client, question: dict[str, Any]) -> str:
    own = {"Authorization": f"Bearer {client.key}"}
    made = client.app.test_client().post("/v1/feeds", json={"name": "mine", "question": question}, headers=own)
    return _body(client.app.test_client().get(made.get_json()["address"].partition("8000")[2]))


def _body(answer: Any) -> str:
    return f"{answer.status_code} {answer.headers.get('ETag')} {NONCE.sub('', answer.get_data(as_text=True))}"


@pytest.mark.parametrize(("seed", "embargo"), [(1, "none"), (2, "next_day")])
def test_two_ledgers_that_differ_in_whose_the_hidden_rows_are_look_alike(
    tmp_path: Path, seed: int, embargo: str
) -> None:
    turns = story(random.Random(seed))
    ids = [f"fr_{place:026d}" for place, turn in enumerate(turns) if turn.whose is None]
    worlds = []
    for share in (10, 20):
        (tmp_path / str(share)).mkdir()
        engine = database(tmp_path / str(share))
        worlds.append((engine, shared(random.Random(seed + share), turns)))
    settings = settings_of(reports__embargo=embargo, web__requests_per_minute=1_000_000)
    with worlds[0][0] as one, worlds[1][0] as other:
        both = [World(engine, settings) for engine in (one, other)]
        for world in both:
            world.clock.now = datetime.combine(MONDAY - DAY, time(3), UTC)
        for since, until in zip((-1, *MOMENTS), MOMENTS, strict=False):
            for world, (_, whose) in zip(both, worlds, strict=True):
                lived(world, turns, whose, since, until)
            wanted = asked(random.Random(until), turns, QUESTIONS)
            here, there = (dict(told(world, wanted, ids)) for world in both)
            assert [name for name in here if here[name] != there[name]] == [], until
            assert len(here) > QUESTIONS
