"""Declares a setting in one line of a frozen dataclass, from which attribute, grammar and documentation derive.

    workers: int = setting(2, "gunicorn processes", whole(1, 64))

Name, kind, default (as the file would write it), sentence, rules, and whether it is secret stand there and nowhere
else. A setting whose name is a Python keyword gets a trailing underscore. Never reads a file or the environment.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import time, timedelta
from difflib import get_close_matches
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import marshmallow as ma

from service.settings.values import AHandle, Duration, Handle, OneOrMore, QuietHours, Rule, Secrets, Zone

REQUIRED: Final = object()
KINDS: dict[Any, Callable[..., ma.fields.Field[Any]]] = {
    str: ma.fields.String,
    bool: ma.fields.Boolean,
    int: partial(ma.fields.Integer, strict=True),
    float: ma.fields.Float,
    timedelta: Duration,
    ZoneInfo: Zone,
    tuple[time, time]: QuietHours,
    Secrets: OneOrMore,
    Handle: AHandle,
}

TOLD = 6  # keys of a table that something else stands for
TABLES = "must be a list of tables: write its name in double brackets, [[…]]"
LACKING = "Missing data for required field."
IN_OUR_WORDS = {
    "Not a valid string.": "must be a text in quotes",
    "Not a valid integer.": "must be a whole number, without quotes",
    "Not a valid number.": "must be a number, without quotes",
    "Not a valid boolean.": "must be true or false",
    "Not a valid list.": 'must be a list, such as ["one", "two"]',
    "Not a valid mapping type.": "must be a table",
    "Shorter than minimum length 1.": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A setting's declaration besides name and kind. `sentence` None: implied, not a line of the file."""

    default: Any
    sentence: str | None
    rules: tuple[Rule, ...]
    secret: bool

    @property
    def shown(self) -> str:
        """The default as the reference shows it."""
        if self.default is REQUIRED:
            return "required"
        if isinstance(self.default, bool):
            return str(self.default).lower()
        if isinstance(self.default, list | tuple):
            return ", ".join(self.default) or "none"
        return "none" if self.default in (None, "", {}) else str(self.default)

    @property
    def meaning(self) -> str:
        """Its sentence, and the words it may be, where the sentence does not name them."""
        words = [str(word) for rule in self.rules if isinstance(rule, ma.validate.OneOf) for word in rule.choices]
        told = self.sentence or ""
        return told if all(word in told for word in words) else f"{told} ({', '.join(words)})"


def setting(default: Any, sentence: str, *rules: Rule, secret: bool = False) -> Any:
    """Declare a setting. Rules apply to the value, or to each value of a list; a secret shows in no repr."""
    return _declared(Declared(default, sentence, rules, secret))


def implied(*rules: Rule, secret: bool = False) -> Any:
    """Declare what follows from a table's place: its name, or the rest of its content."""
    return _declared(Declared(REQUIRED, None, rules, secret))


def _declared(what: Declared) -> Any:
    return field(repr=not what.secret, metadata={"declared": what})


def declared(shape: type[Any]) -> dict[str, Declared]:
    """Return what is declared of each setting of a section."""
    return {each.name: each.metadata["declared"] for each in fields(shape) if "declared" in each.metadata}


class NamedTable(ma.fields.Dict):
    """A table whose keys somebody chose. A mistake is told at its name, whether of the name or of what it names."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(*args, **kwargs)  # type: ignore[no-untyped-call]  # marshmallow's
        except ma.ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            flat = {name: each.get("key") or each["value"] for name, each in error.messages.items()}
            raise ma.ValidationError(flat) from error


class Section(ma.Schema):
    """One table of the file; loads to the dataclass named by `shape`. Unknown settings are mistakes."""

    shape: ClassVar[type[Any]]
    kinds: ClassVar[Mapping[Any, Callable[..., ma.fields.Field[Any]]]] = KINDS
    error_messages = {"unknown": "no such setting; `dm-feedback config reference` lists them all"}  # noqa: RUF012 - marshmallow's own attribute

    class Meta:
        """Unknown keys are errors: a misspelt setting must not silently have no effect."""

        unknown = ma.RAISE

    def handle_error(self, error: ma.ValidationError, data: Any, **_kwargs: Any) -> None:
        """Name what somebody may have meant by a setting that there is not, and say what one that is missing is."""
        named = {each.data_key or name: name for name, each in self.fields.items()}
        said, of = error.messages, declared(self.shape)
        offered = [key for key, name in named.items() if of[name].sentence is not None]
        offered += getattr(self.shape, "BESIDE", ())
        for name in data if isinstance(data, Mapping) and isinstance(said, dict) else ():
            if name not in named and (near := get_close_matches(str(name), offered, 1)):
                said[name] = [f"{self.error_messages['unknown']}; did you mean {near[0]}?"]
        for key, name in named.items():
            what = of[name]
            if isinstance(said, dict) and said.get(key) == [LACKING] and what.sentence and not what.secret:
                said[key] = [f"is missing: {what.meaning}"]

    @ma.post_load
    def build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        """Make the frozen dataclass of this section."""
        return self.shape(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


@cache
def section_of(shape: type[Any], base: type[Section] = Section) -> type[Section]:
    """Return the grammar of a section's table. `base` may know more kinds of value."""
    hints = get_type_hints(shape)
    wire = {name: _field(name, hints[name], what, base) for name, what in declared(shape).items()}
    keys = [name.rstrip("_") for name, what in declared(shape).items() if what.sentence is not None]
    no_table = "must be a table of " + ", ".join([*keys[:TOLD], *["…"][: len(keys) > TOLD]])
    return type(shape.__name__, (base,), {"shape": shape, "error_messages": {"type": no_table}, **wire})


@cache
def reader_of(shape: Any, base: type[Section] = Section) -> Section:
    """Return the reader of such a table, cached: making one takes longer than reading with it."""
    return section_of(shape, base)()


def _field(name: str, kind: Any, what: Declared, base: type[Section]) -> ma.fields.Field[Any]:
    make = partial(_maker(without_none(kind), what.rules, base), data_key=name.rstrip("_"))
    if what.default is REQUIRED:
        return make(required=True)
    return make(load_default=None if what.default is None else make().deserialize(what.default))


def _maker(kind: Any, rules: tuple[Rule, ...], base: type[Section]) -> Callable[..., ma.fields.Field[Any]]:
    if kind in base.kinds:
        return partial(base.kinds[kind], validate=rules)
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(ma.fields.Nested, section_of(kind, base), validate=rules)
    if get_origin(kind) is tuple:
        one = get_args(kind)[0]
        words: Any = {"invalid": TABLES} if isinstance(one, type) and is_dataclass(one) else None
        return partial(ma.fields.List, _maker(one, rules, base)(), error_messages=words)
    inner = get_args(kind)[-1]
    if isinstance(inner, type) and is_dataclass(inner):
        nested = ma.fields.Nested(section_of(inner, base))
        return partial(NamedTable, keys=ma.fields.String(), values=nested, validate=rules)
    return partial(NamedTable, validate=rules)


def without_none(kind: Any) -> Any:
    """Return the kind of a value that may be missing."""
    if get_origin(kind) in (Union, UnionType):
        return next(each for each in get_args(kind) if each is not NoneType)
    return kind


def wrong(messages: Any, path: str, missing: str) -> Iterator[tuple[str, str]]:
    """Say what is wrong of each nested message of marshmallow's, and where. `missing`: of what is not there."""
    if isinstance(messages, Mapping):
        for key, each in messages.items():
            yield from wrong(each, _below(path, key), missing)
        return
    for each in messages:
        yield path, missing if each == LACKING else IN_OUR_WORDS.get(str(each), str(each))


def _below(path: str, key: Any) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return path if key == "_schema" else f"{path}.{key}"
