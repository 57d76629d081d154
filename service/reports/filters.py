"""What a reader asks for: query parameters become one frozen Filter, or a refusal that says what would be right.

The same grammar for lists, aggregates, export and dashboard. An unknown parameter is an error, never ignored: a typing
mistake would otherwise look like an answer. Never touches the database.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any, ClassVar, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports.days import midnight
from service.reports.dimensions import FILTERED, NAMED, Dimension, Value
from service.reports.query_values import WRITE_SO, Moment, SearchWords, WholeNumber, Word, YesNo, known, one_of_these
from service.settings import CARD_TYPES, Settings
from service.settings.values import one_of
from service.states import Failure, Skip, State
from service.web.parameters import made
from service.web.validation_errors import refused

FIGURE_CLOCKS = ("ended_at", "sent_at", "scored_at", "updated_at")
ANSWERED = "answered_at"
ROW_CLOCKS = (*FIGURE_CLOCKS, ANSWERED)
"""An answer without a score has no moment of a score, and `updated_at` moves with names that are told later."""

MOST_VALUES = 250
MOODS = ("unhappy", "neutral", "happy")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows. Empty means all. Periods are half-open: `since` is included, `until` is not.

    `date_field` None: every figure by its own clock (scores by the day they were given, rates by the day the card
    was sent), lists by `updated_at`. `chosen`: the groups of each dimension, by its name; None is "without one".
    """

    since: datetime | None = None
    until: datetime | None = None
    date_field: str | None = None
    chosen: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    types: tuple[str, ...] = ()
    scores: tuple[int, ...] = ()
    score_from: int | None = None
    score_to: int | None = None
    moods: tuple[str, ...] = ()
    done: bool | None = None
    owner: str | None = None
    q: str | None = None
    has_text: bool | None = None
    states: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    conversation_ids: tuple[str, ...] = ()
    answered: bool | None = None
    updated_since: datetime | None = None
    include_test: bool = False

    def of(self, dimension: str) -> tuple[Value, ...]:
        """The groups of a dimension asked for; empty: all."""
        return self.chosen.get(dimension, ())

    def within(self, dimension: str, *groups: Value) -> "Filter":
        """The same of these groups only."""
        return replace(self, chosen={**self.chosen, dimension: groups})

    @property
    def names_people(self) -> bool:
        """Whether it asks for agents or teams by name."""
        return any(NAMED[name].people for name in self.chosen)

    def described(self) -> dict[str, Any]:
        """What was asked, for manifests, the access log and cursors: only what was set, with times as text."""
        plain = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "chosen"}
        given = {PARAMETER_OF.get(name, name): value for name, value in plain.items()}
        given |= {str(NAMED[name].parameter): groups for name, groups in self.chosen.items()}
        return {name: _plain(value) for name, value in given.items() if not _left_out(name, value)}

    def logged(self) -> dict[str, Any]:
        """The same for the access log, which no erasure reaches: of a customer's words and conversations only that."""
        told = self.described()
        searched = {"searched": True} if told.pop("q", None) is not None else {}
        asked_for = len(told.pop("conversation_id", ()))
        return told | searched | ({"conversations": asked_for} if asked_for else {})


def parse(args: Any, reader: Reader, settings: Settings) -> Filter:
    """Read query parameters (a MultiDict or a Mapping). Raises Invalid or NotAllowed with a stable code."""
    return from_values(_load(listed(args)), reader, settings)


def from_values(values: Mapping[str, Any], reader: Reader, settings: Settings) -> Filter:
    """Make a filter from what FilterSchema would load; other names are not read. Raises Invalid or NotAllowed."""
    given = {name: values[name] for name in made(FilterSchema).fields if values.get(name) not in (None, [], ())}
    chosen = {each.name: _groups(given.pop(name)) for name, each in FILTERED.items() if name in given}
    told: dict[str, Any] = {FIELD_OF[name]: tuple(dict.fromkeys(given.pop(name))) for name in FIELD_OF if name in given}
    told |= {name: _at_midnight(given.pop(name), settings.service.time_zone) for name in MOMENTS if name in given}
    found = Filter(chosen=chosen, **told, **given)
    if found.since and found.until and found.since >= found.until:
        raise Invalid("since_after_until", "'since' must be before 'until'; the period is [since, until).")
    for account in found.of("account"):
        reader.demand(str(account))
    return found


def _groups(given: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(None if value == "" else value for value in given))


def several(inner: fields.Field[Any], says: str, empty: str = "") -> fields.List[Any]:
    """A parameter that may be repeated: each value widens it."""
    length = validate.Length(max=MOST_VALUES, error=f"takes at most {MOST_VALUES} values; ask in several calls")
    return fields.List(inner, validate=length, metadata={"description": f"{says}. May be repeated{empty}"})


def _parameter(each: Dimension) -> fields.List[Any]:
    empty = "" if each.missing is None or each.whole_number else ". An empty value selects conversations without one"
    return several(_group(each), each.says, empty)


def _group(each: Dimension) -> fields.Field[Any]:
    if each.whole_number:
        return WholeNumber()
    if not each.words:
        return Word()
    said = f"must be one of {', '.join(each.words)}, or empty"
    return fields.String(validate=validate.OneOf(["", *each.words], error=said))


class FigureFilterSchema(Schema):
    """What figures can be narrowed by."""

    class Meta:
        """Ours to ask: unknown names are mistakes. A parameter for each dimension."""

        unknown = RAISE
        include: ClassVar = {name: _parameter(each) for name, each in FILTERED.items()}

    since = Moment(f"Beginning of the period (inclusive). {WRITE_SO}")
    until = Moment("End of the period (exclusive). Same formats as `since`.")
    date_field = one_of_these(
        FIGURE_CLOCKS,
        "Which timestamp `since` and `until` apply to. By default each figure uses its own: scores the day they "
        "were given, rates the day the card was sent, ended conversations the day they ended. `ended_at` applies to "
        "all of them, the others to scores only. Each score and rate says which it used",
    )
    type = several(fields.String(validate=one_of(*CARD_TYPES)), "Kind of card")


class FilterSchema(FigureFilterSchema):
    """Filters for rows: those of figures, and those that would allow subtraction there."""

    date_field = one_of_these(
        ROW_CLOCKS,
        "Which timestamp `since` and `until` apply to. Default: `updated_at`. `answered_at` is when the "
        "comment was written or, without a comment, when the score was given.",
    )
    score = several(WholeNumber(), "Score")
    score_from = WholeNumber("Lowest score to include")
    score_to = WholeNumber("Highest score to include")
    q = SearchWords("Words in the comment, or the beginnings of words. Case and accents are ignored")
    state = several(fields.String(validate=known([*State])), "State of the request")
    reason = several(fields.String(validate=known([*Skip, *Failure])), "Why the request was skipped or failed")
    request_id = several(Word(), "Request id (sent to X as external_id)")
    conversation_id = several(Word(), "The CRM's conversation id")
    mood = several(fields.String(validate=known(MOODS)), "unhappy, neutral or happy, for both kinds of card")
    done = YesNo("Only answers that supervisors have marked as done (true), or the others (false)")
    owner = Word("Only answers assigned to this supervisor. An empty value selects unassigned answers")
    has_text = YesNo("Only answers with a comment (true) or without one (false)")
    answered = YesNo("Only requests with an answer (true) or without one (false)")
    updated_since = Moment(
        "Only rows changed at or after this time. Rows that have dropped out of the list are reported only "
        "when you read on from a `resume_cursor`"
    )
    include_test = YesNo("Include test traffic, which no figure counts", load_default=False)


MOMENTS = ("since", "until", "updated_since")
FIELD_OF = {
    "type": "types",
    "score": "scores",
    "mood": "moods",
    "state": "states",
    "reason": "reasons",
    "request_id": "request_ids",
    "conversation_id": "conversation_ids",
}
PARAMETER_OF = {field: parameter for parameter, field in FIELD_OF.items()}
REPEATABLE = frozenset({*FIELD_OF, *FILTERED})


def _load(values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(made(FilterSchema).load(values))
    except ValidationError as error:
        raise refused(cast("Mapping[str, Any]", error.messages)) from error


def listed(args: Any) -> dict[str, Any]:
    """Lists for what may be repeated, one value for the rest. Raises Invalid if the rest is repeated."""
    many = args.to_dict(flat=False) if hasattr(args, "to_dict") else {k: _as_list(v) for k, v in args.items()}
    for name, values in many.items():
        if name not in REPEATABLE and len(values) > 1:
            raise Invalid(
                "invalid_parameter", f"'{name}' may be given only once.", errors={name: ["may be given once"]}
            )
    return {name: values if name in REPEATABLE else values[0] for name, values in many.items() if values}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _at_midnight(value: datetime | date, zone: tzinfo) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return midnight(value, zone)


def _left_out(name: str, value: Any) -> bool:
    """Whether it was not asked for. False and 0 count as asked; only for test traffic is False the default."""
    return value is None or value == () or (name == "include_test" and not value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return ["" if each is None else each for each in value] if isinstance(value, tuple) else value
