"""What SQLAlchemy makes of our statements, kept for a whole run of tests as a process of ours keeps it for its life.

Each test opens an engine of its own, and an engine forgets with it: of 82 ms of a test that asks somebody, 31 went into
writing the same SQL anew. Here a statement is one text for every engine of one kind with the same keys at rest.
"""

from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

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
