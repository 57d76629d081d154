"""The cluster as a database for the chaos run: an address, and a fail-over whenever asked for."""

import itertools
import threading
from contextlib import ExitStack
from pathlib import Path

from service import migrations
from service.db import open_engine
from tests.failover.cluster import Cluster
from tests.failover.troubles import TROUBLES


class Clustered:
    """Three nodes; their leader is killed, then frozen, then switched over, and so on."""

    outage = "PostgreSQL's leader killed, frozen or switched over"

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o755)
        (directory / "cluster").mkdir()
        self._stack, self._turn = ExitStack(), threading.Lock()
        self._cluster = self._stack.enter_context(Cluster(directory / "cluster"))
        self._troubles = itertools.cycle(TROUBLES.values())
        self.url = self._cluster.database("feedback")
        engine = open_engine(self.url)
        migrations.upgrade(engine)
        engine.dispose()

    def away(self, seconds: float) -> None:
        """How long it takes is the cluster's own affair."""
        del seconds
        with self._turn:
            next(self._troubles)(self._cluster)
            self._cluster.whole()

    def close(self) -> None:
        self._stack.close()
