"""How to connect CRMs for which we have no preset, because no payload could be found.

All of them use the preset `token` (or `standard`), whose body the CRM is told to send; each says which and how.
"""

from collections.abc import Mapping

BODY = """{"event": "conversation.ended", "event_id": "ID", "conversation_id": "ID", "ended_at": "TIME",
 "agent_id": "ID", "team_id": "ID", "channel": "NAME", "customer_ref": "ID",
 "x_user_id": "NUMBER", "x_handle": "HANDLE"}
   x_user_id is their number on X, as a text; what is not known is left out. The settings:
   [sources.NAME]
   preset = "token"
   keys_env = ["NAME_TOKEN"]   # the variable that holds TOKEN; `openssl rand -hex 32` makes one"""
RECIPES: Mapping[str, str] = {
    "dynamics": f"""Dynamics 365: a cloud flow of Power Automate.
1. Trigger "When a row is added, modified or deleted", table Case or Conversation, filter statecode eq 1.
2. Action HTTP: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}
3. Times come as ISO 8601 or as /Date(ms)/; both are read.""",
    "servicenow": f"""ServiceNow: a Business Rule with an outbound REST message.
1. Business Rule on the interaction or case table: after update, State changes to Closed Complete.
2. REST message: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}
3. gs.nowDateTime() names no zone: send UTC, and write [sources.NAME.times] zone = "UTC".""",
    "cxone": f"""NICE CXone: a Studio script.
1. Action ON CONTACT END, then REST API: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN,
body:
{BODY}""",
    "gladly": """Gladly: signs a canonical request with a key made for the day; a definition cannot say that.
1. Let a small bridge of yours take Gladly's webhook CONVERSATION/CLOSED, check its signature, and send it on as
   Standard Webhooks: preset "standard" (`dm-feedback sources show standard` says how).""",
    "respondio": f"""Respond.io: a Workflow.
1. Trigger "Conversation Closed", condition: the channel is X.
2. Step HTTP request: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}""",
}
