"""The same from the dashboard's pages, as analysts read them in a browser.

A page rounds, so only what a share says for certain is taken: below a hundred answers, the number of satisfied
customers follows from the per cent; the week's table of scores and the report's figures are exact. Pages that no
analyst may open are tried as well.
"""

import html
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from urllib.parse import urlencode

from flask.testing import FlaskClient

from service.app import create_app
from service.reports.disclosure.asked import Pooled, Value
from tests.reports.attack.collect import Figure
from tests.reports.attack.http import BOTH, BY, KEYS, Analysts
from tests.reports.attack.ledgers import BEGIN
from tests.reports.attack.play import DAY, Lived

AT_ONCE, MOST_GROUPINGS = 2, 3  # of each key at each moment: drawn, and drawn anew with every seed
SURE = 100  # answers below which whole per cent say how many
FORBIDDEN = ("comments", "conversations", "results/r1", "download/rows.csv")
SECTION = re.compile(r'<section class="tile[^"]*" aria-labelledby="t-csat">(.*?)</section>', re.DOTALL)
ROW = re.compile(
    r'<th role="rowheader" scope="row">(?:<a href="[^"]*" title="([^"]*)">)?([^<]*).*?<td role="cell" class="num now">'
    r"([\d,]+) %<small> of ([\d,]+)</small></td>",
    re.DOTALL,
)
SPAN = re.compile(r"(\d+ \w{3} \d{4}) \u2013 (\d+ \w{3} \d{4})")
COUNTED = re.compile(r"Counted in whole releases from (\d+ \w{3} \d{4}) to (\d+ \w{3} \d{4})")
SCORES = re.compile(r'<tr><th scope="row">(\d)</th><td class="num">([\d,]+)</td><td class="num">')
REPORT = re.compile(
    r'<h2 id="rp-csat">.*?<data value="([\d.]+)">.*?of <b>([\d,]+) answers?</b>; '
    r"probably <b>[^<]*</b>. Counted ([^.]*)\.",
    re.DOTALL,
)


def collect(lived: Lived, rnd: random.Random) -> set[Figure]:
    """Open every page as three analysts, each with another key."""
    analysts, found = Analysts(lived), set()
    app = create_app(lived.settings, lived.engine, analysts.world.clock)
    for accounts in KEYS:
        browser = app.test_client()
        signed_in = browser.post("/dashboard/sign-in", data={"key": analysts.key_of(accounts)})
        assert signed_in.status_code == 303
        for page in FORBIDDEN:
            assert browser.get(f"/dashboard/{page}").status_code == 403, page
        for asked in rnd.sample(list(_questions(lived, rnd)), AT_ONCE):
            found |= set(_read(browser, accounts or BOTH, asked, rnd.sample(BY, MOST_GROUPINGS)))
    return found


def _questions(lived: Lived, rnd: random.Random) -> Iterator[dict[str, str]]:
    """All days, a window of any length, and each narrowed to somebody."""
    days, each = (lived.now.date() - BEGIN).days, rnd.choice(list(lived.spoken.values()))
    a, b = sorted(rnd.sample(range(days + 1), 2))
    for first, end in ((0, days), (a, b)):
        window = {"since": (BEGIN + first * DAY).isoformat(), "until": (BEGIN + end * DAY).isoformat()}
        yield window
        yield {**window, "team_id": each.team}
        yield {**window, "campaign": each.campaign}


def _read(
    browser: FlaskClient, mine: tuple[str, ...], asked: Mapping[str, str], groupings: Sequence[str]
) -> Iterator[Figure]:
    query = urlencode(asked)
    for by in groupings:
        answer = browser.get(f"/dashboard/explore?by={by}&{query}")
        if answer.status_code == 200:
            yield from _rows(mine, by, asked, answer.text)
        else:
            assert "one" in answer.text, answer.text
    assert browser.get(f"/dashboard/explore?by=team&and=campaign&{query}").status_code == 422
    yield from _week(mine, asked, browser.get(f"/dashboard/?{query}").text)
    yield from _report(mine, asked, browser.get(f"/dashboard/report?{query}").text)
    browser.get(f"/dashboard/explore?by=team&a=red&b=blue&{query}")


def _rows(mine: tuple[str, ...], by: str, asked: Mapping[str, str], page: str) -> Iterator[Figure]:
    section = SECTION.search(page.replace('class="tile wide versus"', ""))
    days = section and COUNTED.search(section[1])
    for title, name, share, n in ROW.findall(section[1]) if section else ():
        many = _number(n)
        assert days, "a table says which days it holds"
        if many >= SURE:
            continue
        satisfied = round(_number(share) * many / 100)
        label = _label(by, html.unescape(title or name).strip())
        yield _figure(mine, by, asked, label, days, (many - satisfied, satisfied), ())


def _week(mine: tuple[str, ...], asked: Mapping[str, str], page: str) -> Iterator[Figure]:
    section = SECTION.search(page)
    days = section and COUNTED.search(section[1])
    if not section or not days:
        return
    scores = tuple((int(score), _number(n)) for score, n in SCORES.findall(section[1]) if _number(n))
    if scores:  # where only outcome classes are told there are none
        classes = tuple(sum(n for score, n in scores if (score > 3) is happy) for happy in (False, True))
        yield _figure(mine, None, asked, None, days, classes, scores)


def _report(mine: tuple[str, ...], asked: Mapping[str, str], page: str) -> Iterator[Figure]:
    found = REPORT.search(page)
    days = found and SPAN.search(found[3])
    if found and days:
        many = _number(found[2])
        satisfied = round(float(found[1]) * many / 100)
        yield _figure(mine, None, asked, None, days, (many - satisfied, satisfied), ())


def _figure(
    mine: tuple[str, ...], by: str | None, asked: Mapping[str, str], label: Value | Pooled, days: re.Match[str],
    classes: tuple[int, ...], scores: tuple[tuple[int, int], ...],
) -> Figure:  # fmt: skip
    names = {"team_id": "team", "campaign": "campaign"}
    wanted = tuple((names[name], value) for name, value in asked.items() if name in names)
    first, end = _day(days[1]), _day(days[2]) + DAY
    return Figure(mine, by, wanted, label, by is None, first, end, sum(classes), classes, scores)


def _label(by: str, name: str) -> Value | Pooled:
    if name == "all others":
        return Pooled(None, of_all=True)
    if name == "others of no team":
        return Pooled(None, of_all=False)
    if name.startswith("others of "):
        return Pooled(name.removeprefix("others of "), of_all=False)
    return int(name.removesuffix(":00")) if by == "hour" else name


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _day(text: str) -> date:
    return datetime.strptime(text, "%d %b %Y").date()  # noqa: DTZ007 - a day has no zone
