"""The wire format of answers: one schema per dataclass, generated from its fields and what they are annotated with."""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from marshmallow import Schema, fields

from service.reports.api.schemas import Time
from service.reports.dimensions import Value
from service.reports.statistics.definitions import FigureDefinition
from service.reports.statistics.statistics import Cells


class Distribution(fields.Field[Cells]):
    """Pairs of score and count, as objects."""

    def _serialize(self, value: Cells | None, *_args: Any, **_kwargs: Any) -> Any:
        return [{"score": score, "n": n} for score, n in value or ()]


class GroupKey(fields.Field[str | int | None]):
    """A group's name; an integer for question variants and hours."""


INTEGER = {"type": "integer"}
PAIRS = {"type": "array", "items": {"type": "object", "properties": {"score": INTEGER, "n": INTEGER}}}
KEY = {"type": ["string", "integer"]}
STRICT = {"strict": True}
PLAIN: dict[Any, tuple[Any, dict[str, Any]]] = {
    str: (fields.String, {}),
    int: (fields.Integer, STRICT),
    float: (fields.Float, {}),
    bool: (fields.Boolean, {}),
    datetime: (Time, {}),
    date: (fields.Date, {}),
    Mapping: (fields.Dict, {}),
}


@cache
def schema_of(shape: type[Any], name: str = "") -> type[Schema]:
    """Return the schema of a dataclass; `name`: what the API's description calls it, if not by its own name."""
    return Schema.from_dict(fields_of(shape), name=f"{name or shape.__name__}Schema")


def fields_of(shape: type[Any]) -> dict[str, Any]:
    """Return the fields of a dataclass, each described as it is annotated."""
    return {name: _field(hint) for name, hint in get_type_hints(shape, include_extras=True).items()}


def _field(hint: Any) -> fields.Field[Any]:
    words = {}
    if get_origin(hint) is Annotated:
        hint, says = get_args(hint)
        words = {"description": says}
    if hint == Value:
        return GroupKey(allow_none=True, metadata={**KEY, **words})
    if hint == Cells:
        return Distribution(metadata={**PAIRS, **words})
    if get_origin(hint) in {Union, UnionType}:
        (inner,) = (each for each in get_args(hint) if each is not NoneType)
        return _plain(inner, {"allow_none": True, "metadata": words})
    return _plain(hint, {"metadata": words})


def _plain(hint: Any, told: dict[str, Any]) -> fields.Field[Any]:
    if get_origin(hint) is tuple:
        return fields.List(_plain(get_args(hint)[0], {}), **told)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return fields.Nested(schema_of(hint), **told)
    if get_origin(hint) is Literal:
        hint = str
    kind, more = PLAIN[get_origin(hint) or hint]
    made: fields.Field[Any] = kind(**more, **told)
    return made


class DefinitionListSchema(Schema):
    """All figures in words."""

    version = fields.String(metadata={"description": "Version of all definitions together"})
    definitions = fields.List(fields.Nested(schema_of(FigureDefinition, "Definition")))
