"""A conversation ended: a CRM's webhook becomes one row in the ledger, stored before we answer 2xx.

routes.py, fast_path.py  the address a CRM calls, and the fast path nearly every delivery takes
reception.py             from a request to its answer      handshake.py  questions CRMs ask before they send
delivery/                one request, unpacked, as items   verify/       did the source send these bytes?
definition/              a source, compiled from TOML      expressions/  the JMESPath we allow
mapping/                 items become events of ours
values/                  times, ids, languages as CRMs write them
inbox/                   stored once, many in one commit
crm/                     asking the CRM in turn: look-ups, lists
presets/                 a folder per CRM: its definition, example payloads and what they mean
explain.py, nearly.py    tells in words what becomes of a delivery, and what a wrong signature would fit
sample.py                makes a delivery to try a source with

Nothing here knows X: whether to ask, and whom, is outreach's business.
"""
