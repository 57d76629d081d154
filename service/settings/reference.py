"""The settings reference: one line per declared setting, for the command line."""

from dataclasses import dataclass

from service.settings.asking import Source, Texts
from service.settings.declare import declared
from service.settings.sections import NAMED_SECTIONS, SECTIONS
from service.settings.sources import Api


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One line of the settings reference."""

    path: str
    default: str
    description: str


def reference() -> list[SettingDoc]:
    """Every setting there is, for `dm-feedback config reference`."""
    found = [doc for name, shape in SECTIONS.items() for doc in _docs(name, shape)]
    found += [doc for name, shape in NAMED_SECTIONS.items() for doc in _docs(f"{name}.NAME", shape)]
    return found + _docs("campaigns.NAME.texts.LANGUAGE", Texts)


def _docs(path: str, shape: type) -> list[SettingDoc]:
    found = []
    for name, what in declared(shape).items():
        inner = TABLES.get((shape, name))
        if inner is not None:
            found += _docs(f"{path}.{name}", inner)
        elif what.sentence is not None:
            found.append(SettingDoc(f"{path}.{name}", what.shown, what.meaning))
    return found


TABLES: dict[tuple[type, str], type] = {(Source, "api"): Api}  # tables within a table
