"""The one filtered select: what it finds, in which order, for whom, and whose names it leaves out."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.auth import Reader
from service.db import reading, writing
from service.errors import Invalid, NotFound
from service.models import feedback_request, result
from service.privacy.housekeeping import erase
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import query
from service.reports.rows.cursor import cursors
from service.reports.rows.order import Order
from tests.reports.world import ADMIN, NOW, World, settings_of

ACME = Reader("k", "n", "supervisor", ("acme",))


def rows(world: World, filter: Filter = Filter(), reader: Reader = ADMIN, **options):  # noqa: B008 - frozen
    order = Order(**{name: options.pop(name) for name in ("sort", "kind", "newest_first") if name in options})
    with reading(world.engine) as connection:
        return query.rows(ReportQuery(connection, world.settings, reader, filter, world.clock.now), order, **options)


def ids(page):
    return [row.request_id for row in page.rows]


def test_results_are_the_answered_ones_and_requests_are_all(world):
    [scored] = world.add(score=4)
    [written] = world.add(text="hello")
    [silent] = world.add()
    [skipped] = world.add(state="skipped", reason="cooldown")
    assert ids(rows(world)) == [scored, written]
    assert set(ids(rows(world, kind="requests"))) == {scored, written, silent, skipped}


def test_a_result_without_score_and_text_is_no_answer(world):
    [empty] = world.add(score=4)
    world.set_result(empty, score=None, score_at=None)
    assert ids(rows(world)) == []
    assert ids(rows(world, Filter(answered=False), kind="requests")) == [empty]


def test_a_comment_whose_words_retention_took_still_counts_as_an_answer(world):
    [old] = world.add(text="long ago")
    world.set_result(old, text=None)
    page = rows(world)
    assert ids(page) == [old]
    assert page.rows[0].text is None
    assert page.rows[0].text_at is not None


def test_test_traffic_is_left_out_unless_asked_for(world):
    [real] = world.add(score=4)
    [test] = world.add(score=4, test=True)
    assert ids(rows(world)) == [real]
    assert ids(rows(world, Filter(include_test=True))) == [real, test]


def test_a_key_sees_its_accounts_only(world):
    [mine] = world.add(score=4)
    [theirs] = world.add(score=4, account="other")
    assert ids(rows(world, reader=ACME)) == [mine]
    assert set(ids(rows(world))) == {mine, theirs}
    with reading(world.engine) as connection, pytest.raises(NotFound):
        query.get(ReportQuery(connection, world.settings, ACME, Filter(), NOW), theirs)


@pytest.mark.parametrize(
    "filter",
    [
        Filter(chosen={"campaign": ("vip",)}),
        Filter(chosen={"source": ("desk",)}),
        Filter(types=("nps",)),
        Filter(scores=(9,)),
        Filter(chosen={"language": ("de",)}),
        Filter(chosen={"variant": (7,)}),
        Filter(chosen={"account": ("other",)}),
        Filter(has_text=True),
        Filter(since=NOW - timedelta(days=2), date_field="ended_at"),
        Filter(since=NOW - timedelta(days=2), date_field="sent_at"),
        Filter(since=NOW - timedelta(days=2), date_field="scored_at"),
        Filter(since=NOW - timedelta(days=2)),
        Filter(updated_since=NOW - timedelta(days=2)),
    ],
)
def test_each_filter_finds_what_it_says(world, filter):
    world.add(score=4)
    [wanted] = world.add(
        score=9, text="words", kind="nps", days_ago=1, account="other", campaign="vip", source="desk", language="de",
        question_variant_id=7,
    )  # fmt: skip
    assert ids(rows(world, filter)) == [wanted]


def test_the_empty_value_means_without_one(world):
    world.add(score=4)
    [nobodys] = world.add(score=4, agent_id=None, team_id=None, campaign=None)
    assert ids(rows(world, Filter(chosen={"agent": (None,)}))) == [nobodys]
    assert ids(rows(world, Filter(chosen={"campaign": (None,)}))) == [nobodys]


def test_a_period_begins_with_since_and_ends_before_until(world):
    first, second = world.add(2, score=4)
    with reading(world.engine) as connection:
        found = connection.execute(sa.select(feedback_request.c.id, feedback_request.c.ended_at))
        ended = {row.id: row.ended_at for row in found}
    period = Filter(since=ended[first], until=ended[second], date_field="ended_at")
    assert ids(rows(world, period)) == [first]


@pytest.mark.parametrize("kind", ["results", "requests"])
@pytest.mark.parametrize("sort", ["updated_at", "ended_at"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_put_together_are_the_list(world, kind, sort, newest_first):
    world.add(7, score=3)
    whole = ids(rows(world, kind=kind, sort=sort, newest_first=newest_first))
    found, after = [], None
    while True:
        page = rows(world, kind=kind, sort=sort, newest_first=newest_first, limit=3, after=after)
        found += ids(page)
        if page.next is None:
            break
        after = page.next
    assert found == whole
    assert len(set(found)) == 7


def test_rows_of_the_same_moment_are_neither_lost_nor_repeated(world):
    made = world.add(9, score=3)
    with writing(world.engine) as connection:
        connection.execute(sa.update(result).values(updated_at=NOW))
    found, after = [], None
    for _ in range(5):
        page = rows(world, limit=2, after=after)
        found += ids(page)
        after = page.next
    assert sorted(found) == sorted(made)
    assert after is None


def test_a_row_that_changes_while_somebody_pages_comes_again_and_no_other_is_lost(world):
    made = world.add(6, score=3)
    first = rows(world, limit=2)
    changed_seen, changed_ahead = made[0], made[4]
    for number, request_id in enumerate((changed_seen, changed_ahead)):
        world.set_result(request_id, updated_at=NOW + timedelta(seconds=number))
    rest = rows(world, limit=50, after=first.next)
    assert ids(first) == made[:2]
    assert ids(rest) == [made[2], made[3], made[5], changed_seen, changed_ahead]


def test_ordered_by_the_end_of_the_conversation_rows_never_move(world):
    made = world.add(6, score=3)
    first = rows(world, limit=2, sort="ended_at")
    for request_id in made:
        world.set_result(request_id, updated_at=NOW)
    rest = rows(world, limit=50, sort="ended_at", after=first.next)
    assert ids(first) + ids(rest) == made


def test_a_full_last_page_is_the_end(world):
    world.add(4, score=3)
    assert rows(world, limit=4).next is None


def test_a_cursor_belongs_to_its_filter_order_and_key(quick):
    quick.add(3, score=3)
    page = rows(quick, limit=1)
    secret, order = "s", Order()
    own = cursors(secret, ADMIN, Filter(), order)
    text = own.write(page.next)
    assert own.read(text) == page.next
    for other in (
        cursors(secret, ADMIN, Filter(chosen={"agent": ("ann",)}), order),
        cursors(secret, ADMIN, Filter(), Order("ended_at")),
        cursors(secret, ADMIN, Filter(), Order(kind="requests")),
        cursors(secret, ACME, Filter(), order),
        cursors("another secret", ADMIN, Filter(), order),
    ):
        with pytest.raises(Invalid):
            other.read(text)


# -- whose answer it is ----------------------------------------------------------------------------------------------


def hidden(row):
    return (row.agent_id, row.team_id, row.conversation_id, row.conversation_url, row.text) == (None,) * 5


def test_an_agent_with_too_few_answers_is_not_named_and_the_score_stays(world):
    world.add(9, score=5, text="fine")
    world.add(2, score=1, text="bad", agent_id="bob")
    world.add(9, score=3, text="so so", agent_id="cat")
    found = rows(world).rows
    assert sum(row.score == 1 and hidden(row) and row.suppressed for row in found) == 2
    assert {row.agent_id for row in found} == {None, "ann", "cat"}


def test_large_agents_are_named_with_their_comments_and_a_link(world):
    world.add(9, score=5, text="fine")
    world.add(9, score=2, text="bad", agent_id="bob")
    for row in rows(world).rows:
        assert row.agent_id in {"ann", "bob"}
        assert row.text in {"fine", "bad"}
        assert row.conversation_url == f"https://crm.example/c/{row.conversation_id}"
        assert not row.suppressed


def test_an_erased_conversation_leads_nowhere_in_the_crm(world):
    world.add(9, score=5, x_user_id="77")
    erase(world.engine, world.settings, "77", by="admin", now=world.clock.now)
    for row in rows(world).rows:
        assert row.agent_id == "ann"
        assert row.conversation_id.startswith("erased_")
        assert row.conversation_url is None


def test_comments_need_more_answers_than_names(world):
    world.add(6, score=5, text="fine")
    [row, *_] = rows(world).rows
    assert row.agent_id == "ann"
    assert row.text is None
    assert row.text_at is not None
    assert row.suppressed


def test_answers_without_an_agent_can_be_read(world):
    world.add(1, score=5, text="fine", agent_id=None, team_id=None)
    assert rows(world).rows[0].text == "fine"


def test_skipped_requests_are_named(world):
    [skipped] = world.add(state="skipped", reason="cooldown", agent_id="bob")
    world.add(1, score=1, agent_id="bob")
    named = {row.request_id: row.agent_id for row in rows(world, kind="requests").rows}
    assert named.pop(skipped) == "bob"
    assert set(named.values()) == {None}


@pytest.mark.parametrize("kind", ["results", "requests"])
def test_small_agents_cannot_be_asked_for_by_name_team_or_conversation(world, kind):
    world.add(9, score=5)
    world.add(9, score=4, agent_id="cat", team_id="blue")
    world.add(1, score=1, agent_id="bob", team_id="green", conversation_id="c-small")
    for wanted in (
        Filter(chosen={"agent": ("bob",)}),
        Filter(chosen={"team": ("green",)}),
        Filter(conversation_ids=("c-small",)),
    ):
        page = rows(world, wanted, kind=kind)
        assert ids(page) == []
        assert page.withheld


def test_filters_never_change_whose_name_is_shown(world):
    world.add(9, score=5)
    world.add(9, score=2, agent_id="bob")
    few = rows(world, Filter(since=NOW - timedelta(days=1))).rows
    assert few == ()
    [row] = rows(world, Filter(scores=(2,)), limit=1).rows
    assert row.agent_id == "bob"


def test_the_rule_follows_the_rows_of_the_moment(world):
    world.add(4, score=5)
    assert {row.agent_id for row in rows(world).rows} == {None}
    world.add(1, score=4)
    assert {row.agent_id for row in rows(world).rows} == {"ann"}


# -- the embargo -----------------------------------------------------------------------------------------------------


@pytest.fixture
def embargoed(world):
    world.settings = settings_of(reports__embargo="next_day", service__time_zone="Europe/Berlin")
    return world


def test_an_answer_shows_from_the_day_after_it_came(embargoed):
    [old] = embargoed.add(score=4, days_ago=1)
    [fresh] = embargoed.add(score=4, days_ago=0.1)
    assert ids(rows(embargoed)) == [old]
    ledger = {row.request_id: row.score for row in rows(embargoed, kind="requests").rows}
    assert ledger == {old: 4, fresh: None}
    embargoed.clock.now = NOW.replace(hour=23)  # midnight in Berlin
    assert ids(rows(embargoed)) == [old, fresh]


def test_a_comment_that_came_today_waits_while_its_score_shows(embargoed):
    [both] = embargoed.add(9, score=4, days_ago=2)[:1]
    embargoed.set_result(both, text="late", text_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(hours=1))
    with reading(embargoed.engine) as connection:
        row = query.get(ReportQuery(connection, embargoed.settings, ADMIN, Filter(), embargoed.clock.now), both)
    assert (row.text, row.text_at) == (None, None)
    by_end = {row.request_id: row for row in rows(embargoed, sort="ended_at").rows}
    assert by_end[both].score == 4
    assert by_end[both].text is None
    assert by_end[both].updated_at < NOW - timedelta(days=1)


def test_a_score_that_is_told_today_waits_although_it_was_given_yesterday(embargoed):
    [one] = embargoed.add(text="fine", days_ago=2)
    told = {"text_seen_at": NOW - timedelta(days=2), "score_seen_at": NOW - timedelta(hours=1), "updated_at": NOW}
    embargoed.set_result(one, score=1, score_at=NOW - timedelta(days=1), **told)
    assert [row.score for row in rows(embargoed, sort="ended_at").rows] == [None]
    embargoed.clock.now = NOW + timedelta(days=1)
    assert [row.score for row in rows(embargoed, sort="ended_at").rows] == [1]


def test_pulling_by_change_loses_nothing_when_the_embargo_lifts(embargoed):
    [one, two] = embargoed.add(2, score=4, days_ago=2)
    page = rows(embargoed)
    assert ids(page) == [one, two]
    last = query.Position(page.rows[-1].updated_at, page.rows[-1].request_id)
    embargoed.set_result(one, text="late", text_at=NOW, updated_at=NOW)
    assert ids(rows(embargoed, after=last)) == []
    embargoed.clock.now = NOW + timedelta(days=1)
    assert ids(rows(embargoed, after=last)) == [one]
