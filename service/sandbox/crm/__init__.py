"""Stand-ins for CRMs: each vendor's API as documented, with memory, over real HTTP, to try look-ups without them.

Start it with `dm-feedback sandbox --crm`, or in code with `with CrmServer(Crms()) as server: server.url`. Each vendor
has a path of its own below that, such as /zendesk. `GET /_control` explains its controls.

people      whom these CRMs know, and as whom on X      vendors     each vendor's paths, sign-in and answers
lists       each vendor's list of what ended            sign_in     who may ask
faults      what goes wrong on purpose                  crm_app     the Flask app
server      the same on a socket
"""

from service.sandbox.crm.people import Crms, Ended, Known
from service.sandbox.crm.server import CrmServer

__all__ = ["CrmServer", "Crms", "Ended", "Known"]
