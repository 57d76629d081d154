"""Loading: in, one TOML file and the environment; out, the settings, or every mistake at once.

Every secret may be given by reference: `KEY_env = "NAME"` or `KEY_file = "/path"` stands for `KEY`, anywhere in the
file. Never reads the clock, a database or the network.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from service.settings.checks import crossings, warnings
from service.settings.sections import NAMED_SECTIONS, SECTIONS, SOURCE_FIELDS, Section, SourceSection
from service.settings.shapes import Problem, Settings, SettingsError


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the file at `path`. Raises SettingsError with every mistake at once."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            [Problem(str(path), "there is no such file; `dm-feedback config example > dm-feedback.toml` writes one to start from")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([Problem(str(path), f"is not TOML: {error}")]) from error
    return from_tree(tree, os.environ if environ is None else environ)


def from_tree(tree: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Build the settings from a parsed file. Raises SettingsError with every mistake at once."""
    problems: list[Problem] = []
    resolved = _resolve(tree, environ, "", problems)
    missing = {problem.path for problem in problems}
    parts: dict[str, Any] = {
        name: _load(schema, resolved.get(name, {}), name, problems) for name, schema in SECTIONS.items()
    }
    for name in resolved.keys() - SECTIONS.keys() - NAMED_SECTIONS.keys():
        problems.append(Problem(name, f"no such section; there are {', '.join([*SECTIONS, *NAMED_SECTIONS])}"))
    for section, schema in NAMED_SECTIONS.items():
        parts[section] = _load_named(section, schema, resolved.get(section, {}), problems)
    problems = [p for p in problems if p.path not in missing or "Missing data" not in p.sentence]
    if not problems:
        parts = _completed(parts)
        problems = crossings(parts)
    if problems:
        raise SettingsError(problems)
    return Settings(**{**parts, "campaigns": tuple(parts["campaigns"].values())}, warnings=tuple(warnings(parts)))


def _resolve(value: Any, environ: Mapping[str, str], path: str, problems: list[Problem]) -> Any:
    """Replace every `KEY_env` and `KEY_file` by `KEY` with what it refers to."""
    if isinstance(value, list):
        return [_resolve(each, environ, f"{path}[{i}]", problems) for i, each in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for key, each in value.items():
        where = f"{path}.{key}".lstrip(".")
        name, _, kind = key.rpartition("_")
        if kind not in {"env", "file"} or not name:
            found[key] = _resolve(each, environ, where, problems)
            continue
        if name in value:
            problems.append(Problem(where, f"'{name}' is given twice; write either '{name}' or '{key}'"))
            continue
        found[name] = _referred(kind, each, environ, where, problems)
    return found


def _referred(kind: str, name: Any, environ: Mapping[str, str], path: str, problems: list[Problem]) -> Any:
    if isinstance(name, list):
        return [_referred(kind, each, environ, f"{path}[{i}]", problems) for i, each in enumerate(name)]
    if kind == "env" and name in environ:
        return environ[name]
    if kind == "env":
        problems.append(Problem(path, f"the environment has no variable '{name}'; set it before starting"))
        return None
    try:
        return Path(str(name)).read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        problems.append(
            Problem(path, f"the file '{name}' cannot be read ({error.strerror}); mount it or mend the path")
        )
        return None


def _load(schema: type[Section], data: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(data, Mapping):
        problems.append(Problem(path, f"must be a table: [{path}]"))
        return None
    try:
        return schema().load({key: value for key, value in data.items() if value is not None})
    except ValidationError as error:
        problems.extend(_flatten(error.messages, path))
        return None


def _load_named(section: str, schema: type[Section], data: Any, problems: list[Problem]) -> dict[str, Any]:
    if not isinstance(data, Mapping) or not data:
        problems.append(Problem(section, f"needs at least one table: [{section}.NAME]"))
        return {}
    loaded = {}
    for name, given in data.items():
        path = f"{section}.{name}"
        if not isinstance(given, Mapping):
            problems.append(Problem(path, f"must be a table: [{path}]"))
            continue
        fields_of_it = {**given, "name": name}
        if schema is SourceSection:
            fields_of_it = _split_definition(given, name)
        loaded[name] = _load(schema, fields_of_it, path, problems)
    return loaded


def _split_definition(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    known = {key: value for key, value in given.items() if key in SOURCE_FIELDS}
    return {
        **known,
        "name": name,
        "definition": {key: v for key, v in given.items() if key not in SOURCE_FIELDS},
    }


def _flatten(messages: Any, path: str) -> list[Problem]:
    if isinstance(messages, Mapping):
        nested = (_flatten(each, f"{path}.{key}" if key != "_schema" else path) for key, each in messages.items())
        return [problem for group in nested for problem in group]
    return [Problem(path.replace(".value", ""), str(message)) for message in messages]


def _completed(parts: dict[str, Any]) -> dict[str, Any]:
    """Fill what follows from the rest: the only account, the first language."""
    accounts = list(parts["accounts"])
    if len(accounts) == 1:
        parts["sources"] = {
            name: replace(source, account=source.account or accounts[0]) for name, source in parts["sources"].items()
        }
    parts["campaigns"] = {
        name: replace(campaign, default_language=campaign.default_language or next(iter(campaign.texts)))
        for name, campaign in parts["campaigns"].items()
    }
    return parts
