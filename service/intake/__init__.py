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
