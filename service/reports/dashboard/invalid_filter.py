"""The page for an invalid filter: what is wrong, beside its field, with everything else still filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from werkzeug.datastructures import MultiDict

from service.errors import ServiceError
from service.reports.dashboard.question import NavLink, chips
from service.reports.dashboard.words import said

SENTENCES = {
    "since_after_until": "The first day lies after the last one.",
    "since_needed": "Choose the first day, too: what was before it is what these days are compared with.",
    "bad_cursor": "This address leads to a page of a list that is there no more. Go back to the beginning of the list.",
}
BESIDE = {"since_after_until": "to", "since_needed": "since"}
FIELDS = {
    "since": ("From", "date"),
    "to": ("To", "date"),
    "score_from": ("Score from", "number"),
    "score_to": ("Score up to", "number"),
    "q": ("Words in the comment", "search"),
}
INVALID = 422


@dataclass(frozen=True, slots=True)
class FieldAgain:
    """One field as it was filled in. `wrong`: what is wrong with it."""

    name: str
    label: str
    kind: str
    value: str
    wrong: str


def sentence_of(error: ServiceError) -> str:
    """What a refusal says on a page."""
    return SENTENCES.get(error.code, error.sentence)


def fields(error: ServiceError, args: MultiDict[str, str]) -> list[FieldAgain]:
    """The fields of a form that was refused; none if the question came by an address alone."""
    beside = {BESIDE[error.code]: ""} if error.code in BESIDE else {}
    given = beside | {name: args[name] for name in args if name in FIELDS} | _last_day(args)
    if error.status != INVALID or not given:
        return []
    wrong = _wrong(error)
    return [FieldAgain(name, *FIELDS[name], given[name], wrong.get(name, "")) for name in FIELDS if name in given]


def narrowings(error: ServiceError, args: MultiDict[str, str]) -> tuple[NavLink, ...]:
    """The filters of a question that was refused, each a link to the same without it."""
    given = tuple(pair for pair in args.items(multi=True) if pair[1].strip())  # a form sends its empty fields, too
    return chips(given, {}) if error.status == INVALID else ()


def kept(args: MultiDict[str, str]) -> list[tuple[str, str]]:
    """What else was chosen, for the form to carry, without a place in a list."""
    return [pair for pair in args.items(multi=True) if pair[0] not in {*FIELDS, "until", "cursor"}]


def _wrong(error: ServiceError) -> dict[str, str]:
    if error.code in BESIDE:
        return {BESIDE[error.code]: SENTENCES[error.code]}
    told: Mapping[str, object] = error.errors or {}
    return {"to" if name == "until" else name: said(each) for name, each in told.items()}


def _last_day(args: MultiDict[str, str]) -> dict[str, str]:
    """The last day of a period, from its exclusive end."""
    try:
        return {"to": str(date.fromisoformat(args["until"]) - timedelta(days=1))} if "until" in args else {}
    except (ValueError, OverflowError):
        return {"to": args["until"]}
