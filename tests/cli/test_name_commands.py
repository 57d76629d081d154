"""people: names imported from a file, listed in the same form, forgotten."""

import csv
import io

from service.models import access_log, person_name
from tests.cli.installation import Cli

FILE = "kind,id,name,since,account\nagent,8812,Ana Kim,,\nagent,8812,Ana Roth,2026-03-01,\nteam,t-4,Refunds,,acme\n"


def taken(cli: Cli, text: str) -> str:
    file = cli.directory / "people.csv"
    file.write_text(text, "utf-8")
    return cli.says("people", "import", str(file))


def listed(cli: Cli) -> list[tuple[str, ...]]:
    rows = csv.DictReader(io.StringIO(cli.says("people", "list")))
    return [tuple(row[name] for name in ("kind", "id", "name", "since", "account")) for row in rows]


def test_names_are_imported_once_and_listed_in_the_import_format(cli: Cli) -> None:
    assert taken(cli, FILE) == "3 names stored, 0 were known.\n"
    assert listed(cli) == [
        ("agent", "8812", "Ana Kim", "", ""),
        ("agent", "8812", "Ana Roth", "2026-03-01", ""),
        ("team", "t-4", "Refunds", "", "acme"),
    ]
    assert taken(cli, cli.says("people", "list")) == "0 names stored, 3 were known.\n"
    assert taken(cli, FILE.replace("Refunds", "Returns")) == "1 name stored, 2 were known.\n"
    assert [row.detail for row in cli.rows(access_log)][-1] == {"names": 3, "new": 1}


def test_names_that_look_like_formulas_survive_export_and_import(cli: Cli) -> None:
    names = ["=Kim", "\uff1dKim", "Support | @acme", "Kim, =x", "it's", "-5"]
    file = io.StringIO()
    csv.writer(file).writerows([("kind", "id", "name"), *(("agent", str(n), name) for n, name in enumerate(names))])
    assert taken(cli, file.getvalue()) == "6 names stored, 0 were known.\n"
    assert taken(cli, cli.says("people", "list")) == "0 names stored, 6 were known.\n"


def test_names_of_the_settings_file_are_listed_too_and_need_no_import(cli: Cli) -> None:
    cli.write(people__agents={"7": "Bo Li"})
    assert listed(cli) == [("agent", "7", "Bo Li", "", "")]
    taken(cli, "kind,id,name\nagent,7,Bo Lin\n")
    assert listed(cli) == [("agent", "7", "Bo Lin", "", "")], "an import goes before the file"


def test_a_wrong_line_stops_the_whole_file(cli: Cli) -> None:
    file = cli.directory / "people.csv"
    file.write_text(FILE + "boss,1,Eve,,\n")
    sentence, code = cli.refuses("people", "import", str(file))
    assert (sentence, code) == ("line 5: kind must be agent or team. Nothing was kept.", "wrong_names")
    assert cli.rows(person_name) == []


def test_a_person_is_forgotten_with_every_name(cli: Cli) -> None:
    taken(cli, FILE)
    assert cli.says("people", "forget", "agent", "8812") == "2 names deleted.\n"
    assert [each[1] for each in listed(cli)] == ["t-4"]
    assert cli.refuses("people", "forget", "agent", "8812") == ("There is no name of the agent '8812'.", "no_such_name")
    cli.write(people__agents={"8812": "Ana"})
    assert "remove the line from [people.agents]" in cli.says("people", "forget", "agent", "8812")
    assert ("people.forget", {"kind": "agent", "id": "8812", "names": 2}) in cli.audit()


def test_a_name_in_the_settings_that_cannot_be_shown_is_a_mistake(cli: Cli) -> None:
    cli.write(people__agents={"7": ""})
    assert "people.agents" in cli("people", "list", code=78).stderr


def test_a_file_that_is_not_utf_8_renames_nobody(cli: Cli) -> None:
    file = cli.directory / "people.csv"
    file.write_bytes("kind,id,name\nagent,8812,Jürgen Müller\n".encode("cp1252"))
    sentence, code = cli.refuses("people", "import", str(file))
    assert (code, "'CSV UTF-8'" in sentence) == ("wrong_names", True)
    assert cli.rows(person_name) == []
