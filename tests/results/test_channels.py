"""All channels against the sandbox: whatever is lost, doubled, delayed or reordered, our rows equal the truth."""

import json
from contextlib import ExitStack
from datetime import timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db import reading, writing
from service.models import metadata, result
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.sandbox import pushes
from tests.results.cards import DAY, HOUR, answer_of, result_of, shop
from tests.results.outside import Outside
from tests.results.test_x_webhook import browser, post
from tests.serving import served

SHOP = shop(poll_window=timedelta(hours=12), refresh_schedule=(HOUR, 6 * HOUR))
TABLES = (
    "result",
    "result_update",
    "stray_feedback",
    "poll_window",
    "refresh",
    "account_task",
    "allowance",
    "feedback_request",
)

answers = st.fixed_dictionaries(
    {"card": st.integers(0, 3), "after": st.integers(1, 900)},
    optional={
        "score": st.integers(1, 5),
        "text": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    },
)
oddities = st.fixed_dictionaries(
    {},
    optional={
        "dates": st.sampled_from(["spaced", "collapsed"]),
        "question_variant_id": st.sampled_from(["string", "integer", "alternate"]),
        "webhook_question_variant_id": st.sampled_from(["string", "integer"]),
        "events_range": st.sampled_from(["event_time", "created_at"]),
        "events_order": st.sampled_from(["oldest_first", "newest_first"]),
        "events_empty_pages": st.lists(st.integers(1, 4), max_size=2).map(tuple),
        "events_short_pages": st.booleans(),
        "events_repeat": st.booleans(),
        "events_end": st.sampled_from(["", None, "missing"]),
        "show_full_object": st.booleans(),
    },
)


def clear(engine):
    with writing(engine) as connection:
        for name in TABLES:
            connection.execute(sa.delete(metadata.tables[name]))


def play(x, rows, script):
    """Customers answer, as often as they like; X refuses what it has already."""
    for one in sorted(script, key=lambda each: each["after"]):
        x.advance(timedelta(seconds=one["after"]))
        said = {name: one[name] for name in ("score", "text") if name in one}
        x.app.test_client().post(
            f"/_control/customers/{rows[one['card']]['x_user_id']}/answer", base_url="http://x.test", json=said
        )


def poll_all(engine, x):
    while poll_once(engine, SHOP, x.client, x.now).more:
        pass


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), script=st.lists(answers, max_size=8), odd=oddities)
def test_after_the_polls_our_rows_equal_the_truth(engine, data, script, odd):
    clear(engine)
    x = Outside(**odd)
    # The last card was sent, but we died before we could write its ids down.
    rows = [x.send_card(engine) for _ in range(3)] + [x.send_card(engine, state="unknown")]
    play(x, rows, script)
    bodies = [json.dumps(each).encode() for each in x.news()]
    arrive = data.draw(st.lists(st.sampled_from(bodies), max_size=2 * len(bodies)), label="pushes that arrive")
    late = data.draw(st.integers(0, len(arrive)), label="of which before the polls")
    client = browser(engine, x.now)
    assert all(post(client, body).status_code == 200 for body in arrive[:late])
    for hours in data.draw(st.lists(st.integers(1, 20), max_size=4), label="looks at single cards"):
        x.advance(hours * HOUR)
        refresh_once(engine, SHOP, x.client, lambda: x.now, answer_window=28 * DAY)
    x.advance(2 * DAY)
    poll_all(engine, x)
    assert all(post(client, body).status_code == 200 for body in arrive[late:])
    for row in rows:
        truth = x.truth_of(row)
        assert truth == answer_of(engine, row) or (truth, answer_of(engine, row)) == (None, (None,) * 4)
        found = result_of(engine, row)
        assert found is None or found["anomalies"] == 0
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(result)) >= sum(
            x.truth_of(row) is not None for row in rows
        )
        assert connection.exec_driver_sql("SELECT count(*) FROM stray_feedback").scalar_one() == 0


def test_a_lossy_push_channel_over_sockets_is_made_whole_by_polling(engine):
    """X's own pushes, with its own losses, over a real connection."""
    x = Outside()
    with served(browser(engine).application) as url, ExitStack() as last:
        last.callback(pushes.stop, x.world)
        mode = {"lose": 0.3, "double": 0.3, "delay": 0.3, "reorder": 0.3, "delay_s": [1, 600]}
        target = {"url": f"{url}/webhooks/x/shop", "user": "x", "password": "a-long-random-password"}
        x.control("POST", "/webhooks", mode=mode, **target)
        rows = [x.send_card(engine) for _ in range(20)]
        for row in rows:
            x.advance(timedelta(seconds=40))
            x.answer(row, score=3)
            x.answer(row, text=f"words of {row['id']}")
        x.advance(HOUR)
        pushes.stop(x.world)  # waits for what is still on its way
        delivered = [each for each in x.world.pushes if each.outcome == "delivered"]
        assert delivered
        assert any(each.outcome == "lost" for each in x.world.pushes)
        assert all(each.status == 200 for each in delivered)
        x.advance(2 * DAY)
        poll_all(engine, x)
        assert [answer_of(engine, row) for row in rows] == [x.truth_of(row) for row in rows]
