"""Other people's tools against our service: generators of API clients, and tools that load our results.

    python -m tests.outside                 everything
    python -m tests.outside description     redocly lint; TypeScript and Python clients, type-checked and used
    python -m tests.outside integrations    deploy/integrations: a mirror by dlt, a sync by Airbyte
    python -m tests.outside spreadsheets    LibreOffice opens a feed and a file

tools.py        virtual environments and npm packages of the command's own, kept in a folder if one is named
served.py       the service over a ledger with answers, on a local port
description.py  linters and generators         mirror.py   what a full read says, and a mirror by dlt
airbyte.py      the manifest, by Airbyte's own runner    spreadsheets.py  LibreOffice, cell by cell
test_files.py   what can be checked of those files without the tools

The tools come from the package indexes and are in no lock of ours; the run prints the versions it used.
"""
