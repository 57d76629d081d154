"""What the process that ours are forked from makes before the first of them. Imported there and nowhere else."""

import gc
from pathlib import Path

from service.app import create_app
from service.db import open_engine
from service.network.transport import trusted
from service.settings.load import from_tree
from tests.processes import nursery  # noqa: F401 - what it imports
from tests.processes.site import Site


def _made_once() -> None:
    """What a process keeps from its start on: drivers, settings' grammar, routes, catalogues, certificates.

    Opens no connection and begins no thread: a child would not have it.
    """
    url = "postgresql://nobody@127.0.0.1/nothing"
    create_app(from_tree(Site(Path(), url, web_port=1, x_port=1).tree(), {}), open_engine(url))
    trusted()


_made_once()
gc.collect()
gc.freeze()  # a child's search for garbage need not go through it
