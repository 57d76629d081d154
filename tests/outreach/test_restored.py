"""A ledger restored from a backup does not know what was sent after it; nobody is written to twice all the same."""

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.accounts import refused_ways
from service.customers.opted_out import add
from service.db import open_engine, writing
from service.db.sqlite import sqlite_driver
from service.errors import Conflict
from service.outreach.by_hand import cancel
from service.outreach.context import Workplace
from service.outreach.handed_over import hand_over
from service.requests import restored
from tests.support import World, settings_of

LAG = {"accounts__acme__list_lag": "3m"}


class Backed:
    """A world whose ledger can be saved and put back, while X forgets nothing."""

    def __init__(self, url: str, **changes: Any) -> None:
        self.file = Path(url.removeprefix("sqlite:///"))
        self.world = World(open_engine(url), settings_of(**LAG, **changes))
        self.world.customers(*({"user_id": str(number), "can_dm": True} for number in range(501, 505)))
        self.saved = self.file.with_suffix(".saved")

    def save(self) -> None:
        """As the README says; also while somebody writes."""
        self.saved.unlink(missing_ok=True)
        with closing(sqlite_driver.connect(self.file, isolation_level=None)) as connection:
            connection.execute(f"VACUUM INTO '{self.saved}'")

    def save_before_commit(self, number: int) -> None:
        """Save when so many changes have been committed."""
        left = count(number, -1)

        @sa.event.listens_for(self.world.engine, "commit")
        def committing(connection: sa.Connection) -> None:
            if connection.get_execution_options().get("dm_feedback_writes") and next(left) == 0:
                self.save()

    def put_back(self, *, told: bool = True) -> restored.Restore | None:
        """What an operator does: the saved file, `db restored`, the start."""
        world = self.world
        world.engine.dispose()
        for end in ("", "-wal", "-shm"):
            Path(f"{self.file}{end}").unlink(missing_ok=True)
        shutil.copy(self.saved, self.file)
        world.engine = open_engine(f"sqlite:///{self.file}")
        found = None
        if told:
            with writing(world.engine) as connection:
                found = restored.begin(connection, world.clock.now)
        world.place = Workplace.open(world.engine, world.settings, "after-the-restore")
        return found

    def until_quiet(self) -> None:
        self.world.turns(20, minutes=2)

    def sent(self) -> tuple[int, int]:
        """Openings and cards at X; fails where anybody has two of a kind."""
        truth = self.world.truth()
        openings = Counter(one["recipient"] for one in truth["messages"] if one["via"] == "dm")
        cards = Counter(one["to"] for one in truth["cards"])
        assert max([*openings.values(), *cards.values(), 0]) <= 1, (openings, cards)
        return len(openings), len(cards)

    def state(self, request_id: str) -> str:
        return str(self.world.request(request_id).state)


@pytest.fixture
def backed(sqlite_url: str) -> Backed:
    return Backed(sqlite_url)


def test_messages_sent_after_the_backup_are_found_at_x_and_not_repeated(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    backed.put_back()
    assert backed.state(request_id) == "received"
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"
    assert [one.evidence for one in backed.world.attempts(request_id)] == ["dm_list", "dm_list"]


@pytest.mark.parametrize("hours", [0, 25])
def test_of_whatever_moment_the_backup_is_everybody_is_asked_once(
    sqlite_template: Path, tmp_path: Path, hours: int
) -> None:
    for number in count():
        file = tmp_path / f"{number}.db"
        shutil.copy(sqlite_template, file)
        backed = Backed(f"sqlite:///{file}")
        request_id = backed.world.ended()
        backed.save_before_commit(number)
        backed.until_quiet()
        if not backed.saved.exists():
            break
        assert backed.sent() == (1, 1)
        backed.put_back()
        backed.world.forward(hours=hours)
        backed.until_quiet()
        assert (backed.sent(), backed.state(request_id)) == ((1, 1), "card_sent"), number
        backed.world.engine.dispose()
    assert number > len(("claimed", "allowed", "opened", "asked"))


def test_without_the_restored_command_they_would_get_a_second_message(backed: Backed) -> None:
    """So that this page proves something."""
    backed.world.ended()
    backed.save()
    backed.until_quiet()
    backed.put_back(told=False)
    backed.until_quiet()
    with pytest.raises(AssertionError, match="501"):
        backed.sent()


def test_a_backup_between_opening_and_card_asks_once(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.world.fault(endpoint="feedback/create", fault="status", status=500, code=131, times=1)
    backed.world.run()
    backed.save()
    backed.until_quiet()
    was = backed.sent()
    backed.put_back()
    backed.until_quiet()
    assert backed.sent() == was
    assert backed.state(request_id) == "card_sent"


def stale(backed: Backed) -> None:
    backed.world.forward(hours=25)


def reopened(backed: Backed) -> None:
    backed.world.reopened("c-1", backed.world.clock.now)


def opted_out(backed: Backed) -> None:
    with writing(backed.world.engine) as connection:
        told = {"hash_key": backed.world.place.hash_key, "reason": "asked", "by": "ada", "now": backed.world.clock.now}
        add(connection, ["501"], **told)


WHY_NOT = [stale, reopened, opted_out]


@pytest.mark.parametrize("happens", WHY_NOT)
def test_who_was_asked_after_the_backup_counts_as_asked_whatever_came_since(
    backed: Backed, happens: Callable[[Backed], None]
) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.until_quiet()
    backed.put_back()
    happens(backed)
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"


def test_whose_card_followed_after_the_backup_counts_as_asked_although_they_opted_out(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.world.forward(minutes=2)
    backed.world.fault(endpoint="feedback/create", fault="429", times=1)
    backed.world.run()
    assert (backed.state(request_id), backed.sent()) == ("dm_sent", (1, 0))
    backed.world.forward(seconds=1)
    backed.world.ended("c-2", x_user_id=None)  # the backup is younger than the card that X did not take
    backed.save()
    backed.until_quiet()
    backed.put_back()
    opted_out(backed)
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"


@pytest.mark.parametrize("happens", WHY_NOT)
def test_who_was_not_asked_is_not_asked_late(backed: Backed, happens: Callable[[Backed], None]) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.put_back()
    happens(backed)
    backed.until_quiet()
    assert backed.sent() == (0, 0)
    assert (backed.state(request_id), backed.world.request(request_id).reason) == ("skipped", happens.__name__)


def test_of_two_ends_one_message_counts_for_one(backed: Backed) -> None:
    both = [backed.world.ended(name) for name in ("c-1", "c-2")]
    backed.save()
    backed.until_quiet()
    backed.put_back()
    stale(backed)
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert sorted((backed.state(each), backed.world.request(each).reason) for each in both) == [
        ("card_sent", None), ("skipped", "cooldown"),
    ]  # fmt: skip


def test_unsent_messages_are_sent_once_x_shows_they_were_not(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.put_back()
    backed.world.forward(minutes=6)
    backed.world.run()
    assert backed.sent() == (0, 0)
    assert backed.world.request(request_id).reason == "unclear"
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"


def test_a_lost_and_redelivered_conversation_is_not_asked_twice(backed: Backed) -> None:
    backed.save()
    ended_at = backed.world.clock.now
    backed.world.ended("c-lost", x_user_id="502")
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    backed.put_back()
    again = backed.world.ended("c-lost", x_user_id="502", ended_at=ended_at)
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(again) == "card_sent"


def test_a_conversation_that_ended_after_the_restore_waits_for_nothing(backed: Backed) -> None:
    backed.save()
    backed.put_back()
    backed.world.forward(seconds=1)
    request_id = backed.world.ended("c-new", x_user_id="503")
    backed.world.forward(minutes=6)
    backed.world.run()
    assert backed.state(request_id) == "card_sent"
    assert len(backed.world.attempts(request_id)) == 2


def test_without_a_dm_list_the_request_ends_unknown(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.put_back()
    backed.world.fault(endpoint="direct_messages/events/list", fault="status", status=503, times=1000)
    backed.world.turns(30, minutes=10)
    assert backed.sent() == (0, 0)
    assert (backed.state(request_id), backed.world.request(request_id).reason) == ("unknown", "unclear_send")


def test_a_second_restore_of_the_same_backup_looks_again(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.save()
    backed.put_back()
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    backed.put_back()
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"


def test_possibly_sent_requests_are_not_handed_over(backed: Backed) -> None:
    backed.world.ended()
    backed.save()
    backed.put_back()
    with pytest.raises(Conflict, match="is writing to this customer itself"):
        hand_over(backed.world.place, "acme", "crm", "c-1", by="crm", now=backed.world.clock.now)


TWO_WAYS: dict[str, Any] = {
    "service__public_url": "https://feedback.example",
    "campaigns__care__ways": ["card", "page"],
    "campaigns__care__texts": {"en": {"opening": "Thanks.", "card": "How did we do?", "page": "Answer here: {page}"}},
}


def texts(backed: Backed) -> list[str]:
    return [each["text"] for each in backed.world.truth()["messages"]]


@pytest.mark.parametrize("sent_before", [True, False])
def test_a_link_that_took_the_cards_place_after_the_backup_is_found_too(sqlite_url: str, *, sent_before: bool) -> None:
    """The backup does not know that X refuses the card, and the card that is looked for is not there."""
    backed = Backed(sqlite_url, **TWO_WAYS)
    backed.world.control("/assumptions", {"feedback_privilege": False}, method="PUT")
    request_id = backed.world.ended()
    backed.save()
    if sent_before:
        backed.until_quiet()
    backed.put_back()
    backed.until_quiet()
    assert texts(backed) == ["Thanks.", f"Answer here: {backed.world.place.links.to(request_id)}"]
    assert (backed.state(request_id), backed.world.request(request_id).way) == ("card_sent", "page")


def test_a_card_that_x_took_again_after_the_backup_is_found_too(sqlite_url: str) -> None:
    """In the backup the card is barred; since then X granted it, and a person released the account."""
    backed = Backed(sqlite_url, **TWO_WAYS)
    with writing(backed.world.engine) as connection:
        refused_ways.bar(connection, "acme", "card", 87, backed.world.clock.now)
    request_id = backed.world.ended()
    backed.save()
    with writing(backed.world.engine) as connection:
        refused_ways.lift(connection, "acme")
    backed.until_quiet()
    backed.put_back()
    backed.until_quiet()
    assert texts(backed) == ["Thanks.", "How did we do?"]
    assert backed.state(request_id) == "card_sent"


def a_campaign_left(backed: Backed) -> None:
    place = backed.world.place
    [old] = place.settings.campaigns
    backed.world.place = replace(place, settings=replace(place.settings, campaigns=(replace(old, name="new"),)))


def the_night_began(backed: Backed) -> None:
    place = backed.world.place
    quiet = replace(place.settings.accounts["acme"], quiet_hours=(time(11), time(23)))
    backed.world.place = replace(place, settings=replace(place.settings, accounts={"acme": quiet}))


@pytest.mark.parametrize("happens", [a_campaign_left, the_night_began])
def test_what_keeps_a_message_waiting_does_not_keep_it_from_being_found(
    backed: Backed, happens: Callable[[Backed], None]
) -> None:
    """Else the same customer's next conversation knows of no earlier question."""
    request_id = backed.world.ended()
    backed.world.run()
    backed.save()
    backed.until_quiet()
    backed.put_back()
    happens(backed)
    backed.world.forward(seconds=1)
    again = backed.world.ended("c-2")
    backed.until_quiet()
    assert backed.sent() == (1, 1)
    assert backed.state(request_id) == "card_sent"
    if happens is a_campaign_left:
        assert backed.world.request(again).reason == "cooldown"


@pytest.mark.parametrize("sent_before", [True, False])
def test_cancelled_before_it_was_looked_up_a_message_may_have_arrived(backed: Backed, *, sent_before: bool) -> None:
    request_id = backed.world.ended()
    backed.world.run()
    backed.save()
    if sent_before:
        backed.until_quiet()
    was = backed.sent()
    backed.put_back()
    assert cancel(backed.world.place, request_id, by="ana", now=backed.world.clock.now) == "unknown"
    backed.world.forward(seconds=1)
    again = backed.world.ended("c-2")
    backed.until_quiet()
    assert backed.sent() == was
    assert backed.world.request(again).reason == "cooldown"


def test_a_backup_reaches_to_its_newest_moment(backed: Backed) -> None:
    request_id = backed.world.ended()
    backed.world.run()
    known = backed.world.clock.now
    backed.save()
    backed.world.forward(hours=5)
    found = backed.put_back()
    assert found is not None
    assert found.known_until == known
    assert found.restored_at == backed.world.clock.now
    assert backed.world.request(request_id).received_at <= known
