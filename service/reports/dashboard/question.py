"""What a page was asked for: the query string becomes a Filter and everything the filter bar shows.

The grammar is that of the API, so an address, an API call and a download mean the same. There are two differences,
because an HTML form cannot leave a field out: an empty value means "all", and `(none)` means "without one". Without a
period it is the last whole days: thirty, or as many as the page says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from service.auth import Reader
from service.errors import Invalid
from service.reports.dashboard import words
from service.reports.dashboard.names import WITHOUT_NAME
from service.reports.dimensions import FILTERED, Value
from service.reports.filters import Filter, parse
from service.settings import Settings

WITHOUT = "(none)"
DEFAULT_DAYS = 30
PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year"))
NARROWING = {
    **{name: each.label for name, each in FILTERED.items()},
    "type": "Card",
    "date_field": "Counted by",
    "has_text": "Comment",
    "score": "Score",
    "score_from": "Score from",
    "score_to": "Score up to",
    "mood": "Mood",
    "owner": "With",
    "q": "Words",
    "reason": "Reason",
    "state": "State",
    "request_id": "Request",
    "conversation_id": "Conversation",
}
EXPLORED = ("by", "and", "show", "a", "b")
"""Parameters of the Explore page alone; every other page refuses them."""


@dataclass(frozen=True, slots=True)
class NavLink:
    """A link's words and address, and whether we are there."""

    words: str
    query: str
    here: bool = False


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The question of one page. `pairs` are its parameters without empty ones, in the order given.

    `first` is date.min where nothing says where it begins; `last` is today at the latest.
    """

    filter: Filter
    pairs: tuple[tuple[str, str], ...]
    first: date
    last: date
    periods: tuple[NavLink, ...]
    called: Mapping[tuple[str, str], str] = field(default_factory=dict)  # what groups are called, by parameter and id
    meant: tuple[tuple[str, str], ...] = ()  # the days, where the address names none

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.last + timedelta(days=1)

    @property
    def longer(self) -> str:
        """The query string of the longest period we offer, for pages that have too little to show."""
        return self.periods[len(PERIODS) - 1].query

    @property
    def scope(self) -> str:
        """What it is narrowed to, in words; empty: to nothing."""
        shown = (pair for pair in self.pairs if pair[0] in FILTERED or pair[0] == "type")
        return ", ".join(self.called.get((name, value)) or _shown(name, value) for name, value in shown)

    @property
    def chips(self) -> tuple[NavLink, ...]:
        """One link per narrowing, which takes it away."""
        return chips(self.pairs, self.called)

    @property
    def heading(self) -> str:
        """The days as we offer them, or from when to when."""
        return next((f"Last {one.words}" for one in self.periods[: len(PERIODS)] if one.here), self.period)

    def title(self, page: str) -> str:
        """The page's name in the browser, with its scope."""
        return f"{self.scope}, {self.period}, {page}" if self.scope else f"{page}, {self.period}"

    def narrowed(self, *groups: tuple[str, Value]) -> str:
        """Return the query string of one group, or of one within another, in these days."""
        chosen = [(name, WITHOUT if key is None else str(key)) for name, key in groups]
        return self.written_out(*chosen, *((name, None) for name in (*EXPLORED, "cursor")))

    @property
    def period(self) -> str:
        """The days in words."""
        return words.days(self.first, self.last) if self.first > date.min else f"up to {words.day(self.last)}"

    @property
    def dates(self) -> str:
        """The days for the name of a file."""
        return f"{self.first} to {self.last}" if self.first > date.min else f"up to {self.last}"

    def beside(self, fields: Iterable[str], menus: Iterable[str]) -> list[tuple[str, str]]:
        """What a form with these fields and those of the days must carry along; of a menu, what it does not show."""
        own = {*fields, "since", "until", "cursor"}
        shown = {(name, self.given(name)) for name in menus}
        return [pair for pair in self.pairs if pair[0] not in own and pair not in shown]

    def given(self, name: str) -> str:
        """The first value of a parameter, for the form."""
        return next((value for key, value in self.pairs if key == name), "")

    def written_out(self, *changes: tuple[str, str | None]) -> str:
        """Return the query string with its days named: another page means others, and tomorrow this one does."""
        return self.with_(*self.meant, *changes)

    def with_(self, *changes: tuple[str, str | None]) -> str:
        """Return the query string with parameters replaced (None: left out)."""
        names = {name for name, _ in changes}
        kept = [pair for pair in self.pairs if pair[0] not in names]
        return urlencode([*kept, *((name, value) for name, value in changes if value is not None)])


def chips(pairs: Sequence[tuple[str, str]], called: Mapping[tuple[str, str], str]) -> tuple[NavLink, ...]:
    """Return a link per narrowing, which takes it away."""
    return tuple(
        NavLink(
            f"{NARROWING[name]}: {called.get((name, value)) or _shown(name, value)}",
            urlencode(_without(pairs, (name, value))),
        )
        for name, value in pairs
        if name in NARROWING
    )


def asked(
    args: MultiDict[str, str],
    reader: Reader,
    settings: Settings,
    now: datetime,
    own: Sequence[str] = (),
    *,
    with_today: bool = False,
    days: int = DEFAULT_DAYS,
) -> PageQuery:
    """Parse a page's query string; `own` names the page's own parameters. Raises Invalid or NotAllowed.

    Without a period it is the last `days`. Figures end with yesterday, so they do not change while somebody looks;
    lists go up to this moment.
    """
    given = ((name, value.strip()) for name, value in args.items(multi=True) if value.strip())
    pairs = tuple(dict.fromkeys((name, _called_now(name, value)) for name, value in _half_open(given)))
    today = now.astimezone(settings.service.time_zone).date()
    period = _last_days(days, today, with_today=with_today)
    wanted = MultiDict([(name, "" if value == WITHOUT else value) for name, value in pairs if name not in own])
    meant = () if wanted.keys() & {"since", "until"} else tuple(period.items())
    wanted.update(meant)
    found = parse(wanted, reader, settings)
    zone = settings.service.time_zone
    first = found.since.astimezone(zone).date() if found.since else date.min
    end = found.until.astimezone(zone) if found.until else now.astimezone(zone)
    last = max(first, min((end - timedelta(microseconds=1)).date(), today))
    bare = PageQuery(found, pairs, first, last, ())
    return replace(bare, periods=_periods(bare, today, with_today=with_today), meant=meant)


def _called_now(name: str, value: str) -> str:
    """A group as the menu has it: an old address may name a language by a tag it had then."""
    return str(FILTERED[name].called(value)) if name in FILTERED else value


def _half_open(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The exclusive end of a period, from the form's last day. Raises Invalid."""
    found = []
    for name, value in pairs:
        if name != "to":
            found.append((name, value))
            continue
        try:
            found.append(("until", str(date.fromisoformat(value) + timedelta(days=1))))
        except (ValueError, OverflowError) as error:
            raise Invalid("invalid_parameter", "'To' is a date like 2026-11-22.", errors={"to": ["no date"]}) from error
    return tuple(found)


def _periods(bare: PageQuery, today: date, *, with_today: bool) -> tuple[NavLink, ...]:
    found = []
    last = today if with_today else today - timedelta(days=1)
    for days, name in PERIODS:
        period = _last_days(days, today, with_today=with_today)
        query = bare.with_(("cursor", None), ("since", period["since"]), ("until", period.get("until")))
        found.append(NavLink(name, query, here=(str(bare.first), bare.last) == (period["since"], last)))
    if not with_today:
        until_now = bare.first.isoformat() if bare.first > date.min else None
        query = bare.with_(("cursor", None), ("since", until_now), ("until", None))
        found.append(NavLink("with today", query, here=bare.filter.until is None))
    return tuple(found)


def _last_days(days: int, today: date, *, with_today: bool) -> dict[str, str]:
    if with_today:
        return {"since": str(today - timedelta(days=days - 1))}
    return {"since": str(today - timedelta(days=days)), "until": str(today)}


def _without(pairs: Sequence[tuple[str, str]], one: tuple[str, str]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair != one and pair[0] != "cursor"]


SHOWN: Mapping[str, Callable[[str], str]] = {
    "type": words.words,
    "date_field": words.words,
    "state": words.words,
    "reason": words.words,
    "way": words.words,
    "handled_by": words.words,
    "has_text": lambda value: "with text" if value == "true" else "without text",
}


def _shown(name: str, value: str) -> str:
    if value == WITHOUT and name in FILTERED:
        return FILTERED[name].missing or WITHOUT_NAME
    return SHOWN.get(name, str)(value)
