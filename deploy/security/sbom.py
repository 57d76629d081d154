"""The list of parts: in, the pins of deploy/requirements.txt; out, a CycloneDX 1.6 document with licences.

    .venv/bin/python deploy/security/sbom.py > deploy/security/sbom.cdx.json

The same pins give the same bytes: no date, no random number. Licences are those the installed packages declare.
"""

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "requirements.txt"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
IN_ITS_FILE = {"pysqlite3": "Zlib"}  # declared in its LICENSE only
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def document(pins: str) -> dict[str, Any]:
    """Return the document for the text of a requirements file."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "dm-feedback"}},
        "components": [_component(*part) for part in _parts(pins)],
    }


def _parts(pins: str) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    for line in pins.splitlines():
        if pin := PIN.match(line):
            found.append((pin[1].lower().replace("_", "-"), pin[2], []))
        if found:
            found[-1][2].extend(HASH.findall(line))
    return found


def _component(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "purl": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        # of each file the pin allows: which one is installed depends on the platform
        "properties": [{"name": "sha256", "value": each} for each in sorted(hashes)],
        "licenses": [{"license": {"name": _licence(name)}}],
    }


def _licence(name: str) -> str:
    """What the package declares: an expression, else its classifier, else the first line of its field."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [
        each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or [] if each.startswith("License")
    ]
    declared = str(about.get("License") or "").strip().partition("\n")[0]
    return classified[0] if classified else declared or IN_ITS_FILE.get(name, "not declared")


if __name__ == "__main__":
    json.dump(document(PINS.read_text("utf-8")), sys.stdout, indent=1)
    sys.stdout.write("\n")
