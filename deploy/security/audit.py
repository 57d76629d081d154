"""What pip-audit found, as a verdict: in, its JSON; out, lines for people and how to end. Asks nobody.

0: every pin was looked up and none has an advisory; 1: one has; 2: one could not be looked up, which is not clean.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def verdict(found: Mapping[str, Any]) -> tuple[Sequence[str], int]:
    """Return what to say and how to end."""
    parts: Sequence[Mapping[str, Any]] = found["dependencies"]
    unknown = [each["name"] for each in parts if "skip_reason" in each]
    hit = [(each, fault) for each in parts for fault in each.get("vulns", ())]
    lines = [f"{each['name']} {each['version']}: {fault['id']}, mended in {_mended(fault)}" for each, fault in hit]
    lines += [f"not looked up: {', '.join(unknown)}"] if unknown else []
    looked = f"{len(parts) - len(unknown)} of {len(parts)} pins looked up, {len(hit)} advisories"
    return [*lines, looked], 1 if hit else 2 if unknown or not parts else 0


def _mended(fault: Mapping[str, Any]) -> str:
    return ", ".join(fault["fix_versions"]) or "no release yet"


def main() -> None:
    """Read the file that is named."""
    lines, code = verdict(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d}\n" + "\n".join(lines) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
