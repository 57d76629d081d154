"""The installed Python packages as a CycloneDX 1.6 document. Uses no network."""

import json
from importlib.metadata import Distribution, distributions

DECLARED = ("License-Expression", "License")


def parts() -> str:
    """Return the list of parts, in order of name."""
    found = {each.metadata["Name"].lower(): each for each in distributions() if each.metadata["Name"]}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "dm-feedback"}},
        "components": [_part(name, found[name]) for name in sorted(found)],
    }
    return json.dumps(document, indent=2) + "\n"


def _part(name: str, each: Distribution) -> dict[str, object]:
    licence = next((each.metadata[name] for name in DECLARED if each.metadata[name]), "not declared")
    return {
        "type": "library",
        "purl": f"pkg:pypi/{name}@{each.version}",
        "name": name,
        "version": each.version,
        "licenses": [{"license": {"name": licence.splitlines()[0][:80]}}],
    }
