"""Workers killed while reading a CRM's list: every end is found, nobody is asked twice, little is read twice."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Engine

from service.db import writing
from service.intake.crm.desks import desks_of
from service.sandbox.crm import Crms, CrmServer, Ended
from service.sandbox.crm.faults import Fault
from service.sandbox.crm.people import KEY
from service.settings import load
from service.sources import holds, sweeps
from tests.processes.children import cli, until
from tests.processes.ledger import end_leases_at_crms, outcomes
from tests.processes.site import Site
from tests.processes.x import X

ENDS, PER_PAGE, KILLS = 8, 2, 2
VENDOR = "helpscout"


def test_workers_killed_while_a_list_is_read_find_every_end_and_ask_nobody_twice(
    site_of: Callable[..., Site], database_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    with CrmServer(Crms(everybody=True, page=PER_PAGE)) as server:
        base = f"{server.url}/{VENDOR}"
        api = {"base_url": base, "token_url": f"{base}/v2/oauth2/token", "client_id": "id", "client_secret": KEY}
        site = site_of(
            database_url, sources__crm__preset="helpscout", sources__crm__api={**api, "per_minute": 10_000},
            sources__crm__confirm="none", sources__crm__sweep={"per_minute": 600},
        )  # fmt: skip
        engine = engine_of(site)
        an_hour_ago(site, engine)
        now = datetime.now(UTC).replace(microsecond=0)
        server.crms.end(*(
            Ended(str(10_000 + n), str(70_000 + n), (now - timedelta(minutes=20 - n)).timestamp()) for n in range(ENDS)
        ))  # fmt: skip
        for n in range(KILLS):
            server.crms.faults.append(Fault("slow", VENDOR, times=1, seconds=1.0))
            with cli(f"worker-{n}", site.directory, "--config", str(site.config), "worker") as worker:
                until(lambda n=n: server.crms.faults[n].hits, 60, "a call is on its way")  # type: ignore[misc]
                worker.kill()
            end_leases_at_crms(engine)
        with cli("last", site.directory, "--config", str(site.config), "worker"):
            until(lambda: outcomes(engine)["card_sent"] == ENDS, 120, "every end has its card")
    assert outcomes(engine) == {"card_sent": ENDS}
    cards = [each["to"] for each in x.ask("/truth", messages=0, requests=0, pushes=0)["cards"]]
    assert sorted(Counter(cards).values()) == [1] * ENDS
    lists = sum(each.path == "/v2/conversations" for each in server.crms.asked)
    assert ENDS // PER_PAGE <= lists <= ENDS // PER_PAGE + KILLS + 1


def an_hour_ago(site: Site, engine: Engine) -> None:
    """The list is read since an hour ago."""
    then = datetime.now(UTC) - timedelta(hours=1)
    assert "crm" in desks_of(load(site.config), lambda: then)
    with writing(engine) as connection:
        holds.enrol(connection, ["crm"], then)
        sweeps.enrol(connection, ["crm"], then)
