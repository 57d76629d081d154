"""Compares three memories record by record and returns checks, each with the mistakes it found.

The CRM remembers what was answered 2xx, the sandbox what X received and answered, the service what it wrote. Every
record of one must appear in the others exactly once. Pure; repairs nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.demo.cast import CARD, DM
from service.demo.http_call import OK
from service.demo.memories import LINK, Memories, ShownAnswer, frozen
from service.demo.script import End
from service.states import END_STATES, State


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, how many records it was held against, and every record that breaks it."""

    promise: str
    records: int
    wrong: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it was kept. A check of no records proves nothing."""
        return self.records > 0 and not self.wrong


def reconcile(memories: Memories) -> list[Check]:
    """Compare everything with everything."""
    return [Check(promise, *check(memories)) for promise, check in CHECKS.items()]


CheckResult = tuple[int, tuple[str, ...]]


def _answered_as_meant(m: Memories) -> CheckResult:
    """Each delivery got the answer its sender should get; of copies at one instant exactly one is accepted."""
    wrong = []
    for delivery in m.script.deliveries:
        mine = [each for each in m.posted if each.delivery is delivery and each.status not in FAILED]
        status, said = delivery.answers
        meant = Counter(said) + Counter({"duplicate": delivery.at_once - 1})
        got = sum((Counter({k: v for k, v in each.said.items() if k in COUNTS}) for each in mine), Counter[str]())
        if {each.status for each in mine} != {status} or (status == OK and +got != meant):
            wrong.append(f"{delivery.message_id} ({delivery.note}): {[each.status for each in mine]} {dict(+got)}")
    return len(m.posted), tuple(wrong)


COUNTS = ("accepted", "duplicate", "ignored", "unmappable")
FAILED = (0, 500, 502, 503)


def _stored_once(m: Memories) -> CheckResult:
    """What was answered 2xx is stored, once; what was refused is not."""
    taken = {(each.delivery.source, each.digest, each.delivery.message_id) for each in m.posted if each.status == OK}
    return len(taken), _difference(
        Counter((source, digest) for source, digest, _ in taken), Counter(m.ledger.deliveries), "delivery"
    )


def _one_outcome(m: Memories) -> CheckResult:
    """Every conversation accepted from the sender has one row, which has ended; there are no others."""
    accepted = Counter(
        (each.delivery.source, each.delivery.conversation_id, each.ended_at) for each in m.posted if each.accepted
    )
    rows = Counter((each.source, each.conversation_id, each.ended_at) for each in m.ledger.requests)
    open_ones = [
        f"{each.conversation_id} is still '{each.state}'" for each in m.ledger.requests if each.state not in END_STATES
    ]
    mute = [
        f"{each.conversation_id} is '{each.state}' without a reason"
        for each in m.ledger.requests
        if each.state in END_STATES and each.state != State.CARD_SENT and not each.reason
    ]
    return len(rows), (*_difference(accepted, rows, "conversation"), *open_ones, *mute)


def _as_written(m: Memories) -> CheckResult:
    """Every conversation ended as the script foresees."""
    ends = {
        (each.delivery.source, each.delivery.conversation_id, each.ended_at): each.delivery.end
        for each in m.posted
        if each.accepted
    }
    came: dict[End, tuple[str, str | None]] = {}
    for each in m.ledger.requests:
        number = ends.get((each.source, each.conversation_id, each.ended_at), 0)
        came[each.source, each.conversation_id, number] = (each.state, each.reason)
    wrong = [
        f"{end[1]} ({customer.name}, {customer.why}): {came.get(end)} instead of {fate[0]} {fate[1] or ''}"
        for end, (customer, fate) in m.script.ends.items()
        if came.get(end) != fate
    ]
    return len(m.script.ends), tuple(wrong)


def _every_dm(m: Memories) -> CheckResult:
    """Each opening at X belongs to one request, with its text and recipient, and the other way round."""
    sent = {each.dm_event_id: each for each in m.ledger.requests if each.dm_event_id is not None}
    there = {each["id"]: each for each in m.openings}
    wrong = [
        f"opening {x_id} of {sent[x_id].id} is another one at X"
        for x_id in sent.keys() & there.keys()
        if (sent[x_id].x_user_id, sent[x_id].opening_text) != (there[x_id]["recipient"], there[x_id]["text"])
    ]
    claimed = Counter(each.dm_event_id for each in m.ledger.requests if each.dm_event_id is not None)
    return len(there), (*wrong, *_difference(Counter(there.keys()), claimed, "opening"))


def _every_prompt(m: Memories) -> CheckResult:
    """Each DM at X that asks belongs to one request of such a way, and the other way round."""
    asked = [each for each in m.ledger.requests if each.state == State.CARD_SENT and not each.by_card]
    claimed = Counter((m.prompt_id(each), each.x_user_id, each.card_text) for each in asked)
    there = Counter((each["id"], each["recipient"], frozen(each["text"])) for each in m.prompts)
    links = Counter(LINK.findall(each["text"])[0] for each in m.prompts if LINK.search(each["text"]))
    shared = tuple(f"the link {link} went out {n} times" for link, n in links.items() if n > 1)
    return len(m.prompts), (*shared, *_difference(there, claimed, "message that asks"))


def _every_card(m: Memories) -> CheckResult:
    """Each card at X belongs to one request that says so, and the other way round."""
    wrong = []
    for card in m.truth["cards"]:
        request = m.requests.get(card["external_id"])
        if request is None or request.state != State.CARD_SENT:
            wrong.append(f"card {card['id']} belongs to no request that was sent ({card['external_id']})")
        elif (request.feedback_id, request.x_user_id, request.type) != (card["id"], card["to"], card["type"]):
            wrong.append(f"card {card['id']} is not the one {request.id} tells of ({request.feedback_id})")
    asked = Counter(each.id for each in m.ledger.requests if each.state == State.CARD_SENT and each.by_card)
    there = Counter(each["external_id"] for each in m.truth["cards"])
    texts = Counter((each["recipient"], each["text"]) for each in m.at_x("card"))
    meant = Counter((m.requests[i].x_user_id, m.requests[i].card_text) for i in asked)
    return len(there), (*wrong, *_difference(there, asked, "card"), *_difference(texts, meant, "card's message"))


def _never_twice(m: Memories) -> CheckResult:
    """Nobody got a message twice, and nobody a second opening or card within the cool-down."""
    parts = {"opening": m.openings, "message that asks": [*m.prompts, *m.at_x("card")]}
    got = Counter((each["sender"], each["recipient"], part) for part, those in parts.items() for each in those)
    return len(got), tuple(f"{key[1]} got {count} times the {key[2]}" for key, count in got.items() if count > 1)


def _nobody_else(m: Memories) -> CheckResult:
    """Nobody whom the ledger says we did not ask got anything from X."""
    asked = {(each.account, each.x_user_id) for each in m.ledger.requests if each.state == State.CARD_SENT}
    spared = [each for each in m.ledger.requests if each.state == State.SKIPPED and each.x_user_id is not None]
    spared = [each for each in spared if (each.account, each.x_user_id) not in asked]
    written_to = {each["recipient"] for each in m.truth["messages"]}
    return len(spared), tuple(f"{each.id}: {each.reason}, and yet got a message" for each in spared
                              if each.x_user_id in written_to)  # fmt: skip


def _every_attempt(m: Memories) -> CheckResult:
    """Every intent to send is settled: `sent` if X has the message, `not_sent` if not."""
    cards = {each["id"]: each for each in m.truth["cards"]}
    there = Counter({each["id"]: 1 for each in m.at_x("dm")}) + Counter(dict.fromkeys(cards, 1))
    by_dm = {each["dm_id"]: each["id"] for each in m.truth["cards"]}
    known = [(each.x_id or m.prompt_id(m.requests[each.request_id]) or "?") for each in m.ledger.attempts
             if each.outcome == "sent"]  # fmt: skip
    sent = Counter(by_dm.get(x_id, x_id) for x_id in known)
    loose = [f"{each.request_id}: {each.kind} is {each.outcome or 'unclear'}" for each in m.ledger.attempts
             if each.outcome not in {"sent", "not_sent"}]  # fmt: skip
    return len(m.ledger.attempts), (*loose, *_difference(there, sent, "send"))


def _every_call(m: Memories) -> CheckResult:
    """Every write X received had been committed as an intent, and was made once."""
    writes = [each for each in m.truth["requests"] if each["endpoint"] in {DM, CARD}]
    # X reads no further than a signature it refuses, so it cannot say to whom that was; it did nothing either.
    unread = [each for each in writes if each["recipient"] is None and each["committed"] is None]
    calls = Counter(each["recipient"] for each in writes if each not in unread)
    meant = Counter(m.requests[each.request_id].x_user_id for each in m.ledger.attempts)
    return calls.total(), tuple(f"{who}: {n} calls without an intent" for who, n in (calls - meant).items())


def _every_answer(m: Memories) -> CheckResult:
    """Our results hold every score and text that customers gave, and nothing else."""
    there = m.answers_at_x
    here = {each.request_id: (each.score, each.text) for each in m.ledger.results
            if each.score is not None or each.text is not None}  # fmt: skip
    wrong = (f"{key}: X has {there.get(key)}, the ledger {here.get(key)}" for key in sorted(there.keys() | here.keys())
             if there.get(key) != here.get(key))  # fmt: skip
    return len(there), tuple(wrong)


def _told_the_same(m: Memories) -> CheckResult:
    """API and CSV show every score of the ledger, and its comments except those of small groups; nothing else."""
    here = {each.request_id: ShownAnswer(each.score, each.text) for each in m.ledger.results}
    return len(m.told.results), (*_differently(here, m.told.results, "API"), *_differently(here, m.told.csv, "CSV"))


def _differently(here: Mapping[str, ShownAnswer], told: Mapping[str, ShownAnswer], name: str) -> Iterable[str]:
    for key in sorted(here.keys() | told.keys()):
        one, other = here.get(key, NOTHING), told.get(key, NOTHING)
        kept_back = other.suppressed and other.text is None
        if one.score != other.score or (one.text != other.text and not kept_back):
            yield f"{key}: the ledger has {one.score}, {one.text}; the {name} {other.score}, {other.text}"


NOTHING = ShownAnswer(None, None)


def _counted_right(m: Memories) -> CheckResult:
    """The n of the summary is the number of scores at X, without test traffic."""
    scored = [m.requests.get(key) for key, (score, _) in m.answers_at_x.items() if score is not None]
    n = Counter(each.type for each in scored if each is not None and not each.test)
    wrong = [
        f"{kind}: {m.told.n.get(kind or '')} instead of {count}"
        for kind, count in n.items()
        if m.told.n.get(kind or "") != count
    ]
    return n.total(), tuple(wrong)


CHECKS: Mapping[str, Callable[[Memories], CheckResult]] = {
    "every delivery got the right response": _answered_as_meant,
    "every delivery answered with 2xx is stored exactly once": _stored_once,
    "every ended conversation has exactly one outcome": _one_outcome,
    "every outcome is the right one": _as_written,
    "every opening DM at X belongs to one request": _every_dm,
    "every card at X belongs to one request": _every_card,
    "every DM at X that asks belongs to one request": _every_prompt,
    "nobody got a message twice": _never_twice,
    "skipped customers got no message": _nobody_else,
    "every intent to send is settled, and matches X": _every_attempt,
    "X received no message without an intent to send": _every_call,
    "every score and comment is in the results": _every_answer,
    "API and CSV show the same answers": _told_the_same,
    "n in the summary equals what X counts": _counted_right,
}


def _difference(one: "Counter[Any]", other: "Counter[Any]", what: str) -> tuple[str, ...]:
    missing = (f"{what} {key} is missing in the ledger" for key in (one - other).elements())
    too_many = (f"{what} {key} is only in the ledger" for key in (other - one).elements())
    return (*missing, *too_many)
