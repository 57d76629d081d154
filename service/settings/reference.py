"""The settings reference: one line per declared setting, for the command line; also that of a source's grammar."""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from service.settings.asking import Texts
from service.settings.declare import declared, without_none
from service.settings.sections import NAMED_SECTIONS, SECTIONS


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One line of the settings reference."""

    path: str
    default: str
    description: str


def reference() -> list[SettingDoc]:
    """Every setting there is, for `dm-feedback config reference`."""
    named = {f"{name}.NAME.": shape for name, shape in NAMED_SECTIONS.items()}
    tables = {f"{name}.": shape for name, shape in SECTIONS.items()} | named
    tables["campaigns.NAME.texts.LANGUAGE."] = Texts
    return [doc for path, shape in tables.items() for doc in docs(shape, path)]


def docs(shape: type[Any], path: str) -> Iterator[SettingDoc]:
    """Every line that a table may have, and those of the tables within it. `path`: where it stands."""
    hints = get_type_hints(shape)
    for name, what in declared(shape).items():
        inner, key = _table(hints[name]), path + name.rstrip("_")
        if inner is not None:
            yield from docs(inner, f"{key}[]." if get_origin(hints[name]) is tuple else f"{key}.")
        elif what.sentence is not None:
            yield SettingDoc(key, what.shown, what.meaning)


def _table(kind: Any) -> type[Any] | None:
    """The table a key holds, or a list of; None if it holds a value."""
    kind = without_none(kind)
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and is_dataclass(kind) and declared(kind) else None
