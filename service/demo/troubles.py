"""What went wrong on the way and what came of it, one line for each kind of trouble.

Every number is counted from what the sandbox, the CRM and the ledger remember; none is a promise.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.demo.cast import CARD, DM
from service.demo.memories import Memories
from service.demo.read_back import AttemptRow

PLACES = {DM: "the opening DM", CARD: "the card"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble: how often, what it was, what became of it."""

    times: int
    what: str
    became: str


def told(memories: Memories) -> list[Trouble]:
    """Everything that went wrong, X's faults first."""
    return [each for part in (_at_x, _pushes, _deliveries) for each in part(memories) if each.times]


def _at_x(m: Memories) -> Iterator[Trouble]:
    faults = Counter((each["fault"], each["endpoint"], each["status"]) for each in m.truth["requests"] if each["fault"])
    for (fault, endpoint, status), times in sorted(faults.items(), key=str):
        what, became = FAULTS.get("no privilege" if status == NO_PRIVILEGE else fault, (fault, ""))
        where = PLACES.get(endpoint, endpoint)
        yield Trouble(times, what.format(where=where, status=status), became)
    looked_up = [each for each in m.ledger.attempts if each.evidence in {"dm_list", "feedback", "answered"}]
    yield Trouble(len(looked_up), "sends without a clear answer from X", _looked_up(looked_up))


FAULTS = {
    "429": (
        "X answered 429 to {where}",
        "the account paused until X's rate limit window ended, then continued; no attempt was counted",
    ),
    "status_after_commit": ("X got {where} but answered {status}", "found at X, not sent again"),
    "drop_after_commit": ("X got {where}, but the connection failed before its response", "found at X, not sent again"),
    "drop_before": (
        "the connection failed before X got {where}",
        "X's DM list, read after its delay, proved this; it was then sent once",
    ),
    "status": ("X answered {status} to {where}", "repeated a few seconds later"),
    "no privilege": (
        "X refused {where} to an account without the privilege",
        "asked with a link, without a second opening",
    ),
    "slow": ("X took seconds to accept {where}", "all other requests continued meanwhile"),
}


def _looked_up(attempts: Sequence[AttemptRow]) -> str:
    sent = sum(each.outcome == "sent" for each in attempts)
    return (
        f"{sent} had arrived and were not repeated, {len(attempts) - sent} had not and {_were(attempts)} sent once more"
    )


def _were(attempts: Sequence[AttemptRow]) -> str:
    return "was" if sum(each.outcome == "not_sent" for each in attempts) == 1 else "were"


def _pushes(m: Memories) -> Iterator[Trouble]:
    pushes = Counter(each["fault"] for each in m.truth["pushes"] if each["fault"])
    rescued = Counter(each.first_channel for each in m.ledger.results)
    yield Trouble(
        pushes["lost"], "webhooks of X never sent",
        f"all answers arrived: {rescued['events'] + rescued['show']} by polling X instead",
    )  # fmt: skip
    yield Trouble(pushes["doubled"], "webhooks of X delivered twice", "recognised, without effect")
    late = pushes["delayed"] + pushes["reordered"]
    anomalies = sum(each.anomalies for each in m.ledger.results)
    yield Trouble(
        late, "webhooks of X late or overtaken by a newer one", f"the newest value is kept; contradictions: {anomalies}"
    )
    spelt = len(m.truth["cards"])
    yield Trouble(spelt, "cards with question_variant_id as a string or as a number", "all read")


def _deliveries(m: Memories) -> Iterator[Trouble]:
    said = Counter(name for each in m.posted for name in ("duplicate", "ignored", "unmappable") if each.said.get(name))
    refused = sum(each.status == REFUSED for each in m.posted)
    yield Trouble(said["duplicate"], "ends that the CRM reported again", "answered 200, no second row")
    yield Trouble(said["ignored"], "events that resemble an end", "answered 200, stored, nobody asked")
    yield Trouble(
        said["unmappable"], "ends that cannot be read", "answered 200, stored with the reason, can be replayed"
    )
    yield Trouble(refused, "deliveries with a forged or old signature", "answered 401, nothing stored")


REFUSED, NO_PRIVILEGE = 401, 403
