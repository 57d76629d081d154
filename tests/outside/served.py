"""The service, as a tool sees it: in, nothing; out, an address, a supervisor's key, and the ledger behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from service.app import create_app
from service.db import open_engine
from tests.processes.databases import Sqlite
from tests.reports.world import World, settings_of


class Silent(WSGIRequestHandler):
    """werkzeug's own server, without its log."""

    def log(self, *_: object) -> None:
        """Say nothing."""


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
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}", world.key("supervisor"), world)
    finally:
        server.shutdown()
        engine.dispose()


def fill(world: World) -> None:
    """Answers with and without words, a small agent, somebody whom nobody asked, odd characters."""
    world.add(260, score=5, text="schnell & freundlich, \u201etop\u201c", days_ago=9)
    world.add(40, score=2, days_ago=5, team_id="blue", agent_id="bob", tags=["vip", "late"])
    world.add(3, score=1, text="=1+1", days_ago=4, agent_id="new")
    world.add(20, days_ago=3)
    world.add(10, state="skipped", reason="opted_out", kind=None, campaign=None, days_ago=2)
