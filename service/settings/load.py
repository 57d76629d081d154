"""Reads the TOML file and the environment into settings, or names every mistake at once.

Relative paths are relative to the settings file. Never reads the clock, a database or the network.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from service.settings.asking import Account, Source
from service.settings.checks import MISSING, crossings
from service.settings.declare import declared, reader_of, wrong
from service.settings.secret_references import Environment, resolve, without_suffix
from service.settings.sections import NAMED_SECTIONS, SECTIONS, Database, Mistake, Settings, SettingsError

X_TOKENS = ("consumer_key", "token", "token_secret", "client_secret")
"""What only a worker needs of X: web, which everybody reaches, never reads it (it holds the consumer secret)."""


def load(path: Path, environ: Mapping[str, str] | None = None, withheld: Collection[str] = ()) -> Settings:
    """Read the file at `path`, except account secrets that are `withheld`. Raises SettingsError with every mistake."""
    try:
        tree = tomllib.loads(path.read_text("utf-8-sig"))  # some editors write a byte order mark first
    except FileNotFoundError as error:
        sentence = "there is no such file; `dm-feedback config example > dm-feedback.toml` writes one to start from"
        raise SettingsError([Mistake(str(path), sentence)]) from error
    except OSError as error:
        raise SettingsError(
            [Mistake(str(path), f"cannot be read ({error.strerror}); correct the path or the file's permissions")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([Mistake(str(path), f"is not TOML: {error}")]) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of more digits than Python reads
        sentence = "has brackets nested too deeply, or a number that is too long"
        raise SettingsError([Mistake(str(path), sentence)]) from error
    tree["accounts"] = _without(tree.get("accounts"), withheld)
    return from_tree(tree, os.environ if environ is None else environ, path.absolute().parent)


def from_tree(tree: Mapping[str, Any], environ: Mapping[str, str], beside: Path | None = None) -> Settings:
    """Build the settings from a parsed file in the folder `beside`. Raises SettingsError with every mistake at once."""
    problems: list[Mistake] = []
    resolved = resolve(tree, Environment(environ, beside or Path()), "", problems)
    unresolved = {without_suffix(problem.path) for problem in problems}
    parts: dict[str, Any] = {
        name: _load(shape, resolved.get(name, {}), name, problems) for name, shape in SECTIONS.items()
    }
    problems.extend(
        Mistake(name, f"no such section; there are {', '.join([*SECTIONS, *NAMED_SECTIONS])}")
        for name in resolved
        if name not in SECTIONS and name not in NAMED_SECTIONS
    )
    for section, shape in NAMED_SECTIONS.items():
        parts[section] = _load_named(section, shape, resolved.get(section, {}), problems)
    parts = _completed(parts)
    problems += crossings(parts)
    # what could not be looked up is named already, where it is written
    problems = [p for p in problems if p.path not in unresolved or not p.sentence.startswith("is missing")]
    if beside is not None:
        parts["accounts"] = {name: each and _with_its_logo(each, beside) for name, each in parts["accounts"].items()}
        if parts["database"] is not None:
            parts["database"] = _placed(parts["database"], beside, problems)
    if problems:
        raise SettingsError(problems, _untouched(parts["sources"], problems))
    return Settings(**{**parts, "campaigns": tuple(parts["campaigns"].values())})


def _load(shape: type, data: Any, path: str, problems: list[Mistake]) -> Any:
    if not isinstance(data, Mapping):
        problems.append(Mistake(path, f"must be a table: [{path}]"))
        return None
    try:
        return reader_of(shape).load({key: value for key, value in data.items() if value is not None})
    except ValidationError as error:
        problems += [Mistake(*each) for each in wrong(error.messages, path, MISSING)]
        return None


def _load_named(section: str, shape: type, data: Any, problems: list[Mistake]) -> dict[str, Any]:
    if not isinstance(data, Mapping) or not data:
        problems.append(Mistake(section, f"needs at least one table: [{section}.NAME]"))
        return {}
    loaded: dict[str, Any] = {}
    for name, given in data.items():
        path = f"{section}.{name}"
        loaded[name] = None
        if not isinstance(given, Mapping):
            problems.append(Mistake(path, f"must be a table: [{path}]"))
        elif shape is Source:
            loaded[name] = _load(shape, _split_definition(given, name), path, problems)
        elif "name" in given:
            problems.append(
                Mistake(f"{path}.name", f"no such setting; the name comes from the table's heading, '{name}'")
            )
        else:
            loaded[name] = _load(shape, {**given, "name": name}, path, problems)
    return loaded


def _split_definition(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    known = {key: value for key, value in given.items() if key in SOURCE_FIELDS}
    return {
        **known,
        "name": name,
        "definition": {key: v for key, v in given.items() if key not in SOURCE_FIELDS},
    }


SOURCE_FIELDS = {name for name, what in declared(Source).items() if what.sentence is not None}
SQLITE = "sqlite:///"
ELSEWHERE = "held by the worker alone"


def _completed(parts: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the rest: the only account, the first language. What could not be loaded is None."""
    accounts = list(parts["accounts"])
    if len(accounts) == 1:
        parts["sources"] = {
            name: source and replace(source, account=source.account or accounts[0])
            for name, source in parts["sources"].items()
        }
    parts["campaigns"] = {
        name: campaign and replace(campaign, default_language=campaign.default_language or next(iter(campaign.texts)))
        for name, campaign in parts["campaigns"].items()
    }
    return parts


def _without(accounts: Any, withheld: Collection[str]) -> Any:
    """Leave out the secrets this process must not hold, wherever they would come from."""
    if not withheld or not isinstance(accounts, dict):
        return {} if accounts is None else accounts
    held = {name: table for name, table in accounts.items() if isinstance(table, dict)}
    kept = {
        name: {key: value for key, value in table.items() if without_suffix(key) not in withheld}
        for name, table in held.items()
    }
    return accounts | {name: table | dict.fromkeys(withheld, ELSEWHERE) for name, table in kept.items()}


def _with_its_logo(account: Account, beside: Path) -> Account:
    """Resolve a relative picture beside the settings, or else where the process was started."""
    if account.page_logo is None or (not (beside / account.page_logo).exists() and Path(account.page_logo).exists()):
        return account
    return replace(account, page_logo=str(beside / account.page_logo))


def _placed(database: Database, beside: Path, problems: list[Mistake]) -> Database:
    """Resolve a relative SQLite file beside the settings, wherever a command is started."""
    file, query, options = database.url.removeprefix(SQLITE).partition("?")
    if not database.url.startswith(SQLITE) or file.startswith(("/", "~", "file:")):
        return database
    place = beside / file
    if Path(file).is_file() and not place.is_file():  # as before: never start an empty ledger beside a full one
        sentence = f"is relative to the settings file, but there is a database at {Path(file).absolute()}"
        problems.append(Mistake("database.url", f"{sentence}; move it to {place}, or write its full path"))
    return replace(database, url=f"{SQLITE}{place}{query}{options}")


def _untouched(sources: Mapping[str, Source | None], problems: list[Mistake]) -> dict[str, Source]:
    """Return the sources without a mistake so far: their definitions can be checked too, to name all at once."""
    return {
        name: source
        for name, source in sources.items()
        if source is not None and not any(p.path.startswith(f"sources.{name}.") for p in problems)
    }
