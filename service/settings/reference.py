"""The settings reference: in, what is declared; out, a line a setting, for the command line."""

from dataclasses import dataclass

from service.settings.asking import Texts
from service.settings.declare import declared
from service.settings.shapes import NAMED_SECTIONS, SECTIONS


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
    return [
        SettingDoc(f"{path}.{name}", what.shown, what.sentence)
        for name, what in declared(shape).items()
        if what.sentence is not None
    ]
