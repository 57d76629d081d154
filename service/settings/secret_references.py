"""Replaces every `KEY_env`, `KEY_file` and `KEY_command` by `KEY`, so that no secret has to be in the settings file.

A secret comes from a variable, from a file (relative to the settings), or from what a command prints, such as a
vault's. One that cannot be had is a mistake, named where it is written.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.settings.sections import Mistake

COMMAND_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Environment:
    """Where references lead: the environment, and the folder of the settings."""

    environ: Mapping[str, str]
    folder: Path


class _NotHadError(Exception):
    """A sentence that says why a reference cannot be resolved."""


def resolve(value: Any, around: Environment, path: str, problems: list[Mistake]) -> Any:
    """Return `value`, found at `path`, with its references resolved."""
    if isinstance(value, list):
        return [resolve(each, around, f"{path}[{i}]", problems) for i, each in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for key, each in value.items():
        where = f"{path}.{key}".lstrip(".")
        reference = SUFFIX.fullmatch(key)
        if reference is None:
            found[key] = resolve(each, around, where, problems)
            continue
        name, kind = reference[1], reference[2]
        *ways, last = (name, *(f"{name}_{each}" for each in KINDS))
        if next(way for way in (*ways, last) if way in value) != key:
            forms = f"{', '.join(map(repr, ways))} or {last!r}"
            problems.append(Mistake(where, f"{name!r} is given twice; write only one of {forms}"))
        elif (text := _followed(kind, each, around, where, problems)) is not None:
            found[name] = text
    return found


def without_suffix(path: str) -> str:
    """Return the path of the setting a reference stands for."""
    reference = SUFFIX.fullmatch(path)
    return path if reference is None else reference[1]


def _followed(kind: str, name: Any, around: Environment, path: str, problems: list[Mistake]) -> Any:
    """Return what `name` refers to, one by one for a list; None if it cannot be had."""
    follow, is_one, says = KINDS[kind]
    if isinstance(name, list) and not is_one(name):
        texts = [_followed(kind, each, around, f"{path}[{i}]", problems) for i, each in enumerate(name)]
        return [text for text in texts if text is not None]
    if not is_one(name):
        problems.append(Mistake(path, says))
        return None
    try:
        return follow(name, around).rstrip("\r\n")  # an editor's or `echo`'s, never part of a secret
    except _NotHadError as error:
        problems.append(Mistake(path, str(error)))
        return None


def _variable(name: str, around: Environment) -> str:
    if name not in around.environ:
        raise _NotHadError(f"the environment has no variable '{name}'; set it before starting")
    return _text(around.environ[name].encode("utf-8", "surrogateescape"), f"the variable '{name}'")


def _file(name: str, around: Environment) -> str:
    try:
        return _text((around.folder / name).read_bytes(), f"the file '{name}'")
    except OSError as error:
        sentence = f"the file '{name}' cannot be read ({error.strerror}); mount it, or correct the path"
        raise _NotHadError(sentence) from error
    except ValueError as error:  # NUL in a path
        raise _NotHadError(f"the file '{name}' is not text in UTF-8") from error


def _command(words: list[str], around: Environment) -> str:
    """What the command prints. Its errors are included in ours, as a vault's say what is wrong; its output never is."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own words, and no shell
            words,
            stdin=subprocess.DEVNULL,  # what is piped to us is not for it
            stdout=subprocess.PIPE,
            cwd=around.folder,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )
    except (OSError, ValueError) as error:
        raise _NotHadError(f"the command '{words[0]}' cannot be run; correct its path or its permissions") from error
    except subprocess.TimeoutExpired as error:
        raise _NotHadError(f"the command '{words[0]}' did not end within {COMMAND_WITHIN_S} s") from error
    if done.returncode or not done.stdout.strip():
        wrong = f"ended with {done.returncode}" if done.returncode else "printed nothing"
        raise _NotHadError(f"the command '{words[0]}' {wrong}; it must print the secret and end with 0")
    return _text(done.stdout, f"what the command '{words[0]}' printed")


def _text(found: bytes, what: str) -> str:
    try:
        return found.decode("utf-8-sig")  # Windows writes a byte order mark first, which is not part of the secret
    except UnicodeDecodeError as error:
        raise _NotHadError(f"{what} is not text in UTF-8") from error


def _is_words(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(word, str) for word in given)


def _is_name(given: Any) -> bool:
    return isinstance(given, str)


KINDS: dict[str, tuple[Callable[[Any, Environment], str], Callable[[Any], bool], str]] = {
    "env": (_variable, _is_name, "must be the name of a variable, in quotes"),
    "file": (_file, _is_name, "must be the name of a file, in quotes"),
    "command": (_command, _is_words, 'must be a command and its words, such as ["vault", "read", "…"]'),
}
SUFFIX = re.compile(rf"(.+)_({'|'.join(KINDS)})")
