"""A CRM's list of ended conversations, read over real HTTP: who is found, how fast, and what a failing CRM costs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.intake.crm import sweeping
from service.intake.crm.sweeping import SweepJob, jobs_of, sweep_once
from service.models import webhook_delivery
from service.settings import SettingsError
from service.sources import call_counts, holds, sweeps
from service.sources.sweeps import Sweeping
from tests.crm_api.crm import Crm, crm
from tests.intake.app import App, define, settings_with
from tests.support import Clock

BEGAN = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
SWEEP: dict[str, Any] = {
    "path": "/ended?since={since}",
    "further": "/ended?after={cursor}",
    "items": "a.list",
    "next": "a.after",
    "item": "{event: 'conversation.ended', conversation_id: i.id, ended_at: i.at, agent_id: i.who, x_user_id: i.x}",
}


@dataclass
class Swept:
    """A source with a list, its CRM, a database and a clock."""

    app: App
    crm: Crm
    job: SweepJob
    clock: Clock = field(default_factory=lambda: Clock(BEGAN))

    def sweep(self) -> int:
        """Read what is due, at the list's own pace; return how many pages that were."""
        pages = 0
        while sweep_once(self.app.engine, self.job, self.clock):
            pages += 1
            self.clock.now += self.job.pace
        return pages

    def later(self, **span: float) -> int:
        self.clock.forward(**span)
        self.app.now = self.clock.now
        return self.sweep()

    def tells(self, *ended: Any, first: str = "/ended") -> None:
        """Let the list be this, on one page."""
        self.crm.answers[first] = {"list": list(ended), "after": None}

    @property
    def state(self) -> Sweeping:
        with reading(self.app.engine) as connection:
            return sweeps.standings(connection)["crm"]

    @property
    def counts(self) -> dict[str, int]:
        with reading(self.app.engine) as connection:
            return call_counts.since(connection, BEGAN).get("crm", {})

    @property
    def found(self) -> list[str]:
        return sorted(each.conversation_id for each in self.app.requests)


Build = Callable[..., Swept]


@pytest.fixture
def build(engine: Engine) -> Iterator[Build]:
    with crm() as here:

        def made(sweep: Any = SWEEP, api: Any = None, **more: Any) -> Swept:
            reached = {"base_url": here.url, "token": "a-secret", **(api or {})}
            source = {"preset": "token", "keys": ["k" * 32], "sweep": sweep, "api": reached, **more}
            settings = settings_with({"crm": source})
            clock = Clock(BEGAN)
            jobs = jobs_of(settings, clock)
            sweeping.begin(engine, jobs, clock.now)
            return Swept(App(settings, engine, clock.now), here, jobs["crm"], clock)

        yield made


@pytest.fixture
def swept(build: Build) -> Swept:
    return build()


def one(name: str, minutes: float = 10, **more: Any) -> dict[str, Any]:
    """A conversation that ended some minutes after we began."""
    return {"id": name, "at": (BEGAN + timedelta(minutes=minutes)).timestamp(), "who": "a-1", "x": "501", **more}


def test_an_end_whose_webhook_never_came_is_found_by_the_list(swept: Swept) -> None:
    swept.tells(one("c-1"))
    assert swept.later(hours=1) == 1
    (found,) = swept.app.requests
    assert (found.conversation_id, found.agent_id, found.x_user_id) == ("c-1", "a-1", "501")
    assert found.ended_at == BEGAN + timedelta(minutes=10)
    (delivery,) = swept.app.deliveries
    assert delivery.headers["dm-feedback-swept"] == "true"
    assert swept.counts == {"swept": 1}


def test_the_list_is_asked_from_an_hour_before_the_last_reading_on_and_once_an_hour(swept: Swept) -> None:
    swept.tells()
    swept.later(minutes=1)
    swept.later(minutes=59)
    assert swept.later(minutes=2) == 1
    since = [int(path.removeprefix("/ended?since=")) for path in swept.crm.paths]
    assert since == [int((BEGAN - timedelta(hours=1)).timestamp()), int((BEGAN - timedelta(minutes=59)).timestamp())]


def test_what_came_by_webhook_is_not_stored_again(swept: Swept) -> None:
    swept.app.now = BEGAN + timedelta(minutes=11)
    body = b'{"event": "conversation.ended", "conversation_id": "c-1", "ended_at": "2026-11-22T12:10:05Z"}'
    assert (
        swept.app.send("crm", body, {"authorization": f"Bearer {'k' * 32}"}, sign=lambda _out: None).status_code == 200
    )
    swept.tells(one("c-1"), one("c-2"))
    swept.later(hours=1)
    swept.later(hours=1)
    assert swept.found == ["c-1", "c-2"]
    assert len(swept.app.deliveries) == 2
    assert swept.counts == {"swept": 1, "swept_known": 3}


def test_a_webhook_that_comes_after_the_list_is_a_repeat(swept: Swept) -> None:
    swept.tells(one("c-1"))
    swept.later(hours=1)
    body = b'{"event": "conversation.ended", "conversation_id": "c-1", "ended_at": "2026-11-22T12:10:05Z"}'
    swept.app.send("crm", body, {"authorization": f"Bearer {'k' * 32}"}, sign=lambda _out: None)
    assert [(each.outcome, each.reason) for each in swept.app.items] == [
        ("accepted", None), ("duplicate", "same_conversation"),
    ]  # fmt: skip
    assert swept.found == ["c-1"]


def test_an_end_after_a_reopening_is_one_of_its_own(swept: Swept) -> None:
    swept.tells(one("c-1"))
    swept.later(hours=1)
    body = b'{"event": "conversation.reopened", "conversation_id": "c-1", "reopened_at": "2026-11-22T12:30:00Z"}'
    swept.app.send("crm", body, {"authorization": f"Bearer {'k' * 32}"}, sign=lambda _out: None)
    swept.tells(one("c-1", minutes=70))
    swept.later(hours=1)
    assert swept.found == ["c-1", "c-1"]


def test_what_ended_before_we_were_set_up_is_left_out(swept: Swept) -> None:
    swept.tells(one("old", minutes=-90), one("new"))
    swept.later(hours=1)
    assert swept.found == ["new"]


def test_pages_follow_each_other_at_the_lists_pace_and_never_faster_than_half_of_the_sources(build: Build) -> None:
    swept = build({**SWEEP, "per_minute": 20})
    assert swept.job.pace == timedelta(seconds=3)
    assert build({**SWEEP, "per_minute": 20}, api={"per_minute": 6}).job.pace == timedelta(seconds=20)
    swept.crm.answers["/ended"] = iter_pages([[one("c-1")], [one("c-2")], [one("c-3")]])
    swept.clock.forward(hours=1)
    assert sweep_once(swept.app.engine, swept.job, swept.clock)
    assert not sweep_once(swept.app.engine, swept.job, swept.clock)
    swept.clock.forward(seconds=3)
    assert swept.sweep() == 2
    assert swept.crm.paths[1:] == ["/ended?after=p1", "/ended?after=p2"]
    assert swept.found == ["c-1", "c-2", "c-3"]


def iter_pages(pages: list[list[Any]]) -> Callable[[], Any]:
    """Answer with one page after the other."""
    left = list(enumerate(pages, 1))

    def answer() -> Any:
        number, page = left.pop(0)
        return {"list": page, "after": f"p{number}" if left else None}

    return answer


def in_turn(*answers: Callable[[], Any]) -> Callable[[], Any]:
    """Answer by one after the other."""
    left = list(answers)

    def answer() -> Any:
        return left.pop(0)()

    return answer


def test_a_worker_killed_before_the_next_page_costs_one_page_and_loses_nobody(swept: Swept) -> None:
    swept.crm.answers["/ended"] = iter_pages([[one("c-1")], [one("c-2")], [one("c-2")]])
    swept.clock.forward(hours=1)
    sweep_once(swept.app.engine, swept.job, swept.clock)
    swept.clock.now += swept.job.pace
    with writing(swept.app.engine) as connection:  # it took up the page, stored what it held, and was killed
        taken = sweeps.take(connection, "crm", swept.clock.now, swept.job.every)
    assert taken is not None
    assert (taken.cursor, taken.page) == ("p1", 2)
    assert swept.sweep() == 0
    swept.later(minutes=2)
    assert swept.found == ["c-1", "c-2"]
    assert swept.crm.paths[1] == "/ended?after=p1"


def test_two_workers_never_read_the_same_page(swept: Swept) -> None:
    swept.clock.forward(hours=1)

    def meanwhile() -> Any:
        assert not sweep_once(swept.app.engine, swept.job, swept.clock)
        return {"list": [one("c-1")], "after": None}

    swept.crm.answers["/ended"] = meanwhile
    assert swept.sweep() == 1
    assert len(swept.crm.paths) == 1


def test_a_used_up_limit_pauses_the_source_and_the_reading_goes_on_where_it_was(swept: Swept) -> None:
    pages = iter_pages([[one("c-1")], [one("c-2")]])
    swept.crm.answers["/ended"] = in_turn(pages, lambda: (429, {}, {"Retry-After": "90"}), pages)
    swept.later(hours=1)
    with reading(swept.app.engine) as connection:
        assert holds.standings(connection)["crm"].rests(swept.clock.now)
    assert (swept.found, swept.state.cursor, swept.state.problem) == (["c-1"], "p1", "limited")
    swept.later(seconds=91)
    assert (swept.found, swept.state.cursor, swept.state.problem) == (["c-1", "c-2"], None, None)


def test_a_crm_that_was_away_for_a_day_loses_nobody(swept: Swept) -> None:
    swept.crm.answers["/ended"] = (500, {})
    for _ in range(48):
        swept.later(minutes=30)
    assert len(swept.crm.paths) < 60
    assert swept.state.read_until == BEGAN
    with reading(swept.app.engine) as connection:
        assert holds.standings(connection)["crm"].away_since is not None
    swept.tells(one("c-1"), one("c-2", minutes=700))
    swept.later(minutes=35)
    assert swept.found == ["c-1", "c-2"]
    with reading(swept.app.engine) as connection:
        assert holds.standings(connection)["crm"].away_since is None


def test_a_refused_key_holds_the_source_and_a_missing_right_only_the_list(swept: Swept) -> None:
    swept.crm.answers["/ended"] = (403, {})
    swept.later(hours=1)
    with reading(swept.app.engine) as connection:
        assert not holds.standings(connection)["crm"].rests(swept.clock.now)
    assert swept.state.problem == "refused_403"
    swept.crm.answers["/ended"] = (401, {})
    assert swept.later(minutes=59) == 0
    assert len(swept.crm.paths) == 1  # an hour later, not before
    swept.later(minutes=2)
    with reading(swept.app.engine) as connection:
        assert holds.standings(connection)["crm"].hold_reason == "refused_401"
    swept.tells(one("c-1"))
    swept.later(hours=3)
    assert swept.found == []
    with writing(swept.app.engine) as connection:
        holds.release(connection, "crm", swept.clock.now)
    swept.later(hours=1)
    assert swept.found == ["c-1"]


def test_an_expired_cursor_restarts_the_reading(swept: Swept) -> None:
    again = iter_pages([[one("c-1")], [one("c-2")]])
    swept.crm.answers["/ended"] = in_turn(iter_pages([[one("c-1")], []]), lambda: (422, {}), again, again)
    swept.later(hours=1)
    assert (swept.state.cursor, swept.state.problem) == (None, "status_422")
    swept.later(minutes=1)
    assert swept.found == ["c-1", "c-2"]
    assert swept.crm.paths[0] == swept.crm.paths[2]


def test_a_list_that_repeats_its_pages_ends(swept: Swept) -> None:
    swept.crm.answers["/ended"] = lambda: {"list": [one("c-1")], "after": "p1"}
    assert swept.later(hours=1) == 2


def test_an_unreadable_item_does_not_stop_the_others(build: Build) -> None:
    swept = build({**SWEEP, "item": "i.good && {event: 'conversation.ended', conversation_id: i.id, ended_at: i.at}"})
    swept.tells(one("c-1"), one("c-2", good=True), one("c-3", good=True, at="yesterday"))
    swept.later(hours=1)
    assert swept.found == ["c-2"]
    assert swept.state.problem is None


@pytest.mark.parametrize("answer", [{"list": "none"}, {"other": []}, [], "text"])
def test_an_answer_that_is_no_list_is_reported_and_retried_after_an_hour(swept: Swept, answer: Any) -> None:
    swept.crm.answers["/ended"] = answer
    swept.later(hours=1)
    assert swept.state.problem == "not_understood"
    assert swept.later(minutes=59) == 0
    assert len(swept.crm.paths) == 1


def test_only_ends_the_definition_wants_are_accepted(build: Build) -> None:
    swept = build({**SWEEP, "when": "i.channel == v.mine"}, values={"mine": "x"})
    swept.tells(one("c-1", channel="x"), one("c-2", channel="email"))
    swept.later(hours=1)
    assert swept.found == ["c-1"]


def test_a_list_sorted_newest_first_is_read_to_what_is_known(build: Build) -> None:
    swept = build({**SWEEP, "path": "/ended?page={page}", "further": "", "next": "a.more", "changed_at": "i.at"})
    pages = [[one("c-3", minutes=40)], [one("c-2", minutes=20), one("c-0", minutes=-70)], [one("never", minutes=-90)]]
    swept.crm.answers["/ended"] = lambda: {"list": pages.pop(0), "more": True}
    assert swept.later(hours=1) == 2
    assert swept.crm.paths == ["/ended?page=1", "/ended?page=2"]
    assert swept.found == ["c-2", "c-3"]


def test_a_map_that_takes_the_moment_of_arrival_gets_the_lists_own(build: Build) -> None:
    swept = build({**SWEEP, "ended_at": "i.at"}, map={"ended_at": "received"})
    swept.tells(one("c-1"), one("c-2", at=None))
    swept.later(hours=1)
    (found,) = swept.app.requests
    assert found.ended_at == BEGAN + timedelta(minutes=10)
    swept.later(hours=1)
    assert len(swept.app.rows(webhook_delivery)) == 1


def test_a_question_may_be_asked_by_post(build: Build) -> None:
    swept = build({**SWEEP, "path": "/search", "further": "", "body": '{"after": {since}, "cursor": {cursor}}'})
    swept.crm.answers["/search"] = iter_pages([[one("c-1")], [one("c-2")]])
    swept.later(hours=1)
    assert swept.found == ["c-1", "c-2"]
    begin = int((BEGAN - timedelta(hours=1)).timestamp())
    assert swept.crm.bodies == [{"after": begin, "cursor": None}, {"after": begin, "cursor": "p1"}]


def test_a_list_is_read_only_where_there_are_credentials_and_nobody_turned_it_off(engine: Engine) -> None:
    def jobs(**more: Any) -> Any:
        source = {"preset": "token", "keys": ["k" * 32], "sweep": SWEEP, **more}
        return jobs_of(settings_with({"crm": source}), Clock(BEGAN))

    api = {"base_url": "https://crm.example", "token": "a-secret"}
    assert jobs() == {}
    assert jobs(api={**api, "sweep_every": "0s"}) == {}
    assert jobs(api=api)["crm"].every == timedelta(hours=1)
    with pytest.raises(SettingsError, match="a minute or more"):
        jobs(api={**api, "sweep_every": "5s"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"path": "//elsewhere/{since}"}, "must be a path"),
        ({"path": "/list/{cursor}"}, "behind its question mark only"),
        ({"path": "/list?x={nobody}"}, "there is no {nobody}"),
        ({"body": "{no json"}, "is no JSON"),
        ({"items": "b.list"}, "is no root"),
        ({"item": "a.list"}, "is no root"),
    ],
)
def test_mistakes_in_a_sweep_are_reported_at_the_start(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence.replace("{", r"\{")):
        define("token", sweep={**SWEEP, **change})


def test_a_text_under_values_may_stand_in_the_path_and_is_demanded(build: Build) -> None:
    swept = build({**SWEEP, "path": "/of/{tenant}?since={since}"}, values={"tenant": ""})
    swept.later(hours=1)
    assert (swept.state.problem, swept.crm.paths) == ("unaskable", [])
