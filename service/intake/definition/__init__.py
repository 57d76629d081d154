"""What a source is: TOML, ours or from the settings, becomes a frozen `Definition`, or a list of every mistake in it.

load.py               presets and settings, compiled      tables.py            what a definition holds
grammar.py, kinds.py  its TOML                            proofs.py            the grammar of `verify`
steps.py              that of look-ups                    crm_lists.py         that of a CRM's lists
recipes.py            CRMs without a preset               dead_expressions.py  expressions that can never find anything
reference.py          the grammar in words                advice.py            what works but deserves a thought

Reads no delivery and no database.
"""
