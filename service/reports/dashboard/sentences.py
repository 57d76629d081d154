"""Figures as sentences one can read aloud. Decides nothing, rounds by `words`."""

from collections.abc import Iterable

from service.reports.dashboard import words
from service.reports.figures.shapes import Rate, Reasoned, Score
from service.reports.figures.then_now import ThenNow
from service.reports.statistics.judging import Judgement
from service.reports.statistics.statistics import Change
from service.states import sentence_of

JUDGED = {
    "better": "better",
    "worse": "worse",
    "possibly_better": "possibly better",
    "possibly_worse": "possibly worse",
    "about_the_same": "about the same",
    "too_few_to_judge": "too few answers to judge",
}
TITLES = {"nps": "Net Promoter Score", "csat": "Customer satisfaction"}
NOTHING_BEFORE = "nothing to compare with"
NOBODY_ASKED = "nobody asked"
UNITS = {"nps": "", "csat": " %"}
WHY_HIDDEN = {
    "too_few": "too few answers",
    "waits": "not available yet",
    "releases_being_made": "releases are being computed",
    "pooled": "too small to show separately",
    "by_account_only": "available for whole accounts only",
}


def judged(word: Judgement, then: Score | Rate | None = None) -> str:
    """One of the six words; where nothing is told of before, however many there are now, that."""
    return NOTHING_BEFORE if then is not None and then.value is None else JUDGED[word]


def value(score: Score) -> str:
    """Return e.g. `60 %`; what is hidden is said so."""
    if score.value is None and score.withheld:
        return "not shown"
    if score.value is None:
        return "no answers" if not score.suppressed else WHY_HIDDEN.get(score.suppressed, "not shown")
    return words.figure(score.value, score.n) + UNITS[score.type]


def bounds(score: Score | Rate) -> str:
    """Return e.g. `48 to 71`; nothing if there is no interval."""
    if score.low is None or score.high is None:
        return ""
    return f"{words.figure(score.low, score.n)} to {words.figure(score.high, score.n)}"


def share(rate: Rate) -> str:
    """Return e.g. `31 %`."""
    if rate.value is None:
        return "not shown" if rate.suppressed else NOBODY_ASKED
    return f"{words.figure(rate.value, rate.n)} %"


def in_short(row: ThenNow) -> str:
    """One kind of card in a clause: `CSAT 60 % (48 to 71), was 74 %: possibly worse`."""
    name, now, then = words.words(row.now.type), row.now, row.then
    if now.value is None:
        return f"{name}: {_hidden(now)}"
    before = f", {NOTHING_BEFORE}" if then.value is None else f", was {value(then)}: {judged(row.judgement)}"
    return f"{name} {value(now)} ({bounds(now)}){before}"


def _hidden(score: Score) -> str:
    if score.suppressed == "too_few":
        return f"{words.many(score.n, 'answer')}, too few for a score"
    return value(score)


def headline(rows: list[ThenNow]) -> str:
    """The one sentence of the page."""
    return "; ".join(in_short(row) for row in rows) + "."


def in_full(row: ThenNow) -> str:
    """Then and now with both n and the difference: `60 % of 43, was 78 % of 54; difference between -35 and +1`."""
    if row.now.value is None:
        return _hidden(row.now)
    return f"{value(row.now)} of {words.count(row.now.n)}{'; ' if row.then.value is None else ', '}{before(row)}"


def before(row: ThenNow) -> str:
    """What it was: `was 78 % of 54; difference between -35 and +1 points`."""
    if row.then.value is None or row.change is None:
        return f"before: {_hidden(row.then)}"
    return f"was {value(row.then)} of {words.count(row.then.n)}; {difference(row.change)}"


def difference(change: Change) -> str:
    """Return e.g. `difference between -35 and +1 points`."""
    fewer = min(change.n_a, change.n_b)
    low, high = (words.signed(each, words.digits(fewer)) for each in (change.low, change.high))
    return f"difference between {low} and {high} points"


def most_frequent(reasons: Iterable[Reasoned]) -> list[tuple[str, str, int]]:
    """Reason, sentence and number, the most frequent first."""
    lines = [(one.reason, sentence_of(one.reason), one.n) for one in reasons]
    return sorted(lines, key=lambda line: (-line[2], line[0]))
