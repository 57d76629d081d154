"""How to connect CRMs for which we have no preset, because no payload could be found.

All of them use the preset `token` (or `standard`), whose body the CRM is told to send; each says which and how.
"""

from collections.abc import Mapping

BODY = """{"event": "conversation.ended", "event_id": "ID", "conversation_id": "ID", "ended_at": "TIME",
 "agent_id": "ID", "team_id": "ID", "channel": "NAME", "customer_ref": "ID",
 "x_user_id": "NUMBER", "x_handle": "HANDLE"}
   x_user_id is the customer's numeric X id, as a string. Omit fields that you do not know. The settings:
   [sources.NAME]
   preset = "token"
   keys_env = ["NAME_TOKEN"]   # the variable that holds TOKEN; create it with `openssl rand -hex 32`"""
RECIPES: Mapping[str, str] = {
    "dynamics": f"""Dynamics 365: a cloud flow of Power Automate.
1. Trigger "When a row is added, modified or deleted", table Case or Conversation, filter statecode eq 1.
2. Action HTTP: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}
3. Times in ISO 8601 and as /Date(ms)/ are both understood.""",
    "servicenow": f"""ServiceNow: a Business Rule with an outbound REST message.
1. Business Rule on the interaction or case table: after update, State changes to Closed Complete.
2. REST message: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}
3. gs.nowDateTime() has no time zone. Send UTC, and set [sources.NAME.times] zone = "UTC".""",
    "cxone": f"""NICE CXone: a Studio script.
1. Action ON CONTACT END, then REST API: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN,
body:
{BODY}""",
    "gladly": """Gladly signs a canonical request with a key derived for each day, which a definition cannot describe.
1. Write a small bridge that receives Gladly's webhook CONVERSATION/CLOSED, checks its signature and forwards it as
   Standard Webhooks, with the preset "standard" (see `dm-feedback sources show standard`).""",
    "respondio": f"""Respond.io: a Workflow.
1. Trigger "Conversation Closed", condition: the channel is X.
2. Step HTTP request: POST https://YOUR-HOST/webhooks/crm/NAME, header Authorization: Bearer TOKEN, body:
{BODY}""",
}
