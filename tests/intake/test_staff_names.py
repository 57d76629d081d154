"""Names of agents and teams read from a CRM over real HTTP: which are kept, from when, and for whom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.crm_api.client import Client
from service.db import EPOCH, reading, writing
from service.intake.crm.staff_list import StaffPlace, read_staff
from service.intake.definition.load import preset_definition
from service.intake.presets import preset_names
from service.models import access_log
from service.reports.people import stored
from service.reports.people.name_at import NameLine
from service.settings import Settings, SettingsError
from service.settings.sections import StaffNames
from service.sources import holds
from service.worker.staff_names import StaffNamesJob, StaffReading, begin, jobs_of, look_up_names
from tests.crm_api.crm import Crm, crm
from tests.intake.app import define, settings_with
from tests.support import Clock

BEGAN = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
STAFF: list[dict[str, Any]] = [
    {
        "path": "/users", "further": "/users?after={cursor}", "items": "a.list", "next": "a.after",
        "id": "i.id", "name": "i.name",
    },
    {"kind": "team", "path": "/groups?page={page}", "items": "a", "next": "a[1] && `true`", "id": "i.no",
     "name": "i.title"},
]  # fmt: skip
ANA, BEN = {"id": 8812, "name": "Ana  Kim"}, {"id": "b-2", "name": "Ben"}


@dataclass
class Staffed:
    """A source with lists of staff, its CRM, a database and a clock."""

    engine: Engine
    settings: Settings
    crm: Crm
    job: StaffNamesJob
    going: StaffReading = field(default_factory=StaffReading)
    clock: Clock = field(default_factory=lambda: Clock(BEGAN))

    def read(self) -> int:
        """Read what is due; return how many pages that were."""
        before = len(self.crm.asked)
        while look_up_names(self.engine, self.settings, self.job, self.going, self.clock):
            pass
        return len(self.crm.asked) - before

    def tells(self, *users: Any, groups: Any = ()) -> None:
        self.crm.answers |= {"/users": {"list": list(users), "after": None}, "/groups": list(groups)}

    @property
    def names(self) -> dict[tuple[str, str], list[tuple[datetime, str | None]]]:
        with reading(self.engine) as connection:
            found: dict[tuple[str, str], list[tuple[datetime, str | None]]] = {}
            for each in stored.listed(connection, self.settings):
                found.setdefault((each.kind, each.person_id), []).append((each.since, each.name))
            return found


Build = Callable[..., Staffed]


@pytest.fixture
def build(engine: Engine) -> Iterator[Build]:
    with crm() as here:

        def made(staff: Any = STAFF, api: Any = None, people: Any = None, **more: Any) -> Staffed:
            reached = {"base_url": here.url, "token": "a-secret", **(api or {})}
            source = {"preset": "token", "keys": ["k" * 32], "staff": staff, "api": reached, **more}
            settings = settings_with({"crm": source})
            settings = replace(settings, people=StaffNames(agents=people or {}, teams={}))
            clock = Clock(BEGAN)
            jobs = begin(engine, settings, clock)
            return Staffed(engine, settings, here, jobs["crm"], clock=clock)

        yield made


@pytest.fixture
def staffed(build: Build) -> Staffed:
    return build()


def test_names_of_all_pages_of_all_lists_are_kept_from_the_beginning(staffed: Staffed) -> None:
    after = {"list": [BEN], "after": None}
    pages = iter([{"list": [ANA], "after": "x=2"}, after])
    groups = iter([[{"no": 1, "title": "Refunds"}, {"no": 2, "title": "Returns"}], [{"no": 3, "title": "Loyalty"}]])
    staffed.crm.answers |= {"/users": lambda: next(pages), "/groups": lambda: next(groups)}
    assert staffed.read() == 4
    assert staffed.crm.paths == ["/users", "/users?after=x%3D2", "/groups?page=1", "/groups?page=2"]
    assert staffed.names == {
        ("agent", "8812"): [(EPOCH, "Ana Kim")], ("agent", "b-2"): [(EPOCH, "Ben")],
        ("team", "1"): [(EPOCH, "Refunds")], ("team", "2"): [(EPOCH, "Returns")], ("team", "3"): [(EPOCH, "Loyalty")],
    }  # fmt: skip
    with reading(staffed.engine) as connection:
        (line,) = connection.execute(sa.select(access_log).where(access_log.c.action == "people.look_up"))
    assert (line.actor, line.detail) == ("source:crm", {"names": 5, "new": 5})


@pytest.mark.parametrize("refused", ["/users", "/groups"])
def test_a_list_that_is_refused_costs_only_its_own_names(staffed: Staffed, refused: str) -> None:
    staffed.tells(ANA)
    staffed.crm.answers["/groups"] = [{"no": 1, "title": "Refunds"}]
    staffed.crm.answers[refused] = (403, {})
    assert staffed.read() == 2
    assert staffed.names == {
        "/users": {("team", "1"): [(EPOCH, "Refunds")]}, "/groups": {("agent", "8812"): [(EPOCH, "Ana Kim")]}
    }[refused]  # fmt: skip
    assert staffed.read() == 0, "and tomorrow all of them again"


def test_it_is_asked_once_a_day_and_a_new_name_holds_from_the_day_we_heard_of_it(staffed: Staffed) -> None:
    staffed.tells(ANA)
    assert (staffed.read(), staffed.read()) == (2, 0)
    staffed.clock.forward(hours=23)
    assert staffed.read() == 0
    staffed.clock.forward(hours=1)
    staffed.tells({"id": 8812, "name": "Ana Kim-Roth"}, BEN)
    assert staffed.read() == 2
    assert staffed.names["agent", "8812"] == [(EPOCH, "Ana Kim"), (TODAY + timedelta(days=1), "Ana Kim-Roth")]
    assert staffed.names["agent", "b-2"] == [(EPOCH, "Ben")]
    staffed.clock.forward(days=1)
    staffed.tells(BEN)
    staffed.read()
    assert len(staffed.names["agent", "8812"]) == 2, "who has left keeps the name of their conversations"


def test_after_a_clock_was_set_back_it_is_asked_at_once(staffed: Staffed) -> None:
    staffed.tells(ANA)
    staffed.clock.forward(days=365)
    assert staffed.read() == 2
    staffed.clock.now = BEGAN
    assert (staffed.read(), staffed.read()) == (2, 0), "and then once a day again"


def test_names_given_by_hand_are_never_replaced(build: Build) -> None:
    staffed = build(people={"b-2": "Benjamin"})
    with writing(staffed.engine) as connection:
        stored.keep(connection, [NameLine("agent", "8812", "Ana by hand")], "cli:ops", BEGAN)
    staffed.tells(ANA, BEN, {"id": 3, "name": "Cleo"})
    staffed.read()
    assert {key: lines[-1][1] for key, lines in staffed.names.items()} == {
        ("agent", "8812"): "Ana by hand", ("agent", "b-2"): "Benjamin", ("agent", "3"): "Cleo",
    }  # fmt: skip
    with writing(staffed.engine) as connection:
        stored.forget(connection, "agent", "3", "cli:ops", BEGAN)
    staffed.clock.forward(days=1)
    staffed.read()
    assert ("agent", "3") not in staffed.names, "who was forgotten stays forgotten"


def test_names_hold_for_the_account_of_their_source(staffed: Staffed) -> None:
    staffed.tells(ANA)
    staffed.read()
    with reading(staffed.engine) as connection:
        (one,) = stored.listed(connection, staffed.settings)
    assert (one.account, one.given_by, one.told) == ("acme", "source:crm", False), "and the rows will be told again"


def test_unusable_names_are_left_out(staffed: Staffed) -> None:
    odd = ({"id": 1, "name": "x" * 121}, {"id": 2, "name": "a\u202eb"}, {"id": 3}, {"name": "Nobody"}, "text", None)
    staffed.tells(*odd, {"id": 4, "name": ["list"]}, BEN)
    staffed.read()
    assert list(staffed.names) == [("agent", "b-2")]


@pytest.mark.parametrize(("answer", "again", "held"), [
    ((401, {}), None, "refused_401"),
    ((400, {}), timedelta(days=1), None),
    ((403, {}), timedelta(days=1), None),
    ((404, {}), timedelta(days=1), None),
    ((429, {}, {"Retry-After": "120"}), timedelta(seconds=120), None),
    ((500, {}), timedelta(minutes=30), None),
    ((200, {"other": 1}), timedelta(days=1), None),
])  # fmt: skip
def test_an_unavailable_list_is_retried_later(
    staffed: Staffed, answer: Any, again: timedelta | None, held: str | None
) -> None:
    staffed.tells(ANA)
    staffed.crm.answers["/users"] = answer
    assert staffed.read() == (2 if again == timedelta(days=1) else 1), "what concerns one list stops no other"
    assert staffed.names == {}
    with reading(staffed.engine) as connection:
        assert holds.standings(connection)["crm"].hold_reason == held
    staffed.tells(ANA)
    if again is not None:
        staffed.clock.now = BEGAN + again - timedelta(seconds=1)
        assert staffed.read() == 0
        staffed.clock.now = BEGAN + again
        assert staffed.read() == 2
        assert len(staffed.names) == 1


def test_a_refusal_that_says_a_limit_is_used_up_pauses_the_source(build: Build) -> None:
    staffed = build(limits={"used_up": "a.code == 'LIMIT'"})
    staffed.tells(ANA)
    staffed.crm.answers["/users"] = (403, {"code": "LIMIT"}, {"Retry-After": "120"})
    assert staffed.read() == 1, "no other list is asked meanwhile"
    staffed.tells(ANA)
    staffed.clock.forward(seconds=120)
    assert staffed.read() == 2
    assert len(staffed.names) == 1


def test_a_source_at_an_address_that_may_not_be_called_is_held(build: Build) -> None:
    staffed = build(api={"base_url": "https://10.1.2.3"})
    staffed.read()
    with reading(staffed.engine) as connection:
        assert holds.standings(connection)["crm"].hold_reason == "refused_401"


def test_only_one_worker_reads_and_a_dead_one_costs_five_minutes(staffed: Staffed) -> None:
    staffed.crm.answers |= {"/users": {"list": [ANA], "after": "2"}}
    assert look_up_names(staffed.engine, staffed.settings, staffed.job, staffed.going, staffed.clock)
    other = Staffed(staffed.engine, staffed.settings, staffed.crm, staffed.job, clock=staffed.clock)
    staffed.tells(ANA)
    assert other.read() == 0
    staffed.clock.forward(minutes=5)
    assert other.read() == 2
    assert not look_up_names(staffed.engine, staffed.settings, staffed.job, staffed.going, staffed.clock)
    assert staffed.going.named == {}, "what the first had begun is another's now"


def test_its_calls_count_against_the_sources_limit(build: Build) -> None:
    staffed = build(api={"per_minute": 3})
    pages = iter(range(9))
    staffed.crm.answers |= {"/users": lambda: {"list": [BEN], "after": f"c{next(pages)}"}}
    assert staffed.read() == 3
    staffed.clock.forward(minutes=1)
    assert staffed.read() == 3


def test_without_an_api_or_with_names_every_0s_nobody_is_asked() -> None:
    def jobs(**more: Any) -> Any:
        source = {"preset": "token", "keys": ["k" * 32], "staff": STAFF, **more}
        return jobs_of(settings_with({"crm": source}), Clock(BEGAN))

    api = {"base_url": "https://crm.example", "token": "t"}
    assert jobs() == {}
    assert jobs(api={**api, "names_every": "0s"}) == {}
    assert set(jobs(api=api)) == {"crm"}


@pytest.mark.parametrize(("change", "sentence"), [
    ({"path": "/users/{cursor}"}, "behind its question mark"),
    ({"path": "users"}, "beginning with one slash"),
    ({"kind": "boss"}, "must be"),
    ({"id": "b.id"}, "b"),
])  # fmt: skip
def test_mistakes_in_a_list_are_reported_at_the_start(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        define("token", staff=[{**STAFF[0], **change}])


TOLD: dict[str, dict[str, Any]] = {
    "zendesk_event": {
        "/api/v2/users.json": {"users": [{"id": 35436, "name": "Ana Kim"}], "meta": {"has_more": False}},
        "/api/v2/groups.json": {"groups": [{"id": 98738, "name": "Refunds"}], "meta": {"has_more": False}},
    },
    "intercom": {
        "/admins": {"type": "admin.list", "admins": [{"type": "admin", "id": "35436", "name": "Ana Kim"},
                                                    {"type": "team", "id": "98738", "name": "Refunds"}]},
        "/teams": {"type": "team.list", "teams": [{"type": "team", "id": "98738", "name": "Refunds"}]},
    },
    "freshdesk": {"/api/v2/agents": [{"id": 35436, "contact": {"name": "Ana Kim"}}]},
    "helpscout": {"/v2/users": {"_embedded": {"users": [{"id": 35436, "firstName": "Ana", "lastName": "Kim"}]},
                                "page": {"number": 1, "totalPages": 1}},
                  "/v2/teams": {"_embedded": {"teams": [{"id": 98738, "name": "Refunds"}]},
                                "page": {"number": 1, "totalPages": 1}}},
    "front_app": {"/teammates": {"_results": [{"id": "35436", "first_name": "Ana", "last_name": "Kim"}]}},
    "chatwoot": {"/api/v1/accounts/7/agents": [{"id": 35436, "name": "Ana Kim"}],
                 "/api/v1/accounts/7/teams": [{"id": 98738, "name": "Refunds"}]},
    "gorgias": {"/api/users": {"data": [{"id": 35436, "name": "Ana Kim"}], "meta": {"next_cursor": None}},
                "/api/teams": {"data": [{"id": 98738, "name": "Refunds"}], "meta": {"next_cursor": None}}},
}  # fmt: skip
SAME = {"zendesk_trigger": "zendesk_event", "front_rule": "front_app"}


@pytest.mark.parametrize("preset", [*TOLD, *SAME])
def test_the_lists_of_a_preset_read_what_its_documentation_shows(preset: str) -> None:
    values = {"values": {"account_id": "7"}} if preset == "chatwoot" else {}
    definition = define(preset, **values)
    told = TOLD[SAME.get(preset, preset)]
    with crm() as here:
        here.answers |= told
        found: set[tuple[str, str, str]] = set()
        at: StaffPlace | None = StaffPlace()
        while at is not None:
            page = read_staff(definition, client_of(here), at, BEGAN)
            assert page.problem is None
            found |= set(page.named)
            at = page.next
    teams = {("team", "98738", "Refunds")} if len(told) > 1 else set()
    assert found == {("agent", "35436", "Ana Kim")} | teams


def test_every_preset_with_lists_is_tried_here() -> None:
    assert {name for name in preset_names() if preset_definition(name).grammar.staff} == {*TOLD, *SAME}


def client_of(here: Crm) -> Client:
    source = {"preset": "token", "keys": ["k" * 32], "api": {"base_url": here.url, "token": "t"}}
    api = settings_with({"crm": source}).sources["crm"].api
    assert api is not None
    return Client(api, Clock(BEGAN))
