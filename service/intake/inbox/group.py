"""Commits verified deliveries, several at once, and says what became of each.

A disk that syncs two hundred times a second can then take more than two hundred deliveries a second. Each is judged as
if it had come alone, and one that cannot be stored does not hinder the others. Nothing may be answered before this
returns: a process killed in between has promised nothing, and the repeat finds whatever was committed.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy.engine import Engine

from service.db import writing
from service.db.outages import is_away, why_away
from service.db.partitioned import look_again
from service.errors import Unavailable
from service.intake.inbox.accept import AcceptedDelivery, store_arrived, store_unavailable
from service.intake.inbox.stored import ArrivedDelivery

STANDS_STILL_S = 10  # after that a silent database is given up: no CRM waits longer, and another node may lead
log = structlog.get_logger("intake")


def commit(engine: Engine, arrived: Sequence[ArrivedDelivery]) -> list[AcceptedDelivery | Exception]:
    """Store deliveries in one commit, or if that fails, each in its own. Returns errors instead of raising them."""
    try:
        return _stored(engine, arrived)
    except Exception as error:  # noqa: BLE001 - whose fault it was shows when each is tried alone
        why = f"the database {why_away(error)}" if is_away(error) else type(error).__name__
        log.warning("intake.group_parted", why=why, deliveries=len(arrived))
        look_again(engine)
    outcomes: list[AcceptedDelivery | Exception] = []
    while len(outcomes) < len(arrived):
        outcomes.append(_alone(engine, arrived[len(outcomes)]))
        if isinstance(outcomes[-1], Unavailable):
            # the next would only wait as long again for the same answer
            outcomes += [outcomes[-1]] * (len(arrived) - len(outcomes))
    return outcomes


def _alone(engine: Engine, arrived: ArrivedDelivery) -> AcceptedDelivery | Exception:
    try:
        return _stored(engine, [arrived])[0]
    except Exception as error:  # noqa: BLE001 - raised again where its answer is written
        look_again(engine)
        return store_unavailable(error) if is_away(error) else error


def _stored(engine: Engine, arrived: Sequence[ArrivedDelivery]) -> list[AcceptedDelivery | Exception]:
    with writing(engine, STANDS_STILL_S) as connection:
        return list(store_arrived(connection, arrived))
