"""Takes a delivery from its request to its answer. Knows no web framework; never logs a body, a query or a header.

The order is fixed: source, signature, handshake, reading, storing, answer. Answers suit what CRMs make of them: a
duplicate is 200 (a 409 would be repeated), a wrong signature 401 without a reason (a 410 would unsubscribe us for
ever). An unknown source answers like a wrong signature, so strangers do not learn which sources exist, except for
those whose CRM asks unsigned questions; only the log tells the two apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import Engine

from service.clock import Clock
from service.errors import BadRequest, NotAuthenticated, TooLarge, Unavailable
from service.intake.definition.tables import Definition
from service.intake.delivery.decode import readable, unpacked
from service.intake.delivery.inbound import Inbound
from service.intake.handshake import Reply, signed_answer, unsigned_answer
from service.intake.inbox.accept import AcceptedDelivery, arrive
from service.intake.inbox.group import commit
from service.intake.inbox.stored import ArrivedDelivery
from service.intake.mapping.events import Unmappable
from service.intake.mapping.readings import read
from service.intake.verify import NotProvenYet, Verified, verify, verify_either
from service.settings.sections import Settings
from service.telemetry.counters import PROCESS_COUNTS
from service.web.deferred import Outcome, PlainText

BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")  # the two headers WSGI names without HTTP_
MOST_NAMES, LONGEST_NAME = 40, 60  # of headers, in a line of the log
log = structlog.get_logger("intake")


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A verified delivery that waits for its commit."""

    arrived: ArrivedDelivery
    request_id: str

    def __len__(self) -> int:
        """How many bytes its body has, decompressed."""
        return len(self.arrived.inbound.body)


@dataclass(frozen=True, eq=False)
class Reception:
    """Where deliveries of all sources arrive."""

    settings: Settings
    engine: Engine
    definitions: Mapping[str, Definition]
    clock: Clock

    @property
    def largest(self) -> int:
        """How many bytes a body may have, whoever sends it."""
        return self.settings.web.max_body_bytes

    def find(self, source: str) -> Definition | None:
        """Return the source of an address; names have no capitals, so case does not matter."""
        found = self.definitions.get(source.lower())
        if found is None:
            log.warning("intake.unknown_source", source=source[:64])
        return found

    def receive(self, definition: Definition | None, inbound: Inbound, request_id: str) -> Unsettled | Reply:
        """Return a delivery that waits for its commit, or the answer to a question. Raises ServiceError."""
        if definition is None:
            unpacked(inbound, self.largest)  # as for an existing source, so that strangers see no difference
            raise _not_proven()
        now, limit = self.clock(), min(definition.grammar.endpoint.max_bytes or self.largest, self.largest)
        answer = unsigned_answer(definition, inbound)
        proof, inbound = (None, inbound) if answer is not None else self._proven(definition, inbound, limit, now)
        if proof is not None:
            answer = signed_answer(definition, inbound)
        if proof is None or answer is not None:
            log.info("intake.handshake", source=definition.name)
            return answer or {}
        return Unsettled(arrive(definition, inbound, proof, read(definition, inbound, now), now), request_id)

    def _proven(
        self, definition: Definition, inbound: Inbound, limit: int, now: datetime
    ) -> tuple[Verified | None, Inbound]:
        """Return the proof and the decompressed request; no proof for the vendor's test button."""
        verdict, inbound = verify_either(definition.verifiers, inbound, now, self.largest)
        if isinstance(verdict, Verified):
            if len(inbound.body) > limit:
                raise too_large(limit)
            return verdict, readable(inbound, limit)
        if isinstance(verify(definition.testers, inbound, now), Verified):
            return None, inbound
        if isinstance(verdict, NotProvenYet):
            PROCESS_COUNTS.add("deliveries", definition.name, "not_proven_yet")
            log.warning("intake.not_proven_yet", source=definition.name, code=verdict.code)
            raise Unavailable("not_proven_yet", "The request cannot be verified right now; send it again.")
        PROCESS_COUNTS.add("deliveries", definition.name, "refused")
        log.warning(
            "intake.refused", source=definition.name, code=verdict.code, why=verdict.sentence,
            bytes=len(inbound.body), **_looked_for(verdict.code, inbound),
        )  # fmt: skip
        raise _not_proven()

    def settle(self, deliveries: Sequence[Unsettled]) -> list[Outcome]:
        """Store what came at the same time in one commit, and say what became of each."""
        outcomes = commit(self.engine, [each.arrived for each in deliveries])
        return [_told(each, outcome) for each, outcome in zip(deliveries, outcomes, strict=True)]


def _looked_for(code: str, inbound: Inbound) -> dict[str, list[str]]:
    """Which headers came, by name alone, where one is missing: a CRM may call it otherwise than the definition."""
    return (
        {"headers": sorted(name[:LONGEST_NAME] for name in inbound.headers)[:MOST_NAMES]}
        if code.endswith("_missing")
        else {}
    )


def truncated() -> BadRequest:
    """The refusal of a body that ended too soon."""
    return BadRequest("truncated_body", "The body ended before its announced length; send it again.")


def too_large(limit: int) -> TooLarge:
    """The refusal of a body that is longer than it may be."""
    return TooLarge("body_too_large", f"A delivery may have at most {limit} bytes.")


def headers_of(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers as WSGI has them: letting werkzeug respell each name costs more than verifying the signature."""
    found = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    return found + [(name.replace("_", "-"), environ[name]) for name in BARE if environ.get(name)]


def _not_proven() -> NotAuthenticated:
    return NotAuthenticated(
        "signature_refused", "The request could not be verified as coming from a source at this address."
    )


def _told(delivery: Unsettled, outcome: AcceptedDelivery | Exception) -> Outcome:
    """Write the log's line and the answer's body."""
    told = delivery.arrived.told
    if isinstance(outcome, Exception):
        PROCESS_COUNTS.add("deliveries", told.definition.name, "not_stored", by=len(told.readings))
        return outcome
    counts = outcome.counts
    for word, number in counts.items():
        PROCESS_COUNTS.add("deliveries", told.definition.name, word, by=number)
    reasons = sorted({each.reason for each in told.readings if isinstance(each, Unmappable)})
    log.info(
        "intake.received",
        http_request_id=delivery.request_id,
        source=told.definition.name,
        delivery_id=outcome.delivery_id,
        request_ids=[each.request_id for each in outcome.items if each.request_id],
        repeated=outcome.duplicate,
        key_index=delivery.arrived.key_index,
        reasons=reasons,
        **counts,
    )
    endpoint = told.definition.grammar.endpoint
    if endpoint.answer is not None:
        return PlainText(endpoint.answer, endpoint.answer_type)
    return {**counts, **({"reasons": reasons} if reasons else {})}
