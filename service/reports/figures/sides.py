"""One side of then and now: in, a question of either kind of reader; out, what is told of each group. No judgement."""

from collections.abc import Mapping, Sequence

from service.reports.counting.counts import Answers, Counts, answers_by, counts, counts_by
from service.reports.counting.lines import Line
from service.reports.dimensions import Value
from service.reports.disclosure.asked import Group, Pooled, Published
from service.reports.figures import live, printed, released
from service.reports.figures.asking import NOT_NAMED, Inquiry, kinds_of
from service.reports.figures.differing import Name, Side, SideRow
from service.reports.figures.released import BY_ACCOUNT, NOBODY, DaysInquiry
from service.reports.figures.released_groups import rest_of


def of_rows(ask: Inquiry, by: str) -> Mapping[str, Side]:
    """Each kind of card asked about, by one dimension, for who sees rows."""
    scored, sent = ask.all_scored(by), ask.all_lines(ask.rate_clock, by)
    mine, cards = ask.as_named(scored, by), ask.as_named(sent, by)
    return {kind: _side(ask, kind, live.of_kind(kind, mine), live.of_kind(kind, cards)) for kind in ask.kinds}


def _side(ask: Inquiry, kind: str, scored: Sequence[Line], sent: Sequence[Line]) -> Side:
    def told(answers: Answers, cards: Counts) -> SideRow:
        rate = printed.response(cards, ask.rate_clock, ask.view.thresholds)
        return SideRow(live.score(ask, kind, answers), answers.scores, rate)

    answers, cards = answers_by(scored, live.first_value), counts_by(sent, live.first_value)
    groups = {_name(key): told(answers.get(key, Answers()), cards.get(key, Counts())) for key in {**answers, **cards}}
    whole = answers_by(scored, lambda _: None).get(None, Answers())
    return Side(groups, told(whole, counts(sent)), told(Answers(), Counts()))


def _name(key: Value) -> Name:
    return Name(None, live.REST, None) if key == NOT_NAMED else Name(key, None, None)


def of_releases(ask: DaysInquiry, by: str) -> Mapping[str, Side]:
    """The same in whole releases, for who sees none."""
    released.demand_told([by])
    return {kind: _released(ask, kind, ask.published(kind, by)) for kind in kinds_of(ask.filter)}


def _released(ask: DaysInquiry, kind: str, found: Published) -> Side:
    rate = released.response(ask, NOBODY, BY_ACCOUNT)

    def told(group: Group | None) -> SideRow:
        return SideRow(released.score(ask, kind, found, group), group.counts(kind) if group else {}, rate)

    groups = {_label(group.label): told(group) for group in found.groups}
    return Side(groups, told(found.total), told(None))


def _label(label: Value | Pooled) -> Name:
    if isinstance(label, Pooled):
        return Name(None, rest_of(label), label.of)
    return Name(label, None, None)
