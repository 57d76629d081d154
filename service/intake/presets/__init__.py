"""The CRMs that come with us, a folder each: its definition, its payloads, and what they should mean.

A folder holds `definition.toml`, deliveries as files (`ended.http`, `not_….http`, `duplicate_….http` …: header lines,
an empty line, the body) and `expected.json`, which says what becomes of each and from which public source it was
written; what the `fields` of the first `ended` name (conversation, end, customer) a trial delivery replaces, so that it
reaches nobody on X (`sample.py`). How the CRM signs is written down once more, from its documentation, in
`tests/intake/signers.py`. The folders are shipped: `dm-feedback sources explain --preset NAME` walks through
them, and so do the tests.
"""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

PRESETS = resources.files("service.intake.presets")
DEFINITION, EXPECTED, PAYLOAD = "definition.toml", "expected.json", ".http"


def preset_names() -> list[str]:
    """The presets that come with us, in order of name."""
    return sorted(each.name for each in PRESETS.iterdir() if (each / DEFINITION).is_file())


def preset_text(name: str) -> str:
    """Return a preset as written, comments and all. Raises KeyError if there is none."""
    return _read(name, DEFINITION).decode()


@cache
def preset_tables(name: str) -> Mapping[str, Any]:
    """Return a preset as tables, which many sources may share. Raises KeyError if there is none."""
    return tomllib.loads(preset_text(name))


def preset_expected(name: str) -> dict[str, Any]:
    """Return the `settings` the payloads need, and what becomes of each. Raises KeyError if there is none."""
    found: dict[str, Any] = json.loads(_read(name, EXPECTED))
    return found


def sources_of_payloads(name: str) -> list[tuple[str, str]]:
    """Which deliveries were written from a public source, and from which. Raises KeyError if there is none."""
    found = preset_expected(name)["fixtures"]
    return [(file, each["from"]) for file, each in found.items() if "from" in each]


def payload_names(name: str) -> list[str]:
    """The example deliveries of a preset, ends first."""
    names = [each.name for each in (PRESETS / name).iterdir() if each.name.endswith(PAYLOAD)]
    return sorted(names, key=lambda each: (not each.startswith("ended"), each))


def payload(name: str, file: str) -> bytes:
    """Return one of them. Raises KeyError if there is none."""
    if file not in payload_names(name):
        raise KeyError(file)
    return _read(name, file)


def _read(name: str, file: str) -> bytes:
    if name not in preset_names():
        raise KeyError(name)
    return (PRESETS / name / file).read_bytes()
