"""The settings reference: in, the schemas; out, a line a setting, for the command line and the README's table."""

from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from service.settings.sections import NAMED_SECTIONS, SECTIONS, Section, TextsSection


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One line of the settings reference."""

    path: str
    default: str
    description: str


def reference() -> list[SettingDoc]:
    """Every setting there is, for `dm-feedback config reference` and the README's table."""
    found = [doc for name, schema in SECTIONS.items() for doc in _docs(name, schema)]
    found += [doc for name, schema in NAMED_SECTIONS.items() for doc in _docs(f"{name}.NAME", schema)]
    return found + _docs("campaigns.NAME.texts.LANGUAGE", TextsSection)


def _docs(path: str, schema: type[Section]) -> list[SettingDoc]:
    return [
        SettingDoc(f"{path}.{name}", _default(each), each.metadata["description"])
        for name, each in schema().fields.items()
        if not each.metadata.get("implied")
    ]


def _default(each: fields.Field[Any]) -> str:
    if each.required:
        return "required"
    shown = each.metadata.get("shown", each.load_default)
    if shown is None or shown in ((), ""):
        return "none"
    return str(shown).lower() if isinstance(shown, bool) else str(shown)
