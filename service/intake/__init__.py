"""A conversation ended: in, a CRM's webhook; out, one row in the ledger, stored before we answer 2xx.

routes.py, short_road.py   the address a CRM calls; how nearly every delivery comes in
reception.py    from a request to its answer          handshake.py  questions CRMs ask before they send
delivery/       one request, unpacked, as items       verify/       did the source send these bytes?
definition/     a source, compiled from TOML          expressions/  the JMESPath we allow
mapping/        items to events of ours               values/       times, ids, languages as CRMs write them
inbox/          stored once, many in one commit       crm/          the CRM asked in its turn: look-ups, lists
explain.py, sample.py   one delivery's walk in words; a delivery to try a source with
presets/        a folder a CRM: its definition, its payloads, what they mean

Nothing here knows X: whom to ask, and whether, is outreach's business.
"""

from service.intake.definition.load import load_definitions, preset_about
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound, make_inbound
from service.intake.explain import explain, parse_request_file, render
from service.intake.inbox.accept import Accepted, accept
from service.intake.inbox.forget import erase, led_to_nothing, too_old
from service.intake.inbox.replay import ReplayCounts, replay
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Ignored, Unmappable
from service.intake.mapping.readings import read
from service.intake.presets import payload, payload_names, preset_expected, preset_names, preset_text
from service.intake.verify import verify
from service.intake.verify.parts import Refused, Verified

__all__ = [
    "Accepted",
    "ConversationEnded",
    "ConversationReopened",
    "Definition",
    "Ignored",
    "Inbound",
    "Refused",
    "ReplayCounts",
    "Unmappable",
    "Verified",
    "accept",
    "erase",
    "explain",
    "led_to_nothing",
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
