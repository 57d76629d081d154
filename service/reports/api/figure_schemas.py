"""The wire of figures: one schema per dataclass in `shapes`, field by field. Holds no rule."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from service.reports.api.schemas import number, real, text, time

SUPPRESSED = "too_few or suppressed: every figure is null; otherwise null"


class Distribution(fields.Field[tuple[tuple[int, int], ...]]):
    """Pairs of score and count, as objects."""

    def _serialize(self, value: tuple[tuple[int, int], ...] | None, *_args: Any, **_kwargs: Any) -> Any:
        return [{"score": score, "n": n} for score, n in value or ()]


DISTRIBUTION = {
    "type": "array",
    "items": {"type": "object", "properties": {"score": {"type": "integer"}, "n": {"type": "integer"}}},
    "description": "Every score of the scale with its count; empty where suppressed",
}


class ScoreSchema(Schema):
    """NPS or CSAT of one kind of card."""

    type = text()
    n = number("Answers with a score", none=True)
    value = real("NPS -100 to 100; CSAT in per cent")
    low = real("Lower bound of the interval")
    high = real("Upper bound of the interval")
    confidence = fields.Float()
    method = text("adjusted_wald or wilson; see /v1/definitions")
    mean = real("Mean of the raw scores, a second figure")
    mean_low = real()
    mean_high = real()
    distribution = Distribution(metadata=DISTRIBUTION)
    variants = fields.List(
        fields.Integer(strict=True), metadata={"description": "Question variants whose answers are in it"}
    )
    pooled = fields.Boolean(metadata={"description": "More than one question variant was added up"})
    low_base = fields.Boolean(metadata={"description": "Few answers: read with caution"})
    suppressed = text(SUPPRESSED, none=True)
    held = fields.Boolean(metadata={"description": "The period has answers that no whole release holds yet"})
    date_field = text("The clock the period is read on")
    since = time("What is covered, in whole days; null: from the beginning")
    until = time("What is covered; null: up to now")


class RateSchema(Schema):
    """A share in per cent."""

    name = text()
    successes = number(none=True)
    n = number()
    value = real()
    low = real()
    high = real()
    confidence = fields.Float()
    method = text()
    low_base = fields.Boolean()
    suppressed = text(SUPPRESSED, none=True)
    date_field = text("The clock of the cohort")


class AccountCompletenessSchema(Schema):
    """One account."""

    account = text()
    complete_until = time()


class CompletenessSchema(Schema):
    """Until when everything is here."""

    complete_until = time("The earliest of the accounts shown")
    visible_until = time("The embargo's end; null without an embargo")
    accounts = fields.List(fields.Nested(AccountCompletenessSchema))


class SummarySchema(Schema):
    """The tiles."""

    since = time("As asked")
    until = time("As asked")
    ended = number("Conversations that ended in the period")
    delivered = number("Cards X accepted in the period")
    csat = fields.Nested(ScoreSchema, allow_none=True)
    nps = fields.Nested(ScoreSchema, allow_none=True)
    response_rate_of_delivered = fields.Nested(RateSchema)
    response_rate_of_ended = fields.Nested(RateSchema)
    comment_rate = fields.Nested(RateSchema)
    completeness = fields.Nested(CompletenessSchema)


class TrendPointSchema(Schema):
    """One day, week or month."""

    label = text("Its first day")
    since = time(none=False)
    until = time(none=False)
    score = fields.Nested(ScoreSchema)
    delivered = number()
    response_rate = fields.Nested(RateSchema)
    immature = fields.Boolean(metadata={"description": "Answers of it may still be missing"})
    response_immature = fields.Boolean(metadata={"description": "Its customers may still answer"})


class TrendSchema(Schema):
    """One kind of card over time."""

    type = text()
    period = text()
    zone = text()
    points = fields.List(fields.Nested(TrendPointSchema))
    total = fields.Nested(ScoreSchema)


class TrendsSchema(Schema):
    """One line a kind of card."""

    items = fields.List(fields.Nested(TrendSchema))


class Key(fields.Field[str | int | None]):
    """A group's name; an integer for question variants and hours."""


KEY = {"type": ["string", "integer"], "description": "null: conversations without one"}


class BreakdownRowSchema(Schema):
    """One group."""

    key = Key(allow_none=True, metadata=KEY)
    ended = number()
    delivered = number()
    score = fields.Nested(ScoreSchema)
    response_rate = fields.Nested(RateSchema)


class BreakdownOneSchema(Schema):
    """One kind of card by group."""

    type = text()
    by = text()
    ranked = fields.Boolean(metadata={"description": "Ordered by score; otherwise by name, on purpose"})
    rows = fields.List(fields.Nested(BreakdownRowSchema))
    total = fields.Nested(ScoreSchema)


class BreakdownsSchema(Schema):
    """One table a kind of card."""

    items = fields.List(fields.Nested(BreakdownOneSchema))


class ChangeSchema(Schema):
    """From a to b."""

    method = text()
    n_a = number()
    n_b = number()
    difference = real("Value of b minus value of a")
    delta = real("Adjusted difference, the centre of the bounds")
    low = real()
    high = real()
    z = real()
    p = real()
    verdict = text("changed or no_change_shown", none=True)
    confidence = fields.Float()


class ComparisonSchema(Schema):
    """One kind of card, both sides."""

    type = text()
    a = fields.Nested(ScoreSchema)
    b = fields.Nested(ScoreSchema)
    change = fields.Nested(ChangeSchema, allow_none=True)


class ComparisonsSchema(Schema):
    """Both sides of every kind of card, and whether they really differ."""

    comparisons = fields.List(fields.Nested(ComparisonSchema))
    response_rate_a = fields.Nested(RateSchema)
    response_rate_b = fields.Nested(RateSchema)
    response_rate_change = fields.Nested(ChangeSchema, allow_none=True)


class ReasonedSchema(Schema):
    """So many for this reason."""

    reason = text()
    n = number()


class CoverageRowSchema(Schema):
    """One agent or team: offered of ended."""

    class Meta:
        """`unknown` is a word of marshmallow's own, too."""

        include: ClassVar = {"unknown": number("May or may not have arrived")}

    key = text(none=True)
    ended = number()
    pending = number("Still on their way")
    decided = number("ended - pending")
    offered = number("X accepted the card")
    skipped = fields.List(fields.Nested(ReasonedSchema))
    failed = fields.List(fields.Nested(ReasonedSchema))
    share = real("offered of decided, per cent")
    limit_low = real("Three sigma below the share of all")
    limit_high = real("Three sigma above the share of all")
    place = text("below, inside or above the limits", none=True)


class CoverageSchema(Schema):
    """Whom the rules left out, by agent or team."""

    by = text()
    rows = fields.List(fields.Nested(CoverageRowSchema))
    total = fields.Nested(CoverageRowSchema)


class FunnelSchema(Schema):
    """From ended to answered."""

    class Meta:
        """As above."""

        include: ClassVar = {"unknown": number()}

    ended = number()
    pending = number()
    skipped = fields.List(fields.Nested(ReasonedSchema))
    failed = fields.List(fields.Nested(ReasonedSchema))
    delivered = number()
    answered = number(none=True)
    scored = number(none=True)
    commented = number(none=True)
    suppressed = text(SUPPRESSED, none=True)
