"""One side of then and now: what is told of each group, for either kind of reader."""

from collections.abc import Callable, Mapping, Sequence

from service.reports.counting.counts import Answers, Counts, answers_by, counts, counts_by
from service.reports.counting.lines import Line
from service.reports.dimensions import Value
from service.reports.disclosure.asked import Group, PublishedFigures
from service.reports.figures import live, printed, released
from service.reports.figures.differences import Name, Side, SideRow
from service.reports.figures.inquiry import NOT_NAMED, REST, Inquiry, kinds_of
from service.reports.figures.released import UNTOLD_RESPONSE, DaysInquiry
from service.reports.figures.released_groups import name_of


def of_rows(ask: Inquiry, *by: str) -> Mapping[str, Side]:
    """Each kind of card asked about, by one or two dimensions, for readers of rows."""
    scored, sent = ask.scored(*by), ask.lines(ask.rate_clock, *by)
    each = {kind: (live.of_kind(kind, scored), live.of_kind(kind, sent)) for kind in ask.kinds}
    return {kind: _side(ask, kind, lambda line: line.values[: len(by)], *lines) for kind, lines in each.items()}


def _side(
    ask: Inquiry, kind: str, group: Callable[[Line], tuple[Value, ...]], scored: Sequence[Line], sent: Sequence[Line]
) -> Side:
    def told(answers: Answers, cards: Counts) -> SideRow:
        rate = printed.response(cards, ask.rate_clock, ask.view.thresholds)
        return SideRow(live.score(ask, kind, answers), answers.scores, rate)

    answers, cards = answers_by(scored, group), counts_by(sent, group)
    groups = {_name(key): told(answers.get(key, Answers()), cards.get(key, Counts())) for key in {**answers, **cards}}
    whole = answers_by(scored, lambda _: None).get(None, Answers())
    return Side(groups, told(whole, counts(sent)), told(Answers(), Counts()))


def _name(values: tuple[Value, ...]) -> Name:
    return Name(None, REST, None) if values[0] == NOT_NAMED else Name(values[0], None, None, *values[1:])


def of_releases(ask: DaysInquiry, by: str) -> Mapping[str, Side]:
    """Each kind of card in whole releases, for readers who see no rows."""
    released.demand_told([by])
    return {kind: _released(ask, kind, ask.published(kind, by)) for kind in kinds_of(ask.filter)}


def _released(ask: DaysInquiry, kind: str, found: PublishedFigures) -> Side:
    def told(group: Group | None) -> SideRow:
        return SideRow(released.score(ask, kind, found, group), group.counts(kind) if group else {}, UNTOLD_RESPONSE)

    groups = {Name(*name_of(group.label)): told(group) for group in found.groups}
    return Side(groups, told(found.total), told(None))
