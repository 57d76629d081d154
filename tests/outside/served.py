"""The service as a tool sees it: an address, a supervisor's key, and the ledger behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.app import create_app
from service.db import open_engine
from tests.processes.databases import Sqlite
from tests.reports.world import World, settings_of
from tests.serving import served as on_a_port


@dataclass(frozen=True, slots=True)
class Served:
    """Where it is, and how to get in."""

    url: str
    key: str
    world: World


@contextmanager
def served(directory: Path) -> Iterator[Served]:
    """Serve a ledger of some hundred conversations until the block ends."""
    engine = open_engine(Sqlite(directory).url)
    world = World(engine, settings_of(web__requests_per_minute=1_000_000))
    fill(world)
    app = create_app(world.settings, engine, world.clock)
    with on_a_port(app) as url:
        yield Served(url, world.key("supervisor"), world)
    engine.dispose()


def fill(world: World) -> None:
    """Answers with and without words, a small agent, somebody whom nobody asked, odd characters."""
    world.add(260, score=5, text="schnell & freundlich, \u201etop\u201c", days_ago=9)
    world.add(40, score=2, days_ago=5, team_id="blue", agent_id="bob", tags=["vip", "late"])
    world.add(3, score=1, text="=1+1", days_ago=4, agent_id="new")
    world.add(20, days_ago=3)
    world.add(10, state="skipped", reason="opted_out", kind=None, campaign=None, days_ago=2)
