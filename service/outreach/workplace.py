"""What outreach leans on: an engine, the settings and a name for the history. Holds no state and opens nothing."""

from dataclasses import dataclass

from sqlalchemy.engine import Engine

from service.requests.retry import RetryPolicy
from service.requests.writer import Hand
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a worker, a person or a test works. `worker` names them in the history."""

    engine: Engine
    settings: Settings
    worker: str

    @property
    def hand(self) -> Hand:
        """Who writes here."""
        return self.hand_of(self.worker)

    def hand_of(self, actor: str) -> Hand:
        """Somebody else who writes here, under the same rules."""
        return Hand(actor, RetryPolicy(self.settings.worker.max_attempts, self.settings.worker.give_up_after))
