"""Two services on one SQLite file: both start, accept and send, and nobody gets anything twice."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import Engine

from tests.processes import ledger
from tests.processes.children import cli, until
from tests.processes.deliveries import deliver
from tests.processes.site import Site
from tests.processes.x import X


def test_two_services_on_one_file_share_the_work(
    site_of: Callable[..., Site], tmp_path: Path, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"  # not there yet: both bring it to our schema, at the same moment
    one, other = site_of(url, tmp_path / "one"), site_of(url, tmp_path / "other")
    with (
        cli("serve", one.directory, "--config", str(one.config), "serve") as first,
        cli("serve", other.directory, "--config", str(other.config), "serve") as second,
    ):
        for site in (one, other):
            until(lambda site=site: deliver(site, "ready") == 200, 60, "it accepts", every_s=0.2)
        assert [deliver(site, f"c-{n}") for n in range(10) for site in (one, other)] == [200] * 20
        engine = engine_of(one)
        until(lambda: ledger.states(engine) == {"card_sent": 11}, 60, "all are sent")
        assert [first.terminate(60), second.terminate(60)] == [0, 0]
    assert (x.sent("dm"), x.sent("card")) == (11, 11)
