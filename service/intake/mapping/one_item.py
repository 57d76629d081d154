"""One item of a delivery while it is read: what the map finds for each field, and notes on what was set aside.

Every expression is paid for from the item's own budget.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.intake.definition.tables import Definition
from service.intake.expressions.compiled import ExpressionError
from service.intake.expressions.evaluate import Budget
from service.intake.values import fields


@dataclass(slots=True)
class OneItem:
    """One item while it is read; `notes` collects what was set aside."""

    definition: Definition
    context: dict[str, Any]
    received_at: datetime
    budget: Budget
    notes: list[str] = field(default_factory=list)

    def raw(self, name: str) -> Any:
        """What the map finds for a field. Raises ExpressionError and TooCostly."""
        expression = self.definition.grammar.map.of(name)
        return None if expression is None else expression.read(self.context, self.budget)

    def soft(self, name: str, convert: Callable[[Any], Any], nothing: Any = None) -> Any:
        """What the map finds, converted; a bad value becomes `nothing` and a note."""
        try:
            return convert(self.raw(name))
        except (ExpressionError, fields.NotText) as error:
            self.notes.append(f"{name} {error}")
            return nothing

    def quiet(self, name: str, convert: Callable[[Any], str | None]) -> str | None:
        """What the map finds, for items that may be no events at all: makes no notes about what is missing."""
        try:
            return convert(self.raw(name))
        except (ExpressionError, fields.NotText):
            return None
