"""What a source is: TOML, ours or from the settings, becomes a frozen `Definition`, or a list of every mistake in it.

load.py               presets and settings, compiled      tables.py            what a definition holds
grammar.py, kinds.py  its TOML                            proofs.py            the grammar of `verify`
steps.py              that of a look-up                   sweep.py             that of a CRM's list
staff.py              that of a list of agents or teams   reference.py         the grammar in words
recipes.py            CRMs without a preset               dead_expressions.py  expressions that can never find anything
advice.py             what works but deserves a thought

Reads no delivery and no database.
"""
