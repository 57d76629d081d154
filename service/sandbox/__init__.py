"""A stand-in for X as documented, with memory, in one small Flask app: develop and test without any access to X.

Start it with `dm-feedback sandbox`, or in code with `create_sandbox(config)`, `serve(config, host, port, ready)`
or `with SandboxServer(config) as server: server.url`. `GET /_control` explains its controls with examples.
Nothing of the service imports it, and of the service it imports only how a process is told to stop.

config       what it starts with: accounts, speed, seed        assumptions  every undocumented choice, a switch each
app          the table of X's endpoints and the Flask app      server       the same on a socket
gate         a call's way: signature, faults, limits           oauth        OAuth 1.0a, really verified
call         what an endpoint sees of a call                   writing      X's dates and error bodies
users        verify_credentials, users, friendships            limits       windows and 24-hour allowances
messages     direct_messages/events                            feedback     feedback/create, show, submit, dismiss
cards        what happens to a card                            events       feedback/events
render       a card as X's JSON                                pushes       feedback webhooks
v2           the same over X's v2                              oauth2_tokens  sign-in, rotating refresh tokens
customers    profiles of scripted customers                    scripts      what they do with a card
faults       what goes wrong on purpose                        clock        its own time, snowflake ids
state        its memory, under one lock                        schedule     what happens later
control      the /_control routes                              grammar      their description, with examples
truth        all it knows, for reconciliation                  loopback     who may control it
visits       customers who open a link in a DM                 activity     DMs, pushed as they come and go
render_dm    a DM as X's JSON                                  crm          stand-ins for CRMs, a room of its own
"""

from service.sandbox.app import create_sandbox
from service.sandbox.assumptions import Assumptions
from service.sandbox.config import BusinessAccount, SandboxConfig, demo_account
from service.sandbox.server import SandboxServer, serve

__all__ = [
    "Assumptions",
    "BusinessAccount",
    "SandboxConfig",
    "SandboxServer",
    "create_sandbox",
    "demo_account",
    "serve",
]
