"""The feed of changes and resumed lists keep a mirror equal to a full read."""

import contextlib
import random
import threading
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.db import writing
from service.errors import Invalid
from service.models import feedback_request
from service.privacy import housekeeping
from service.reports.filters import Filter
from service.reports.rows import changes as feed
from service.reports.rows import marks
from service.reports.rows.cursor import cursors
from service.reports.rows.order import OLDEST
from service.reports.rows.position import Position
from service.requests import seals as numbers
from service.requests.seals import touch
from service.results.answer import Answer
from service.results.card import take_in
from service.results.ingest import ingest
from service.results.merge import Update
from service.web import read_slots
from service.web.read_slots import Slots
from service.x_api.cards import parse_feedback
from tests.reports.world import ADMIN, NOW, World
from tests.results.cards import request, settings, shop, snapshot, take

SETTINGS = settings()


def threads_of(threads):
    return replace(SETTINGS, web=replace(SETTINGS.web, threads=threads))


@pytest.fixture
def world(engine):
    return World(engine, SETTINGS)


@pytest.fixture
def held_back(engine):
    """What comes today shows tomorrow."""
    return World(engine, replace(SETTINGS, reports=replace(SETTINGS.reports, embargo="next_day")))


def everything(client, path, limit=3, **query):
    """A full read, and how to go on from it."""
    items, cursor = {}, ""
    while True:
        page = client.json(path, cursor=cursor, limit=limit, **query)
        items |= {row["request_id"]: row for row in page["items"]}
        for each in page.get("erased", ()):
            items.pop(each["request_id"], None)
        cursor = page["next_cursor"]
        if not cursor:
            return items, page["resume_cursor"]


def changed(client, cursor="", **query):
    page = client.json("/v1/changes", cursor=cursor, **query)
    return [(each["request_id"], each["change"]) for each in page["items"]], page["next_cursor"]


def test_a_change_comes_once_it_is_sealed_as_the_request_is_then(world):
    client, row = world.client(), request(world.engine)
    assert changed(client)[0] == []
    world.tell()
    found, cursor = changed(client)
    assert found == [(row["id"], "request")]
    take(world.engine, snapshot(row, NOW, score=2))
    assert changed(client, cursor)[0] == []
    world.tell()
    found, cursor = changed(client, cursor)
    assert found == [(row["id"], "result")]
    take(world.engine, snapshot(row, NOW + timedelta(minutes=1), score=2, score_at=NOW, text="slow"))
    world.tell()
    assert changed(client, cursor)[0] == [(row["id"], "result")]
    assert changed(client)[0] == [(row["id"], "result")], "each once, as it is now"


def test_an_old_cursor_works_for_ever(world):
    client, cursors = world.client(), [""]
    for _ in range(5):
        request(world.engine)
        world.tell()
        cursors.append(changed(client, cursors[-1])[1])
    assert [len(changed(client, each)[0]) for each in cursors] == [5, 4, 3, 2, 1, 0]


def test_pages_of_the_feed_are_whole_and_in_order(world):
    made = [request(world.engine)["id"] for _ in range(7)]
    world.tell()
    client, found, cursor, more = world.client(), [], "", True
    while more:
        page = client.json("/v1/changes", cursor=cursor, limit=3)
        found += [each["request_id"] for each in page["items"]]
        cursor, more = page["next_cursor"], page["more"]
    assert sorted(found) == sorted(made)
    assert len(found) == len(set(found))


def test_after_a_restore_an_old_cursor_is_gone_and_says_what_to_do(world):
    client = world.client()
    take(world.engine, snapshot(request(world.engine), NOW, score=2))
    world.tell()
    cursor, resume = changed(client)[1], client.json("/v1/results")["resume_cursor"]
    with writing(world.engine) as connection:
        numbers.begin_epoch(connection, NOW)
    for path, old in (("/v1/changes", cursor), ("/v1/results", resume)):
        answer = client.get(path, cursor=old)
        assert (answer.status_code, answer.get_json()["code"]) == (410, "changes_begin_anew")
        assert "Start again without a cursor" in answer.get_json()["detail"]
    assert len(changed(client)[0]) == 1


def test_a_cursor_with_an_unknown_number_is_gone(world):
    """A backup that was put back without a word: the numbers of the cursor are not known."""
    client = world.client()
    request(world.engine)
    world.tell()
    cursor = changed(client)[1]
    with writing(world.engine) as connection:
        connection.exec_driver_sql("UPDATE change_counter SET last = 0")
    assert client.refused("/v1/changes", 410, cursor=cursor) == "changes_begin_anew"


def test_a_cursor_of_another_key_or_list_is_refused(world):
    request(world.engine)
    world.tell()
    cursor = changed(world.client())[1]
    assert world.client("supervisor", "shop").refused("/v1/changes", 422, cursor=cursor) == "cursor_of_another_question"
    assert world.client().refused("/v1/results", 422, cursor=cursor) == "cursor_of_another_question"
    assert world.client().refused("/v1/changes", 422, cursor="x") == "bad_cursor"
    assert world.client().refused("/v1/changes", 422, wait="31s") == "invalid_parameter"
    assert world.client("analyst").refused("/v1/changes", 403) == "role_not_allowed"


def test_a_key_gets_changes_of_its_accounts_only(world):
    request(world.engine, account="other")
    world.tell()
    assert changed(world.client("supervisor", "shop"))[0] == []


def test_a_waiting_request_is_answered_on_the_next_change(world):
    client, heard = world.client(), []
    waiting = threading.Thread(target=lambda: heard.append(changed(client, wait="20s")[0]))
    waiting.start()
    row = request(world.engine)
    world.tell()
    waiting.join(15)
    assert heard == [[(row["id"], "request")]]


def test_a_waiting_request_takes_no_read_slot(world, monkeypatch):
    """One slot, one that waits: somebody else's page is answered all the same, and the news comes after it."""
    client, other, heard = world.client(), world.client(), []
    looked = threading.Event()
    is_news = feed.is_news

    def look(connection, mark):
        looked.set()
        return is_news(connection, mark)

    monkeypatch.setattr(feed, "is_news", look)
    monkeypatch.setattr(read_slots, "WAIT_S", 0.01)
    other.app.extensions[read_slots.NAME] = client.app.extensions[read_slots.NAME] = Slots(2)
    client.app.extensions["dm_feedback_waiting"] = threading.BoundedSemaphore(1)
    waiting = threading.Thread(target=lambda: heard.append(changed(client, wait="30s")[0]))
    waiting.start()
    assert looked.wait(15)
    assert other.json("/v1/results")["items"] == []
    row = request(world.engine)
    world.tell()
    waiting.join(15)
    assert heard == [[(row["id"], "request")]]


def test_waiting_longer_than_one_answer_may_take_ends_with_an_answer(world, monkeypatch):
    """The time a database may work is counted anew after the wait."""
    monkeypatch.setattr(read_slots, "LONGEST_S", 0.5)
    monkeypatch.setattr(feed, "is_news", lambda _connection, _mark: time.monotonic() > later)
    later = time.monotonic() + 1
    assert changed(world.client(), wait="2s")[0] == []


def looks_of(monkeypatch):
    """What each look for news found, in turn."""
    found, is_news = [], feed.is_news

    def look(connection, mark):
        found.append(is_news(connection, mark))
        return found[-1]

    monkeypatch.setattr(feed, "is_news", look)
    return found


def test_embargoed_changes_are_not_in_the_feed(held_back, monkeypatch):
    """Or whoever waits would be answered at once all day long, and ask again."""
    take(held_back.engine, snapshot(request(held_back.engine), NOW, score=2))
    held_back.tell()
    looks = looks_of(monkeypatch)
    assert changed(held_back.client(), wait="1s")[0] == []
    assert set(looks) == {False}


def test_a_full_read_under_an_embargo_resumes_before_what_is_hidden(held_back):
    client, row = held_back.client(), request(held_back.engine)
    take(held_back.engine, snapshot(row, NOW, score=2))
    held_back.tell()
    items, resume = everything(client, "/v1/results")
    assert items == {}
    held_back.clock.forward(days=1)
    assert [each["score"] for each in client.json("/v1/results", cursor=resume)["items"]] == [2]


def test_an_embargo_on_another_accounts_answer_holds_back_nothing_of_ones_own(held_back):
    """Or who may see one account would be told that the other was answered today, and when."""
    client = held_back.client("supervisor", "shop")
    elsewhere = request(held_back.engine, account="other")
    with writing(held_back.engine) as connection:
        told = Update(told_at=NOW, score=2, score_at=NOW)
        ingest(connection, Answer(elsewhere["id"], "page", "page", told), held_back.clock.now)
    held_back.tell()
    resume = everything(client, "/v1/requests")[1]
    mine = request(held_back.engine)
    held_back.tell()
    assert changed(client)[0] == [(mine["id"], "request")]
    assert [each["request_id"] for each in client.json("/v1/requests", cursor=resume)["items"]] == [mine["id"]]


def test_under_an_embargo_an_answer_is_found_by_its_id_while_a_change_of_today_waits(held_back):
    client, row = held_back.client(), request(held_back.engine)
    take(held_back.engine, snapshot(row, NOW, score=2))
    held_back.clock.forward(days=1)
    take(held_back.engine, snapshot(row, NOW, score=2, text="more"), now=held_back.clock.now)
    held_back.tell()
    found = client.json(f"/v1/results/{row['id']}")
    assert (found["score"], found["text"], found["updated_at"]) == (2, None, "2026-11-22T12:00:00.000000Z")


def test_an_answer_given_and_erased_on_one_day_appears_the_day_after(held_back):
    client, row, other = held_back.client(), request(held_back.engine), request(held_back.engine)
    take(held_back.engine, snapshot(other, NOW, score=4))
    held_back.clock.forward(days=1)
    take(held_back.engine, snapshot(row, held_back.clock.now, score=2), now=held_back.clock.now)
    for each in (row, other):
        housekeeping.erase(held_back.engine, SETTINGS, each["x_user_id"], by="ada", now=held_back.clock.now)
    held_back.tell()
    items, resume = everything(client, "/v1/results")
    assert set(items) == {other["id"]}, "an erasure waits for nothing"
    found, place = changed(client)
    held_back.clock.forward(days=1)
    told = dict([*found, *changed(client, place)[0]])
    assert told == {row["id"]: "result", other["id"]: "result"}
    assert row["id"] in {each["request_id"] for each in client.json("/v1/results", cursor=resume)["items"]}
    assert set(everything(client, "/v1/results")[0]) == {row["id"], other["id"]}


def until_looked(waiting, looks, *, news):
    while news not in looks:
        assert waiting.is_alive()
        waiting.join(0.05)


def test_changes_of_other_accounts_do_not_end_the_wait(world, monkeypatch):
    client, heard, looks = world.client("supervisor", "shop"), [], looks_of(monkeypatch)
    waiting = threading.Thread(target=lambda: heard.append(changed(client, wait="30s")[0]))
    waiting.start()
    until_looked(waiting, looks, news=False)
    request(world.engine, account="other")
    world.tell()
    until_looked(waiting, looks, news=True)
    row = request(world.engine)
    world.tell()
    waiting.join(20)
    assert heard == [[(row["id"], "request")]]


@pytest.mark.parametrize(("threads", "room"), [(1, 0), (2, 1), (4, 2), (16, 2)])
def test_no_more_wait_than_half_of_the_threads(sqlite_engine, monkeypatch, threads, room):
    client = World(sqlite_engine, threads_of(threads)).client()
    monkeypatch.setattr(feed, "is_news", lambda _connection, _mark: True)
    assert changed(client, wait="1s")[0] == []
    waiting = client.app.extensions["dm_feedback_waiting"]
    assert [waiting.acquire(blocking=False) for _ in range(room + 1)] == [True] * room + [False]


def test_two_wait_and_a_third_is_answered_at_once(world):
    client = world.client()
    client.app.extensions["dm_feedback_waiting"] = threading.BoundedSemaphore(2)
    waiting = client.app.extensions["dm_feedback_waiting"]
    with waiting, waiting:
        assert changed(client, wait="30s")[0] == []


def test_an_erasure_of_a_score_only_answer_is_in_the_feed(world):
    client, row = world.client(), request(world.engine)
    take(world.engine, snapshot(row, NOW, score=2))
    world.tell()
    _, resume = everything(client, "/v1/results")
    world.clock.forward(minutes=1)
    housekeeping.erase(world.engine, SETTINGS, row["x_user_id"], by="ada", now=world.clock.now)
    world.tell()
    [again] = client.json("/v1/results", updated_since=world.clock.now.isoformat())["items"]
    assert (again["request_id"], again["score"]) == (row["id"], 2)
    assert again["erased_at"] == again["updated_at"]
    assert [each["request_id"] for each in client.json("/v1/results", cursor=resume)["items"]] == [row["id"]]


def test_an_erased_text_only_answer_leaves_a_tombstone_everywhere(world):
    client, row = world.client(), request(world.engine)
    take(world.engine, snapshot(row, NOW, text="my words"))
    world.tell()
    _, resume = everything(client, "/v1/results")
    place = changed(client)[1]
    world.clock.forward(minutes=1)
    housekeeping.erase(world.engine, SETTINGS, row["x_user_id"], by="ada", now=world.clock.now)
    world.tell()
    stone = {"request_id": row["id"], "erased_at": "2026-11-22T12:01:00.000000Z"}
    for query in (
        {"updated_since": NOW.isoformat()},
        {"cursor": resume},
        {"updated_since": "2026-11-01", "score": "2"},
        {"updated_since": "2026-11-01", "q": "words"},
    ):
        page = client.json("/v1/results", **query)
        assert (page["items"], page["erased"]) == ([], [stone])
    assert changed(client, place)[0] == [(row["id"], "erased")]
    lines = client.get("/v1/results.jsonl", answered="true", updated_since=NOW.isoformat()).get_data(as_text=True)
    assert lines == f'{{"request_id": "{row["id"]}", "erased_at": "2026-11-22T12:01:00.000000Z"}}\n'
    assert client.json("/v1/results")["erased"] == [], "a full read needs none"
    [ledger] = client.json("/v1/requests", updated_since=world.clock.now.isoformat())["items"]
    assert ledger["erased_at"] == stone["erased_at"]


def test_retention_reaches_mirrors(world):
    client, row = world.client(), request(world.engine)
    take(world.engine, snapshot(row, NOW, score=2, text="my words"))
    world.tell()
    _, resume = everything(client, "/v1/results")
    world.clock.forward(days=4000)
    housekeeping.prune(world.engine, SETTINGS, world.clock.now, dry_run=False)
    world.tell()
    for query in ({"updated_since": world.clock.now.isoformat()}, {"cursor": resume}):
        [again] = client.json("/v1/results", **query)["items"]
        assert (again["text"], again["text_at"] is None) == (None, False)


def test_a_resumed_list_reports_rows_that_left_it(world):
    """Or a copy of the comments would keep the words that retention has taken."""
    client, row = world.client(), request(world.engine)
    take(world.engine, snapshot(row, NOW, score=2, text="my words"))
    world.tell()
    items, resume = everything(client, "/v1/results", has_text="true")
    assert items[row["id"]]["text"] == "my words"
    world.clock.forward(days=4000)
    housekeeping.prune(world.engine, SETTINGS, world.clock.now, dry_run=False)
    world.tell()
    page = client.json("/v1/results", cursor=resume, has_text="true")
    assert (page["items"], page["left"]) == ([], [row["id"]])


def test_a_request_found_to_be_a_test_leaves_the_list(world):
    client, row = world.client(), request(world.engine)
    world.tell()
    items, resume = everything(client, "/v1/requests")
    assert list(items) == [row["id"]]
    with writing(world.engine) as connection:
        connection.execute(sa.update(feedback_request).values(test=True))
        touch(connection, [row["id"]])
    world.tell()
    page = client.json("/v1/requests", cursor=resume)
    assert (page["items"], page["left"]) == ([], [row["id"]])
    again = client.json("/v1/requests", cursor=page["next_cursor"] or resume, include_test="false")
    assert again["items"] == []


@pytest.mark.parametrize("columns", [{}, {"x_user_id": None, "state": "skipped", "reason": "no_x_identity"}])
def test_pruning_an_identity_reaches_every_mirror(world, columns):
    client, row = world.client("admin"), request(world.engine, customer_ref="cust-7", outcome_at=NOW, **columns)
    world.tell()
    items, resume = everything(client, "/v1/requests")
    assert items[row["id"]]["customer_ref"] == "cust-7"
    _, place = changed(client)
    world.clock.forward(days=4000)
    housekeeping.prune(world.engine, SETTINGS, world.clock.now, dry_run=False)
    world.tell()
    assert changed(client, place)[0] == [(row["id"], "request")]
    for query in ({"updated_since": world.clock.now.isoformat()}, {"cursor": resume}):
        [again] = client.json("/v1/requests", **query)["items"]
        assert again["customer_ref"] is None


def test_a_cursor_of_a_page_is_refused_where_lists_are_resumed_and_the_other_way_round():
    known = cursors("secret", ADMIN, Filter(), OLDEST)
    for read, cursor in (
        (known.place, known.write(Position(NOW, "fr_1"))),
        (known.read, known.resume(feed.ChangePosition("ep_1", 7))),
    ):
        with pytest.raises(Invalid) as refused:
            read(cursor)
        assert refused.value.code == "bad_cursor"


def test_changes_do_not_postpone_retention(world):
    row = request(world.engine)
    take(world.engine, snapshot(row, NOW, score=2, text="my words"))
    with writing(world.engine) as connection:
        numbers.regroup(connection, [row["id"]], NOW + timedelta(days=3999))
    counts = housekeeping.prune(world.engine, SETTINGS, NOW + timedelta(days=4000), dry_run=False)
    assert counts["texts"] == 1


def test_a_row_committed_late_is_not_missed_by_a_resumed_list(world):
    client, row = world.client(), request(world.engine)
    slow, quick = request(world.engine), request(world.engine)
    world.tell()
    take(world.engine, snapshot(quick, NOW, score=4), now=NOW + timedelta(minutes=5))
    world.tell()
    seen, resume = everything(client, "/v1/results")
    assert set(seen) == {quick["id"]}
    take(world.engine, snapshot(slow, NOW, score=2), now=NOW - timedelta(seconds=90))
    world.tell()
    assert [each["request_id"] for each in client.json("/v1/results", cursor=resume)["items"]] == [slow["id"]]
    assert row["id"] not in seen


# -- any story -------------------------------------------------------------------------------------------------------


LISTS = {
    "results": ("results", {}),
    "requests": ("requests", {}),
    "comments": ("results", {"has_text": "true"}),
    "with these words": ("results", {"q": "other"}),
    "of an agent": ("results", {"agent_id": "ann"}),
    "still to be asked": ("requests", {"state": "received"}),
    "unanswered": ("requests", {"answered": "false"}),
    "open": ("results", {"done": "false"}),
    "of nobody": ("results", {"owner": ""}),
}


class Mirrors:
    """Copies of the results and requests: by the feed, and by lists that are resumed."""

    def __init__(self, client):
        self.client, self.place, self.resume = client, "", dict.fromkeys(LISTS, "")
        self.fed = {"results": {}, "requests": {}}
        self.listed = {name: {} for name in LISTS}

    def follow(self, limit=250):
        page = self.client.json("/v1/changes", cursor=self.place, limit=limit)
        for item in page["items"]:
            change, key = item.pop("change"), item["request_id"]
            self.fed["requests"][key] = item
            self.fed["results"].pop(key, None)
            if change == "result":
                self.fed["results"][key] = item
        self.place = page["next_cursor"]
        return page["more"]

    def pull(self, name):
        held, cursor, (what, query) = self.listed[name], self.resume[name], LISTS[name]
        while True:
            page = self.client.json(f"/v1/{what}", cursor=cursor, limit=2, **query)
            held |= {row["request_id"]: row for row in page["items"]}
            for gone in (*(each["request_id"] for each in page.get("erased", ())), *page["left"]):
                held.pop(gone, None)
            if not page["next_cursor"]:
                self.resume[name] = page["resume_cursor"]
                return
            cursor = page["next_cursor"]

    def catch_up(self):
        while self.follow():
            pass
        for name in LISTS:
            self.pull(name)


class Story:
    """What happens to a ledger, by chance."""

    def __init__(self, world, chance):
        self.world, self.chance, self.rows = world, chance, []

    def end(self):
        agent, state = self.chance.choice(["ann", "bob", "cat", None]), self.chance.choice(["card_sent", "received"])
        whose = {"agent_id": agent, "team_id": self.chance.choice(["red", None]), "customer_ref": "cust"}
        self.rows.append(request(self.world.engine, state=state, outcome_at=self.world.clock.now, **whose))

    def send(self):
        row = self.chance.choice(self.rows)
        with writing(self.world.engine) as connection:
            numbers.touch(connection, [row["id"]])
            sent = {"state": "card_sent", "updated_at": self.world.clock.now}
            connection.execute(sa.update(feedback_request).where(feedback_request.c.id == row["id"]).values(sent))

    def answer(self):
        row = self.chance.choice(self.rows)
        said = self.chance.choice([{"score": 3}, {"text": "words"}, {"score": 1, "text": "other words"}])
        at = self.world.clock.now - timedelta(seconds=self.chance.randrange(180))
        take(self.world.engine, snapshot(row, self.world.clock.now, **said), now=at)

    def mark(self):
        row, what = self.chance.choice(self.rows), self.chance.choice(["done", "open", "owner"])
        with writing(self.world.engine) as connection:
            if what == "open":
                marks.reopen(connection, row["id"])
            elif what == "done":
                marks.finish(connection, row["id"], "ada", self.world.clock.now)
            else:
                answer = SimpleNamespace(request_id=row["id"], account="shop")
                marks.give(connection, answer, self.chance.choice([None, "admin key"]), "ada", self.world.clock.now)

    def lost(self):
        """A process is killed in the middle of its transaction."""
        row = self.chance.choice(self.rows)
        with contextlib.suppress(KeyboardInterrupt), writing(self.world.engine) as connection:
            body = parse_feedback(snapshot(row, self.world.clock.now, score=5, text="never kept"))
            take_in(connection, shop(), [body], "webhook", self.world.clock.now)
            raise KeyboardInterrupt

    def erase(self):
        person = self.chance.choice(self.rows)["x_user_id"]
        housekeeping.erase(self.world.engine, SETTINGS, person, by="ada", now=self.world.clock.now)

    def forget(self):
        self.world.clock.forward(days=self.chance.choice([1, 400]))
        housekeeping.prune(self.world.engine, SETTINGS, self.world.clock.now, dry_run=False)

    def seal(self):
        self.world.tell()

    def step(self, name):
        self.world.clock.forward(seconds=self.chance.randrange(60))
        if name == "end" or self.rows:
            getattr(self, name)()


STEPS = st.lists(
    st.sampled_from(
        [
            *("end", "end", "send", "answer", "answer", "answer", "mark", "mark", "lost", "erase", "forget"),
            *("seal", "follow", "pull"),
        ]
    ),
    min_size=5,
    max_size=40,
)
ANY = examples(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip


def read(client, name):
    what, query = LISTS[name]
    return everything(client, f"/v1/{what}", limit=250, **query)[0]


def alike(row):
    """Without the clock of the row, which a list of one kind tells of its own kind alone."""
    return {name: value for name, value in row.items() if name != "updated_at"}


@pytest.mark.parametrize("embargo", ["none", "next_day"])
def test_mirrors_equal_a_full_read_after_any_story(engine, embargo):
    world = World(engine, replace(SETTINGS, reports=replace(SETTINGS.reports, embargo=embargo)))
    client, chance = world.client("admin"), random.Random(1)
    mirrors, story = Mirrors(client), Story(world, chance)

    @ANY
    @given(STEPS)
    def holds(steps):
        for step in steps:
            if step == "follow":
                mirrors.follow(limit=chance.choice([1, 7]))
            elif step == "pull":
                mirrors.pull(chance.choice([*LISTS]))
            else:
                story.step(step)
        world.clock.forward(days=1)
        world.tell()
        mirrors.catch_up()
        assert mirrors.listed == {name: read(client, name) for name in LISTS}
        results, requests = mirrors.listed["results"], mirrors.listed["requests"]
        assert set(mirrors.fed["requests"]) == set(requests)
        assert {k: alike(row) for k, row in mirrors.fed["results"].items()} == {
            k: alike(row) for k, row in results.items()
        }
        for key, row in requests.items():
            assert alike(row).items() <= alike(mirrors.fed["requests"][key]).items()

    holds()
