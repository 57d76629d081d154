"""How the API explains itself: its OpenAPI description, and pages under /docs. Nothing here holds data.

document.py     the description, from the registered blueprints   pages.py         /openapi.yaml, /docs and below
handwritten.py  the routes that are built without smorest         completion.py    required fields and examples, added
examples.py     an example of every answer and every error        spreadsheets.py  two pages for spreadsheet users
error_catalogue.py   every refusal there is, for /docs/problems
"""
