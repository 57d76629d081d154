"""What SQLAlchemy makes of our statements and werkzeug of our routes, kept for a whole run of tests.

A process of ours keeps both for its life. Each test opens an engine of its own, and an engine forgets with it: of 82 ms
of a test that asks somebody, 31 went into writing the same SQL anew. Here a statement is one text for every engine of
one kind with the same keys at rest. Likewise each application compiles what writes the addresses of its routes: half of
the 90 ms that one takes to make.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from service.at_rest.columns import ring_of

MANY = 3000
Key = tuple[Any, ...]


class Kept(LRUCache[Key, Any]):
    """SQLAlchemy's own cache, whose first word is the engine's dialect: engines that write alike are one here."""

    def get(self, key: Key, default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __setitem__(self, key: Key, value: Any) -> None:
        super().__setitem__(_alike(key), value)


def _alike(key: Key) -> Key:
    dialect, *rest = key
    return (dialect.name, ring_of(dialect), *rest)


STATEMENTS = Kept(MANY)


def remembering(engine: Engine) -> Engine:
    engine.update_execution_options(compiled_cache=STATEMENTS)
    return engine


WRITERS: dict[Key, Callable[..., tuple[str, str]]] = {}
_compile = Rule._compile_builder


def _writer(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What writes the addresses of a route: the same for every rule of these parts, wherever it is bound."""
    if rule.defaults:
        return _compile(rule, append_unknown)
    key = (rule.rule, *rule._trace, append_unknown)
    if key not in WRITERS:
        WRITERS[key] = _compile(rule, append_unknown)
    return WRITERS[key]


Rule._compile_builder = _writer
