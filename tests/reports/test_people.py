"""Names of people: valid from a moment on, beside the id everywhere, and never for a group too small to name."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from service.db import EPOCH, reading, writing
from service.errors import Invalid
from service.reports.people import names_csv, rename_rows, stored
from service.reports.people.name_at import NameIndex, NameLine, question_of
from service.reports.people.rename_rows import tell
from tests.reports.world import NOW, World, settings_of

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def given(name, since=EPOCH, account="*", person_id="8812", kind="agent"):
    return NameLine(kind, person_id, name, since, account)


def named(world: World, *lines: NameLine) -> int:
    with writing(world.engine) as connection:
        new = stored.keep(connection, lines, "cli:ann", world.clock.now)
    told(world)
    return new


def told(world: World) -> None:
    """Do what the worker does: tell of the names, number what has changed."""
    while tell(world.engine, world.settings, world.clock.now, limit=3):
        pass
    world.tell()


def file(text: str, world: World):
    return names_csv.lines_of(text, world.settings)


@pytest.mark.parametrize(
    ("at", "name"),
    [(MARCH - DAY, "Ana Kim"), (MARCH, "Ana Roth"), (MARCH + 400 * DAY, None)],
    ids=["before", "from the day on", "after it ended"],
)
def test_a_name_holds_from_its_moment_on(at, name):
    called = NameIndex([given("Ana Kim"), given("Ana Roth", MARCH), given(None, MARCH + 365 * DAY)])
    assert called.one("agent", "8812", "acme", at) == name


def test_a_name_is_not_used_before_its_day():
    assert NameIndex([given("Ana", MARCH)]).one("agent", "8812", "acme", MARCH - DAY) is None


def test_an_accounts_own_name_goes_before_that_of_every_account():
    called = NameIndex([given("Ana"), given("Bea", account="acme"), given("Cea", MARCH)])
    at = MARCH + DAY
    assert (called.one("agent", "8812", "acme", at), called.one("agent", "8812", "other", at)) == ("Bea", "Cea")
    assert called.group("agent", "8812", ("acme", "other"), at) == "Bea / Cea"


def test_agents_and_teams_of_one_id_are_not_the_same():
    called = NameIndex([given("Ana"), given("Care", kind="team")])
    assert called.one("team", "8812", "acme", NOW) == "Care"


def test_a_question_is_told_in_xs_words():
    assert question_of("csat", 1, "Acme") == "How satisfied are you with Acme?"
    assert question_of("nps", 7, None) == "How likely is it that you would recommend …?"
    assert [question_of(*each) for each in ((None, 1, "A"), ("csat", 99, "A"), ("csat", None, "A"))] == [None] * 3


def test_rows_say_the_name_of_the_conversations_end(world):
    world.add(9, score=5, days_ago=10)
    world.add(9, score=4, days_ago=2)
    named(world, NameLine("agent", "ann", "Ann Old"), NameLine("agent", "ann", "Ann New", NOW - 5 * DAY))
    rows = world.client().json("/v1/results", sort="ended_at", limit=250)["items"]
    assert [row["agent_name"] for row in rows] == ["Ann Old"] * 9 + ["Ann New"] * 9
    assert {(row["agent_id"], row["team_name"]) for row in rows} == {("ann", None)}
    assert {row["question"] for row in rows} == {"How satisfied are you with Acme?"}


def test_a_hidden_agent_has_no_name_either(world):
    world.add(9, score=5)
    world.add(3, score=1, agent_id="bob")
    named(world, NameLine("agent", "ann", "Ann"), NameLine("agent", "bob", "Bob"), NameLine("team", "red", "Reds"))
    client = world.client()
    for path in ("/v1/results", "/v1/requests"):
        found = {(row["agent_id"], row["agent_name"], row["team_name"]) for row in client.json(path)["items"]}
        assert found == {("ann", "Ann", "Reds"), (None, None, None)}, path
    for path in ("/v1/breakdown", "/v1/differences"):
        [table] = client.json(path, by="agent", since="2026-11-01", type="csat")["items"]
        assert {(row["key"], row["name"]) for row in table["rows"]} == {("ann", "Ann"), (None, None)}, path
    assert "Bob" not in client.get("/v1/results.csv").text


def test_figures_say_the_name_of_the_periods_end(world):
    world.add(9, score=5, days_ago=10)
    world.add(9, score=4, days_ago=2)
    named(world, NameLine("agent", "ann", "Ann Old"), NameLine("agent", "ann", "Ann New", NOW - 5 * DAY))
    client = world.client()
    before = {"since": "2026-11-01", "until": "2026-11-16", "by": "agent"}
    for path, rows in (("/v1/breakdown", "rows"), ("/v1/differences", "rows"), ("/v1/trend", None)):
        for asked, name in ((before, "Ann Old"), ({**before, "until": "2026-11-22"}, "Ann New")):
            found = client.json(path, type="csat", **asked)["items"][0]
            assert {row["name"] for row in (found[rows] if rows else [found])} == {name}, (path, name)
    coverage = client.json("/v1/coverage", **before)
    assert [(row["key"], row["name"]) for row in coverage["rows"]] == [("ann", "Ann Old")]


def test_questions_have_their_words_in_figures(quick):
    quick.add(9, score=5)
    [row] = quick.client().json("/v1/breakdown", by="variant", type="csat")["items"][0]["rows"]
    assert (row["key"], row["name"]) == (1, "How satisfied are you with …?")
    quick.settings = settings_of(service__company="Acme Retail")
    [row] = quick.client().json("/v1/breakdown", by="variant", type="csat")["items"][0]["rows"]
    assert row["name"] == "How satisfied are you with Acme Retail?"
    rows = quick.client().json("/v1/breakdown", by="language", type="csat")["items"][0]["rows"]
    assert [row["name"] for row in rows] == [None], "its id is its name"


def test_a_key_sees_the_names_of_its_own_accounts(quick):
    quick.add(9, score=5)
    quick.add(9, score=5, account="other")
    named(quick, NameLine("agent", "ann", "Ann", account="acme"), NameLine("agent", "ann", "Anders", account="other"))
    names = [
        quick.client("supervisor", *accounts).json("/v1/breakdown", by="agent", type="csat")["items"][0]["rows"][0][
            "name"
        ]
        for accounts in (["acme"], ["other"], [])
    ]
    assert names == ["Ann", "Anders", "Anders / Ann"]


def test_files_have_the_name_beside_the_id(quick):
    quick.add(9, score=5)
    named(quick, NameLine("agent", "ann", "=cmd()"))
    rows = list(csv.DictReader(io.StringIO(quick.client().get("/v1/results.csv").text)))
    assert {(row["agent_id"], row["agent_name"]) for row in rows} == {("ann", "'=cmd()")}
    assert "=cmd()" in quick.client().get("/v1/results.jsonl").text


def test_the_settings_name_from_the_beginning_and_an_import_goes_before_them(quick):
    quick.settings = settings_of(people__agents={"ann": "Ann"}, people__teams={"red": "Reds"})
    quick.add(9, score=5, days_ago=10)
    quick.add(9, score=5, days_ago=1)

    def names():
        rows = quick.client().json("/v1/results", sort="ended_at")["items"]
        return rows[0]["agent_name"], rows[-1]["agent_name"], rows[0]["team_name"]

    assert names() == ("Ann", "Ann", "Reds")
    named(quick, NameLine("agent", "ann", "Ann Roth", NOW - 5 * DAY))
    assert names() == ("Ann", "Ann Roth", "Reds")
    named(quick, NameLine("agent", "ann", "Anna"))
    assert names() == ("Anna", "Ann Roth", "Reds")


def test_a_new_name_updates_the_rows_that_show_it(world):
    world.add(9, score=5, text="fine")
    hidden = world.add(2, score=1, agent_id="bob")
    world.add(2, score=1, agent_id="eve", team_id=None)
    client = world.client()
    mark = client.json("/v1/changes")["next_cursor"]
    world.clock.now += DAY
    assert (
        named(world, NameLine("agent", "ann", "Ann"), NameLine("agent", "bob", "Bob"), NameLine("team", "red", "R"))
        == 3
    )
    changed = client.json("/v1/changes", cursor=mark)
    assert {row["agent_name"] for row in changed["items"]} == {"Ann"}
    assert len(changed["items"]) == 9
    assert {row["updated_at"] for row in changed["items"]} == {"2026-11-23T12:00:00.000000Z"}
    untouched = {row["request_id"]: row["updated_at"] for row in client.json("/v1/results", limit=250)["items"]}
    assert {untouched[each][:10] for each in hidden} == {"2026-11-19"}, "moved together they would say whose they are"
    assert named(world, NameLine("agent", "ann", "Ann")) == 0
    assert client.json("/v1/changes", cursor=changed["next_cursor"])["items"] == [], "what is known is no news"


def test_a_new_name_updates_conversations_from_its_day_on(quick):
    old = quick.add(9, score=5, days_ago=10)
    new = quick.add(4, score=5, days_ago=1)
    mark = quick.client().json("/v1/changes")["next_cursor"]
    quick.clock.now += DAY
    named(quick, NameLine("agent", "ann", "Ann Roth", NOW - 5 * DAY))
    found = {row["request_id"] for row in quick.client().json("/v1/changes", cursor=mark)["items"]}
    assert (found & set(old), found) == (set(), set(new))


def test_a_dead_workers_renaming_is_continued(quick):
    made = quick.add(9, score=5)
    mark = quick.client().json("/v1/changes")["next_cursor"]
    quick.clock.now += DAY
    with writing(quick.engine) as connection:
        stored.keep(connection, [NameLine("team", "red", "Reds")], "cli:ann", quick.clock.now)
    assert tell(quick.engine, quick.settings, quick.clock.now, limit=4) == 4
    told(quick)
    assert {row["request_id"] for row in quick.client().json("/v1/changes", cursor=mark)["items"]} == set(made)


@pytest.mark.parametrize("stretch", [1, 4, 13, 14])
@pytest.mark.parametrize("kind", ["team", "agent"])
def test_renaming_scans_the_ledger_in_steps(world, monkeypatch, stretch, kind):
    monkeypatch.setattr(rename_rows, "LOOKED_THROUGH", stretch)
    ours = world.add(5, score=5)
    world.add(4, score=5, team_id="blue", agent_id="bob")
    ours += world.add(4, score=5)
    mark = world.client().json("/v1/changes")["next_cursor"]
    world.clock.now += DAY
    named(world, NameLine(kind, "red" if kind == "team" else "ann", "Ours"))
    found = [row["request_id"] for row in world.client().json("/v1/changes", cursor=mark)["items"]]
    assert sorted(found) == sorted(ours), "each once"


def test_under_an_embargo_a_name_is_told_today(quick):
    quick.settings = settings_of(reports__embargo="next_day")
    quick.add(9, score=5, days_ago=5)
    quick.clock.now += DAY
    named(quick, NameLine("agent", "ann", "Ann"))
    rows = quick.client().json("/v1/results", updated_since="2026-11-22T00:00:00Z")["items"]
    assert [row["agent_name"] for row in rows] == ["Ann"] * 9


def test_forgetting_removes_every_name_and_keeps_the_id(world):
    world.add(9, score=5)
    named(world, NameLine("agent", "ann", "Ann Old"), NameLine("agent", "ann", "Ann", NOW - 9 * DAY))
    with writing(world.engine) as connection:
        assert stored.forget(connection, "agent", "ann", "cli:eve", NOW) == 2
    told(world)
    with reading(world.engine) as connection:
        assert stored.listed(connection, world.settings) == []
    assert {(row["agent_id"], row["agent_name"]) for row in world.client().json("/v1/results")["items"]} == {
        ("ann", None)
    }


def test_a_file_is_read_as_spreadsheets_write_it(quick):
    lines = file(
        "\ufeffKind; ID ;name;since;account\r\nAgent;8812;Ana Kim;;\r\nteam;t-4;'=Refunds;2026-03-01;acme\r\n;;;;\r\n"[
            1:
        ],
        quick,
    )
    assert lines == [
        NameLine("agent", "8812", "Ana Kim"),
        NameLine("team", "t-4", "=Refunds", MARCH, "acme"),
    ]
    assert file("kind,id,name\nagent,1,\n", quick) == [NameLine("agent", "1", None)]


def test_a_day_begins_in_the_zone_of_reports(quick):
    quick.settings = settings_of(service__time_zone="Europe/Berlin")
    [line] = file("kind,id,name,since\nagent,1,Ana,2026-03-01\n", quick)
    assert line.since == MARCH - timedelta(hours=1)


def test_a_name_is_known_again_where_a_day_has_two_midnights(world):
    world.settings = settings_of(service__time_zone="America/Havana")
    lines = file("kind,id,name,since\nagent,1,Ana,2026-11-01\n", world)
    assert [named(world, *lines) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,name\n1,Ana\n", "must name the columns kind, id, name"),
        ("kind,id,name,nick\n", "must name the columns"),
        ("kind,id,name\nboss,1,Ana\n", "line 2: kind must be agent or team"),
        ("kind,id,name\nagent,,Ana\n", "line 2: id must have 1 to 256"),
        (f"kind,id,name\nagent,1,{'x' * 121}\n", "line 2: name must have at most 120"),
        ("kind,id,name\nagent,1,A\u202ena\n", "line 2: name must have at most 120"),
        ("kind,id,name,since\nagent,1,Ana,1.3.26\n", "line 2: since must be a day like 2026-03-01"),
        ("kind,id,name,account\nagent,1,Ana,nobody\n", "line 2: there is no account 'nobody'"),
        ("kind,id,name\nagent,1,Ana\nagent,1,Bea\n", "agent '1' has two names from one moment on"),
        ("kind,id,name\nagent,1,Ana,more,cells\n", "line 2 has more cells"),
        ('kind,id,name\nagent,1,"Ana\n', "The file is no CSV after line"),
        ('"kind"x,id,name\n', "The file is no CSV after line"),
        ("x" * 200_000, "The file is no CSV after line"),
        ('kind,id,name\nagent,1,"Ana\nKim"\n', "line 3: name must have at most 120 characters, on one line"),
        ('kind,id,name\nagent,"88\n12",Ana\n', "line 3: id must have 1 to 256 characters"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_a_wrong_file_says_what_would_be_right(quick, text, says):
    with pytest.raises(Invalid) as refused:
        file(text, quick)
    assert says in refused.value.sentence
    assert refused.value.sentence.endswith(".")
