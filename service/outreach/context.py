"""What outreach leans on: an engine, the settings, and a name for the history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy.engine import Engine

from service.customers.hash_key import open_key
from service.db import reading
from service.requests.restored import Restore, restores
from service.requests.retry import RetryPolicy
from service.requests.writer import Writer
from service.settings import Settings
from service.sources.lookup_desk import Desk
from service.ways.links import Links


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a worker, a person or a test works. `worker` is their name in the history, `hash_key` recognises people.

    `desks` are the sources whose customers can be looked up, by name; only a worker has any. `restores`: when the
    ledger was restored from a backup.
    """

    engine: Engine
    settings: Settings
    worker: str
    hash_key: str
    desks: Mapping[str, Desk] = field(default_factory=dict)
    restores: Sequence[Restore] = ()

    @classmethod
    def open(cls, engine: Engine, settings: Settings, worker: str, desks: Mapping[str, Desk] | None = None) -> Self:
        """Open the place. Raises Unavailable if the settings' secret is not the database's."""
        key = open_key(engine, settings.service.secret_key)
        with reading(engine) as connection:
            return cls(engine, settings, worker, key, desks or {}, restores(connection))

    @property
    def writer(self) -> Writer:
        """Who writes here."""
        return self.writer_for(self.worker)

    @property
    def links(self) -> Links:
        """What links to the question page are made with."""
        return Links(self.hash_key, self.settings.service.public_url)

    def writer_for(self, actor: str) -> Writer:
        """Return somebody else who writes here, under the same rules."""
        return Writer(actor, RetryPolicy(self.settings.worker.max_attempts, self.settings.worker.give_up_after))
