"""The buyer's papers: every statement names a setting or test that exists, and nothing secret is in them."""

import json
import re
from pathlib import Path

import pytest

from service import __version__
from service.compliance.folder import names
from service.compliance.installation import facts_of
from service.settings.reference import reference
from tests.cli.installation import Cli
from tests.support import START, settings_of

TOP = Path(__file__).parents[2]
PINNED = TOP / "deploy/security/sbom.cdx.json"
SETTINGS = {doc.path for doc in reference()}
PAPERS = {
    "accessibility", "dpia", "questionnaires", "records-of-processing", "retention", "roles", "sizes", "sub-processors",
    "transfer-assessment",
}  # fmt: skip


@pytest.fixture
def folder(cli: Cli) -> Path:
    place = cli.directory / "for the buyer"
    ages = {"privacy__keep_texts": "400d", "privacy__keep_deliveries": "36h"}
    collector = "https://traces.example:4318"
    cli.write(
        **ages,
        privacy__erase_by_two=True,
        web__security_contact="mailto:sec@acme.example",
        service__traces_to=collector,
        service__outgoing_proxy="http://us:a-pass-phrase@proxy.example:3128",
    )
    said = cli.says("compliance", str(place))
    assert f"{len(PAPERS) + 1} papers in" in said
    return place


def test_every_paper_is_written_from_the_settings(folder: Path) -> None:
    assert {each.name for each in folder.iterdir()} == {*(f"{name}.md" for name in PAPERS), "sbom.cdx.json"}
    assert "| comments | 400 days |" in (folder / "retention.md").read_text("utf-8")
    assert "| raw deliveries | 36 hours |" in (folder / "retention.md").read_text("utf-8")
    assert "takes two people" in (folder / "dpia.md").read_text("utf-8")
    assert "mailto:sec@acme.example" in (folder / "questionnaires.md").read_text("utf-8")
    assert "collector of traces (traces.example)" in (folder / "sub-processors.md").read_text("utf-8")
    assert "outgoing proxy (proxy.example)" in (folder / "sub-processors.md").read_text("utf-8")
    assert "acme (@acmecare)" in (folder / "records-of-processing.md").read_text("utf-8")
    assert "| `web.threads` | 4 |" in (folder / "sizes.md").read_text("utf-8")
    assert "| `worker.lease` | 1 minute |" in (folder / "sizes.md").read_text("utf-8")


def test_identities_stay_as_long_as_the_longest_cooldown() -> None:
    settings = settings_of(privacy__keep_identities="1d", campaigns__care__cooldown="90d")
    assert facts_of(settings, START)["keep_identities"] == "90 days"


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_every_named_source_exists(folder: Path, name: str) -> None:
    text = (folder / f"{name}.md").read_text("utf-8")
    assert not re.search(r"\{[a-z_]+\}", text)
    tests, settings = re.findall(r"tests/[\w/.]+", text), re.findall(r"setting `([^`]+)`", text)
    assert [each for each in tests if not (TOP / each).is_file()] == []
    assert [each for each in settings if each not in SETTINGS | {"sources.NAME.api"}] == []
    assert name == "sizes" or len(tests) + len(settings) > 0


def test_what_only_the_reader_can_know_is_marked(folder: Path) -> None:
    for name in PAPERS - {"sizes"}:
        assert "[to fill in" in (folder / f"{name}.md").read_text("utf-8"), name


def test_no_secret_is_in_it(cli: Cli, folder: Path) -> None:
    told = "\n".join(each.read_text("utf-8") for each in folder.iterdir())
    names_ = "secret_key|consumer_key|consumer_secret|token|token_secret|webhook_password"
    secrets = re.findall(rf'(?:{names_}) = "([^"]+)"', cli.config.read_text("utf-8"))
    assert len(secrets) >= 6
    assert "a-pass-phrase" not in told
    assert [each for each in [*secrets, str(cli.engine.url.database)] if each in told] == []


def test_a_switch_is_no_limit(folder: Path) -> None:
    papers = "".join(each.read_text("utf-8") for each in folder.glob("*.md"))
    assert "| `worker.lease` |" in papers
    assert "| `web.secure_cookies` |" not in papers


def test_the_list_of_parts_is_of_what_is_installed(folder: Path) -> None:
    """Each under the name that advisories know, with its licence, as deploy/security lists the pins."""
    listed, pinned = (json.loads(each.read_text("utf-8")) for each in (folder / "sbom.cdx.json", PINNED))
    assert listed["metadata"]["component"]["version"] == __version__
    parts, ours = ({each["purl"]: each["licenses"] for each in one["components"]} for one in (listed, pinned))
    assert len(parts) > len(ours) > 30
    assert {purl: licences for purl, licences in parts.items() if purl in ours} == ours


def test_an_unwritable_folder_is_reported(cli: Cli) -> None:
    (cli.directory / "file").write_text("", "utf-8")
    assert cli.refuses("compliance", str(cli.directory / "file" / "x"))[1] == "folder"


def test_each_paper_is_listed() -> None:
    assert set(names()) == PAPERS
