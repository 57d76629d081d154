"""Writes the papers into a directory, one file each."""

from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path

from service.compliance.installation import facts_of
from service.compliance.parts import installed
from service.settings import Settings

PAPERS = resources.files("service.compliance") / "papers"
ENDING = ".txt"


def write(folder: Path, settings: Settings, now: datetime) -> Sequence[str]:
    """Write every paper again. Raises OSError if the folder cannot be written to."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = facts_of(settings, now)
    made = {f"{name}.md": (PAPERS / f"{name}{ENDING}").read_text("utf-8").format_map(facts) for name in names()}
    made["sbom.cdx.json"] = installed()
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(made)


def names() -> Sequence[str]:
    """Return the papers there are."""
    return sorted(each.name.removesuffix(ENDING) for each in PAPERS.iterdir() if each.name.endswith(ENDING))
