"""The API over figures and rows: routes, schemas, downloads. Never a rule of its own."""
