"""Lists of parts as CycloneDX 1.6: of the installed packages, or of any others by name and version. Uses no network."""

import json
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distributions, metadata
from typing import Any

from service import __version__

IN_ITS_FILE = {"pysqlite3": "Zlib"}  # declared in its LICENSE only
Part = tuple[str, str]
"""A package's name, as advisories spell it, and its version."""


def installed() -> str:
    """Return the list of what is installed, in order of name."""
    there = {part_of(each.metadata["Name"], each.version) for each in distributions() if each.metadata["Name"]}
    return json.dumps(document(component(*each) for each in sorted(there)), indent=2) + "\n"


def document(components: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the document that lists them."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "dm-feedback", "version": __version__}},
        "components": list(components),
    }


def part_of(name: str, version: str) -> Part:
    """Return the part a package is."""
    return re.sub("[-_.]+", "-", name).lower(), version


def component(name: str, version: str) -> dict[str, Any]:
    """Return how the document lists a part, with the licence that the installed package declares."""
    purl = f"pkg:pypi/{name}@{version}"
    named = {"name": name, "version": version, "licenses": [{"license": {"name": _licence(name)}}]}
    return {"type": "library", "bom-ref": purl, "purl": purl, **named}


def _licence(name: str) -> str:
    """An expression, else its classifiers, else the first line of its field."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    expression = about.get_all("License-Expression") or []
    classifiers = about.get_all("Classifier") or []
    classified = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License")]
    written = [each.strip().partition("\n")[0] for each in about.get_all("License") or []]
    return " or ".join(expression or classified or written) or IN_ITS_FILE.get(name, "not declared")
