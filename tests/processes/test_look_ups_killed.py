"""Workers killed between a look-up and its record: nobody is lost or asked twice, and the CRM is asked little more."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import writing
from service.models import feedback_request
from service.sandbox.crm import Crms, CrmServer
from service.sandbox.crm.faults import Fault
from service.sandbox.crm.people import KEY
from tests.processes.children import cli, until
from tests.processes.ledger import end_leases_at_crms, outcomes
from tests.processes.site import Site
from tests.processes.x import X
from tests.support import request_row

CUSTOMERS, EACH, KILLS, AT_ONCE = 8, 2, 3, 2


def test_workers_killed_while_a_crm_thinks_lose_nobody_and_ask_nobody_twice(
    site_of: Callable[..., Site], database_url: str, x: X, engine_of: Callable[[Site], Engine]
) -> None:
    with CrmServer(Crms(everybody=True)) as server:
        api = {"base_url": f"{server.url}/kustomer", "token": KEY, "at_once": AT_ONCE, "per_minute": 10_000}
        site = site_of(database_url, sources__crm__preset="kustomer", sources__crm__api=api)
        engine = engine_of(site)
        unknown_people_end_conversations(engine)
        asked = server.crms.asked
        for n in range(KILLS):
            server.crms.faults.append(Fault("slow", "kustomer", times=1, seconds=1.0))
            with cli(f"worker-{n}", site.directory, "--config", str(site.config), "worker") as worker:
                until(lambda n=n: server.crms.faults[n].hits, 60, "a look-up is on its way")  # type: ignore[misc]
                worker.kill()
            end_leases_at_crms(engine)
        with cli("last", site.directory, "--config", str(site.config), "worker"):
            until(lambda: ended(engine) == CUSTOMERS * EACH, 120, "every conversation has its outcome")
    assert outcomes(engine) == {"card_sent": CUSTOMERS, "cooldown": CUSTOMERS * (EACH - 1)}
    cards = [each["to"] for each in x.ask("/truth", messages=0, requests=0, pushes=0)["cards"]]
    assert sorted(Counter(cards).values()) == [1] * CUSTOMERS
    assert CUSTOMERS <= len(asked) <= CUSTOMERS + KILLS * AT_ONCE


def unknown_people_end_conversations(engine: Engine) -> None:
    now = datetime.now(UTC)
    rows = [
        request_row(now, conversation_id=f"c-{n}", x_user_id=None, customer_ref=str(70_000 + n % CUSTOMERS))
        for n in range(CUSTOMERS * EACH)
    ]
    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request), rows)


def ended(engine: Engine) -> int:
    return sum(outcomes(engine).values())
