"""Puts a change into the running process: the functions of a changed file get new code.

A function stays the same object wherever it was imported. What runs at import (tables, defaults, fields of classes)
cannot be changed so: `afresh.py` does that.
"""

import functools
import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Self

CO_NEWLOCALS = 0x2  # a function, and not the body of a class


@dataclass(frozen=True)
class Alive:
    """Every function there is, by its file and its code; and what remembers answers of ours."""

    functions: Mapping[tuple[str, CodeType], list[FunctionType]]
    remembers: Sequence[Any]

    @classmethod
    def now(cls) -> Self:
        gc.unfreeze()  # what a run of tests has frozen is not among the objects
        found: dict[tuple[str, CodeType], list[FunctionType]] = {}
        caches = []
        for each in gc.get_objects():
            if isinstance(each, FunctionType):
                found.setdefault((each.__code__.co_filename, each.__code__), []).append(each)
            elif isinstance(each, functools._lru_cache_wrapper) and str(each.__module__).startswith("service"):
                caches.append(each)
        return cls(found, caches)


def put(file: str, before: CodeType, after: CodeType, alive: Alive) -> bool:
    """Change the functions of a file. False where nothing that differs could be changed so."""
    outer = zip(_functions(before), _functions(after), strict=False)
    differ = [pair for pair in outer if pair[0] != pair[1]]
    replaced = [_replaced(file, old, new, alive) for old, new in differ]
    done = bool(differ) and all(replaced)
    for each in alive.remembers if done else ():
        each.cache_clear()
    return done


def _replaced(file: str, old: CodeType, new: CodeType, alive: Alive) -> bool:
    """Also what a decorator has made of it at import and is alive still."""
    mine = alive.functions.get((file, old), [])
    if any(each.__code__.co_freevars != new.co_freevars for each in mine):
        return False
    for each in mine:
        each.__code__ = new
    for inner in zip(_functions(old), _functions(new), strict=False):
        if inner[0] != inner[1]:
            _replaced(file, *inner, alive)
    return bool(mine)


def _functions(code: CodeType) -> Iterator[CodeType]:
    """Those of a module or a function, and of classes in it; not what they define within themselves."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_flags & CO_NEWLOCALS:
                yield each
            else:
                yield from _functions(each)
