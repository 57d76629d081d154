"""The list of parts: in, the pins of deploy/requirements.txt; out, a CycloneDX 1.6 document with licences.

    PYTHONPATH=. .venv/bin/python deploy/security/sbom.py > deploy/security/sbom.cdx.json

The same pins give the same bytes: no date, no random number. Licences are those the installed packages declare.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from service.compliance.parts import Part, component, document, part_of

PINS = Path(__file__).parents[1] / "requirements.txt"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def of_pins(pins: str) -> dict[str, Any]:
    """Return the document for the text of a requirements file."""
    return document({**component(*part), "properties": _properties(hashes)} for part, hashes in _parts(pins))


def _parts(pins: str) -> list[tuple[Part, list[str]]]:
    found: list[tuple[Part, list[str]]] = []
    for line in pins.splitlines():
        if pin := PIN.match(line):
            found.append((part_of(pin[1], pin[2]), []))
        if found:
            found[-1][1].extend(HASH.findall(line))
    return found


def _properties(hashes: list[str]) -> list[dict[str, str]]:
    """Of each file the pin allows: which one is installed depends on the platform."""
    return [{"name": "sha256", "value": each} for each in sorted(hashes)]


if __name__ == "__main__":
    json.dump(of_pins(PINS.read_text("utf-8")), sys.stdout, indent=1)
    sys.stdout.write("\n")
