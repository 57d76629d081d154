"""A conversation ended: in, a CRM's webhook; out, one row in the ledger, stored before we answer 2xx.

inbound.py      one HTTP request as plain values      definition.py, definition_tables.py   a source, compiled from TOML
verify/         did the source send these bytes?      grammar.py, tables.py, reference.py   the grammar of that TOML
decode.py       bytes as their sender meant them      expressions.py, evaluate.py, functions.py   the JMESPath we allow
body.py         bytes to items                        times.py, identity.py, languages.py, fields.py   single fields
mapping.py, one_item.py, who.py   items to events     events.py       those events
accept.py       one transaction, deduplicated         group.py        many deliveries in one commit
told.py, ends.py   what they tell; is an end new?     judging.py, late.py, stored.py   their rows
handshake.py    questions CRMs ask before they send   replay.py, forget.py    later looks at stored deliveries
explain.py, advice.py   the same walk, told in words  reception.py    from a request to its answer
lookup.py, lookup_told.py, steps.py, desks.py   a customer looked up in the CRM
sweep.py, listed.py, sweeping.py   the CRM's own list, for ends whose webhook never came
short_road.py   how nearly every delivery comes in    routes.py       the only file here that knows flask
presets/        a folder a CRM: its definition, its payloads, what they mean

Nothing here knows X: whom to ask, and whether, is outreach's business.
"""

from service.intake.accept import Accepted, accept
from service.intake.definition import load_definitions, preset_about
from service.intake.definition_tables import Definition
from service.intake.events import ConversationEnded, ConversationReopened, Ignored, Reading, Unmappable
from service.intake.explain import Explanation, explain, parse_request_file, render
from service.intake.forget import erase, too_old
from service.intake.inbound import Inbound, make_inbound
from service.intake.mapping import read
from service.intake.presets import payload, payload_names, preset_expected, preset_names, preset_text
from service.intake.replay import ReplayCounts, replay
from service.intake.verify import verify
from service.intake.verify.parts import Refused, Verified

__all__ = [
    "Accepted",
    "ConversationEnded",
    "ConversationReopened",
    "Definition",
    "Explanation",
    "Ignored",
    "Inbound",
    "Reading",
    "Refused",
    "ReplayCounts",
    "Unmappable",
    "Verified",
    "accept",
    "erase",
    "explain",
    "load_definitions",
    "make_inbound",
    "parse_request_file",
    "payload",
    "payload_names",
    "preset_about",
    "preset_expected",
    "preset_names",
    "preset_text",
    "read",
    "render",
    "replay",
    "too_old",
    "verify",
]
