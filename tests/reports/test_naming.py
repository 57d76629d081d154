"""Who may be named: decided per account, once, in the same commit, and never taken back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.auth import Reader
from service.db import reading, writing
from service.models import feedback_request, naming, naming_answer, result
from service.reports.dashboard.facets import choices
from service.reports.disclosure.naming import Names, follow, hides_somebody, names_of
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import query
from service.reports.rows.order import Order
from service.requests.seals import touch
from service.states import OURS_ALONE, Skip
from tests.reports.world import ADMIN, NOW, World, name_everybody, settings_of

n = naming.c


def agents(world: World, kind="results", reader=ADMIN):
    with reading(world.engine) as connection:
        page = query.rows(
            ReportQuery(connection, world.settings, reader, Filter(), world.clock.now), Order(kind=kind), limit=250
        )
    return [row.agent_id for row in page.rows]


def who(world: World):
    with reading(world.engine) as connection:
        rows = connection.execute(sa.select(n.account, n.kind, n.name, n.named_at, n.readable_at).order_by(n.name))
        return {
            row.name: (row.account, row.kind, row.named_at is not None, row.readable_at is not None) for row in rows
        }


def waiting(world: World):
    with reading(world.engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(naming_answer))


def test_an_agent_is_named_with_the_fifth_answer_and_read_with_the_eighth(world):
    for answers in range(1, 10):
        world.add(1, score=5, text="fine")
        assert who(world)["ann"] == ("acme", "agent", answers >= 5, answers >= 8)
    assert waiting(world) == 0, "what was counted for it is not kept any longer"


def test_a_named_agent_stays_named_whatever_is_erased(world):
    made = world.add(5, score=5)
    with writing(world.engine) as connection:
        touch(connection, made[:3])
        gone = {"score": None, "score_at": None}
        connection.execute(sa.update(result).where(result.c.request_id.in_(made[:3])).values(gone))
    world.tell()
    assert agents(world) == ["ann", "ann"]


def test_an_answer_that_is_erased_before_counts_no_more(world):
    made = world.add(4, score=5)
    world.set_result(made[0], score=None, score_at=None)
    assert waiting(world) == 3
    world.add(1, score=5)
    assert set(agents(world)) == {None}
    world.add(1, score=5)
    assert set(agents(world)) == {"ann"}


def test_a_repeated_answer_counts_once(world):
    [one] = world.add(1, score=5)
    for minute in range(9):
        world.set_result(one, text=f"fine {minute}", text_at=NOW)
    assert waiting(world) == 1
    assert agents(world) == [None]


def test_naming_moves_the_clock_of_every_row_it_changes_in_the_same_commit(world):
    world.add(4, score=5)
    unanswered = world.add(1)
    world.add(1, score=4)
    with reading(world.engine) as connection:
        named_at = connection.scalar(sa.select(n.named_at))
        f, r = feedback_request.c, result.c
        rows = connection.execute(
            sa.select(f.id, f.updated_at, r.updated_at).outerjoin_from(feedback_request, result)
        ).all()
    assert {row[1] for row in rows} == {named_at}
    assert {row[2] for row in rows if row[0] not in unanswered} == {named_at}


def test_it_is_a_fact_of_the_account_never_of_a_key(world):
    world.add(5, score=5)
    world.add(4, score=5, account="other")
    whole, part = agents(world), agents(world, reader=Reader("k", "part", "supervisor", ("other",)))
    assert whole.count("ann") == 5
    assert part == [None] * 4
    world.add(1, score=5, account="other")
    assert agents(world, reader=Reader("k", "part", "supervisor", ("other",))) == ["ann"] * 5


def test_an_agent_is_one_person_in_whatever_team_and_a_team_stands_for_nobody_else(world):
    world.add(3, score=5, team_id="red")
    world.add(2, score=5, team_id="blue")
    world.add(4, score=5, team_id="red", agent_id=None)
    assert who(world) == {"ann": ("acme", "agent", True, False), "red": ("acme", "team", False, False)}


def test_test_traffic_names_nobody(world):
    world.add(9, score=5, test=True)
    assert who(world) == {}


def test_under_an_embargo_todays_answers_name_nobody_yet(world):
    world.settings = settings_of(reports__embargo="next_day", service__time_zone="Europe/Berlin")
    world.add(5, score=5, days_ago=0.1)
    assert who(world) == {}
    world.clock.now = NOW + timedelta(days=1)
    world.tell()
    assert who(world)["ann"][2]


def test_embargoed_answers_are_read_without_a_lock(world, monkeypatch):
    """On SQLite it is the lock of all who write, and it would be taken each second until midnight."""
    world.settings = settings_of(reports__embargo="next_day")
    world.add(5, score=5, days_ago=0.1)
    monkeypatch.setattr("service.reports.disclosure.naming.writing", None)
    assert follow(world.engine, world.settings, NOW) == 0


def test_a_lower_threshold_names_at_the_next_change(world):
    world.add(3, score=5)
    world.settings = settings_of(reports__min_score_n=3)
    world.add(1, score=5, agent_id="bob")
    assert who(world)["ann"][2]


def test_small_steps_lead_to_the_same_names(world):
    world.add(3, score=5)
    with writing(world.engine) as connection:
        connection.execute(sa.text("UPDATE naming_place SET sealed = 0"))
        connection.execute(sa.delete(naming))
        connection.execute(sa.delete(naming_answer))
    world.number += 100
    assert [follow(world.engine, world.settings, NOW, limit=1) for _ in range(4)] == [1, 1, 1, 0]
    assert waiting(world) == 3


@pytest.mark.parametrize("kind", ["results", "requests"])
def test_an_unnamed_row_hides_its_agent(world, kind):
    world.add(2, score=1, tags=["vip"], customer_ref="c-9")
    with reading(world.engine) as connection:
        page = query.rows(ReportQuery(connection, world.settings, ADMIN, Filter(), world.clock.now), Order(kind=kind))
    for row in page.rows:
        assert row.suppressed
        assert (row.agent_id, row.team_id, row.conversation_id, row.tags, row.customer_ref) == (None,) * 5


def test_a_row_does_not_say_whose_it_is_from_the_moment_it_may_be_asked_about(world):
    """Whoever read it before the answer came would know whose the answer is."""
    states = ("received", "identified", "dm_allowed", "dm_sent", "card_sent", "unknown", "skipped", "failed")
    for state in states:
        world.add(1, state=state, agent_id=state)
    shown = {row.state: row.agent_id for row in requests(world)}
    assert {state for state, agent in shown.items() if agent is not None} == {"skipped"}


def test_a_row_does_not_lead_to_its_conversation_while_a_look_up_may_find_the_agent(world):
    """Whoever read its id before that would find in the CRM whose the answer is."""
    unknown = {"state": "received", "agent_id": None, "x_user_id": None, "customer_ref": "c-9", "tags": ["vip"]}
    found, nobodys = (world.add(1, conversation_id=each, team_id=None, **unknown)[0] for each in ("found", "nobodys"))
    for row in requests(world):
        assert row.suppressed
        assert (row.conversation_id, row.conversation_url, row.tags, row.customer_ref) == (None,) * 4
    client = world.client()
    assert client.json("/v1/requests", conversation_id="found")["items"] == []
    look_up(world, found, agent_id="new", x_user_id="7001")
    look_up(world, nobodys, x_user_id="7002")
    assert [client.json(f"/v1/requests/{each}")["conversation_id"] for each in (found, nobodys)] == [None, "nobodys"]


def test_a_failed_card_behind_an_opening_with_a_link_is_not_named(world):
    """The page takes the answer, and it comes under the same id."""
    [one] = world.add(1, state="failed", reason="refused", dm_sent_at=NOW - timedelta(days=3))
    client = world.client()
    assert client.json(f"/v1/requests/{one}")["agent_id"] is None
    assert client.json("/v1/requests", agent_id="ann")["items"] == []
    assert client.json("/v1/funnel", agent_id="ann")["ended"] == 0
    world.add(5, score=5)
    assert client.json(f"/v1/requests/{one}")["agent_id"] == "ann"
    assert client.json("/v1/funnel", agent_id="ann")["ended"] == 6


def test_a_row_is_not_named_while_a_link_may_be_handed_over(world):
    """The CRM may ask for one where X kept us from writing, and the answer comes under the same id."""
    for reason in Skip:
        world.add(1, state="skipped", reason=reason, agent_id=f"agent of {reason}")
    hidden = {row.reason for row in requests(world) if row.agent_id is None}
    assert hidden == {"no_x_identity", "cannot_dm", "unreachable"} == set(OURS_ALONE)
    client = world.client()
    for reason in Skip:
        whose = {"agent_id": f"agent of {reason}"}
        assert client.json("/v1/funnel", **whose)["ended"] == (reason not in OURS_ALONE)
        assert len(client.json("/v1/requests", **whose)["items"]) == (reason not in OURS_ALONE)


def test_readers_of_rows_choose_from_named_people(world):
    """Somebody new would be known by the row that came with the name."""
    world.add(5, score=5, agent_id="bob", team_id="blue")
    world.add(1, agent_id="new", team_id="fresh")
    assert {name: chosen_from(world, ADMIN)[name] for name in ("agent_id", "team_id")} == {
        "agent_id": ("bob",),
        "team_id": ("blue",),
    }


def test_readers_without_rows_choose_from_published_spans(world):
    """Teams by weeks and all else by four: those that were over three days ago began on 16 November and 26 October.

    And of those whom coverage names: rows of somebody new say nothing.
    """
    for team, days_ago in (("long ago", 33), ("lately", 12), ("this week", 2)):
        world.add(1, agent_id=f"ann, {team}", team_id=team, language=team, days_ago=days_ago)
    name_everybody(world.engine)
    world.add(1, agent_id="new", team_id="fresh", days_ago=33)
    world.released()
    told = chosen_from(world, Reader("k", "ann", "analyst", ()))
    assert told["team_id"] == ("lately", "long ago")
    assert (told["agent_id"], told["language"]) == (("ann, long ago",), ("en", "long ago"))


def chosen_from(world: World, reader: Reader):
    with reading(world.engine) as connection:
        found = choices(ReportQuery(connection, world.settings, reader, Filter(), world.clock.now))
    return {each.parameter: each.options for each in found}


def test_an_answered_skipped_request_is_not_named_either(world):
    world.add(1, state="skipped", score=1)
    assert [row.agent_id for row in requests(world)] == [None]
    world.add(4, score=5)
    assert {row.agent_id for row in requests(world)} == {"ann"}


def test_a_comment_without_a_score_names_nobody(world):
    world.add(4, score=5)
    world.add(3, text="fine")
    assert set(agents(world)) == {None}


def look_up(world: World, request_id: str, **columns: str):
    with writing(world.engine) as connection:
        touch(connection, [request_id])
        theirs = sa.update(feedback_request).where(feedback_request.c.id == request_id)
        connection.execute(theirs.values(columns))
    world.tell()


def requests(world: World):
    with reading(world.engine) as connection:
        order = Order(kind="requests")
        page = query.rows(ReportQuery(connection, world.settings, ADMIN, Filter(), world.clock.now), order, limit=250)
    return page.rows


def test_the_moment_of_a_hidden_row_reveals_no_agent(world):
    world.add(9, score=5, agent_id="bob", team_id="blue")
    [one] = world.add(1, score=1)
    [row] = [each for each in requests(world) if each.request_id == one]
    assert (row.agent_id, row.team_id) == (None, None)
    client = world.client()
    moment = {"since": row.ended_at.isoformat(), "until": (row.ended_at + timedelta(microseconds=1)).isoformat()}
    for by in ("agent", "team"):
        [covered] = client.json("/v1/coverage", by=by, **moment)["rows"]
        assert (covered["key"], covered["rest"], covered["ended"]) == (None, "not_named", 1)
        for clock in ("ended_at", "sent_at", "scored_at"):
            told = client.json("/v1/breakdown", by=by, date_field=clock, **moment)
            assert {each["key"] for table in told["items"] for each in table["rows"]} <= {None}


def test_somebody_new_is_apart_from_the_team_before_the_worker_has_looked(world):
    world.add(9, score=5)
    world.told()
    world.add(1, score=1, agent_id="new")
    world.untold.clear()  # no worker
    [table] = [each for each in world.client().json("/v1/breakdown", by="team")["items"] if each["type"] == "csat"]
    assert {(row["key"], row["rest"]): row["score"]["n"] for row in table["rows"]} == {
        ("red", None): 9,
        (None, "not_named"): 1,
    }


@pytest.mark.parametrize(
    ("account", "team", "agent", "shown"),
    [
        ("acme", None, None, True), ("acme", "red", None, True), ("acme", "blue", None, False),
        ("acme", None, "ann", True), ("acme", "blue", "ann", True), ("acme", "red", "bob", False),
        ("acme", None, "bob", False), ("other", "red", "ann", False),
    ],
)  # fmt: skip
def test_an_agent_is_shown_by_the_own_name_and_a_team_where_there_is_no_agent(account, team, agent, shown):
    names = Names(frozenset({("acme", "agent", "ann"), ("acme", "team", "red")}), frozenset())
    assert names.may_show(account, team, agent) is shown


def names(world: World, *accounts):
    with reading(world.engine) as connection:
        return names_of(connection, accounts), hides_somebody(connection, accounts)


def test_small_groups_are_hidden_per_account(world):
    world.add(5, score=5)
    world.add(5, score=5, agent_id=None, team_id="blue")
    assert names(world, "acme") == (
        Names(frozenset({("acme", "agent", "ann"), ("acme", "team", "blue")}), frozenset()), False,
    )  # fmt: skip
    world.add(1, score=5, agent_id="bob")
    world.add(1, score=5, agent_id=None, team_id="green", account="other")
    assert names(world, "acme") == (Names(names(world, "acme")[0].named, frozenset({"bob"})), True)
    assert names(world, "other") == (Names(frozenset(), frozenset({None})), True)


@pytest.mark.parametrize("followed", [False, True])
def test_a_new_agent_counts_with_the_first_conversation_unless_that_is_a_test(world, followed):
    world.add(9, score=5)
    world.told()
    world.add(1, state="skipped", agent_id="never asked about")
    world.add(1, score=5, test=True, agent_id="only tested")
    if not followed:
        world.untold.clear()  # no worker
    assert names(world, "acme")[0].few == {"never asked about"}


@pytest.mark.parametrize("path", ["coverage", "breakdown"])
def test_no_team_changes_when_somebody_is_asked_about_for_the_first_time(world, path):
    """The skipped rows say whose they are: if they left the team now, the new nameless row would be theirs."""
    world.add(9, score=5)
    world.add(2, state="skipped", reason="cooldown", agent_id="new")
    before = teams(world, path)
    assert set(before) == {"red", "not_named"}
    world.add(1, state="received", agent_id="new")
    assert teams(world, path) == {**before, "not_named": before["not_named"] + 1}


def teams(world, path):
    """How many conversations each team has, in the first table there is."""
    found = world.client().json(f"/v1/{path}", by="team")
    table = found if path == "coverage" else found["items"][0]
    return {row["key"] or row["rest"]: row["ended"] for row in table["rows"]}


def clocks(world: World):
    with reading(world.engine) as connection:
        f = feedback_request.c
        return {row.id: row.updated_at for row in connection.execute(sa.select(f.id, f.updated_at))}


def test_naming_updates_only_the_rows_of_that_agent_that_were_asked_about(world):
    [never] = world.add(1, state="skipped")
    [mine] = world.add(1)
    others = [*world.add(2, agent_id="bob"), *world.add(2, account="other"), *world.add(2, agent_id=None)]
    before = clocks(world)
    world.add(5, score=5)
    after = clocks(world)
    assert {each for each in before if after[each] != before[each]} == {mine}
    assert {never, *others} <= {each for each in before if after[each] == before[each]}


def test_a_team_that_stands_for_nobody_s_rows_is_named_and_moves_those_alone(world):
    [agents] = world.add(1, agent_id="bob")
    [mine] = world.add(1, agent_id=None)
    before = clocks(world)
    world.add(5, score=5, agent_id=None)
    after = clocks(world)
    assert (after[mine] != before[mine], after[agents] == before[agents]) == (True, True)
    assert who(world)["red"] == ("acme", "team", True, False)


def test_an_agent_is_named_once(world):
    world.add(5, score=5)
    with reading(world.engine) as connection:
        named_at = connection.scalar(sa.select(n.named_at))
    before = clocks(world)
    world.clock.now = NOW + timedelta(days=1)
    world.add(2, score=5)
    with reading(world.engine) as connection:
        assert connection.scalar(sa.select(n.named_at)) == named_at
    after = clocks(world)
    assert all(after[each] == before[each] for each in before)


def test_comments_may_be_read_before_scores_are_named(world):
    world.settings = settings_of(reports__min_score_n=8, reports__min_comments_n=5)
    for answers in range(1, 10):
        world.add(1, score=5)
        assert who(world)["ann"] == ("acme", "agent", answers >= 8, answers >= 5)


def test_comments_that_may_be_read_move_no_row_of_somebody_who_is_not_named(world):
    """Moved together they would say that they are one person's; to read is nothing yet."""
    world.settings = settings_of(reports__min_score_n=8, reports__min_comments_n=5)
    world.add(4, score=5, text="fine")
    before = clocks(world)
    world.add(1, score=5, text="fine")
    assert who(world)["ann"] == ("acme", "agent", False, True)
    assert clocks(world).items() >= before.items()
    world.add(3, score=5, text="fine")
    assert not clocks(world).items() & before.items(), "named, all of them show whose they are"


def test_under_an_embargo_naming_counts_as_the_day_before_s_and_so_is_seen_at_once(world):
    world.settings = settings_of(reports__embargo="next_day")
    world.add(5, score=5, days_ago=0.1)
    world.clock.now = NOW + timedelta(days=1)
    world.tell()
    assert agents(world) == ["ann"] * 5
    with reading(world.engine) as connection:
        assert connection.scalar(sa.select(n.named_at)).date() == NOW.date()
