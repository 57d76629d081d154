"""Users, relations, rate windows."""

import pytest


def test_a_user_is_found_by_id_and_by_name(x, control):
    by_id, by_name = x.get("users/show", user_id="501"), x.get("users/show", screen_name="Ada")
    assert by_id.body == by_name.body
    assert (by_id.body["id"], by_id.body["id_str"], by_id.body["can_dm"]) == (501, "501", True)


@pytest.mark.parametrize(("can_dm", "shown"), [(True, True), (False, False), ("missing", None)])
def test_can_dm_is_what_the_profile_says(x, control, can_dm, shown):
    control.customer("502", can_dm=can_dm)
    assert x.get("users/show", user_id="502").body.get("can_dm") is shown


def test_can_dm_can_be_missing_for_everybody(x, control):
    control.switch(users_can_dm="missing", friendships_can_dm="missing")
    assert "can_dm" not in x.get("users/show", user_id="501").body
    assert "can_dm" not in x.get("friendships/show", target_id="501").body["relationship"]["source"]


def test_friendship_knows_can_dm_where_the_user_object_does_not(x, control):
    control.customer("502", can_dm="missing")
    assert x.get("friendships/show", target_id="502").body["relationship"]["source"]["can_dm"] is True
    control.customer("502", can_dm="missing", dm_error="403/150")
    shown = x.get("friendships/show", target_id="502").body["relationship"]
    assert shown["source"]["can_dm"] is False
    assert "can_dm" not in shown["target"]


def test_friendship_from_another_source_says_nothing_about_can_dm(x, control):
    shown = x.get("friendships/show", source_id="99", target_id="501").body["relationship"]["source"]
    assert (shown["id_str"], shown["can_dm"]) == ("99", None)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("users/show", {"user_id": "7"}, 404, 50),
        ("users/show", {"screen_name": "nobody"}, 404, 50),
        ("users/show", {}, 403, 38),
        ("users/show", {"user_id": "abc"}, 400, 214),
        ("users/show", {"user_id": "9" * 5000}, 400, 214),
        ("users/show", {"user_id": "666"}, 403, 63),
        ("users/lookup", {"user_id": "7,8"}, 404, 17),
        ("users/lookup", {"user_id": "666"}, 404, 17),
        ("friendships/show", {"target_id": "7"}, 404, 50),
        ("friendships/show", {"target_id": "666"}, 403, 63),
    ],
)
def test_users_who_are_not_there(x, control, path, query, status, code):
    control.customer("666", suspended=True)
    given = x.get(path, **query)
    assert (given.status, given.code) == (status, code)


def test_lookup_leaves_unknown_users_out(x, control):
    control.customer("502")
    control.customer("666", suspended=True)
    shown = x.get("users/lookup", user_id="502,7,666", screen_name="ada")
    assert [one["id_str"] for one in shown.body] == ["501", "502"]
    assert [one["id_str"] for one in x.post("users/lookup", user_id="501").body] == ["501"]
    assert x.get("users/lookup", user_id=",".join(map(str, range(101)))).status == 403


@pytest.mark.parametrize(("switch", "status"), [(False, 404), (True, 200)])
def test_unknown_ids_become_customers_by_switch(x, control, switch, status):
    control.switch(auto_create_customers=switch)
    assert x.get("users/show", user_id="12345").status == status


def test_a_window_ends_in_429_with_headers_and_opens_again(x, control):
    first = x.get("direct_messages/events/list")
    assert first.headers["x-rate-limit-limit"] == "15"
    assert first.headers["x-rate-limit-remaining"] == "14"
    for _ in range(14):
        assert x.get("direct_messages/events/list").status == 200
    control.advance(100)
    over = x.get("direct_messages/events/list")
    assert (over.status, over.code) == (429, 88)
    assert over.headers["x-rate-limit-remaining"] == "0"
    assert over.headers["x-rate-limit-reset"] == first.headers["x-rate-limit-reset"] == str(1_790_000_900)
    control.advance(800)
    assert x.get("direct_messages/events/list").status == 200


def test_windows_belong_to_a_user(x, other, control):
    for _ in range(15):
        x.get("direct_messages/events/show", id="1")
    assert x.get("direct_messages/events/show", id="1").status == 429
    assert other.get("direct_messages/events/show", id="1").status == 404


def test_windows_can_be_off_and_reset_can_follow_the_wall(x, control, wall):
    control.advance(1_000)
    control.switch(rate_reset_clock="wall", rate_window_s=60)
    given = x.get("users/show", user_id="501")
    assert abs(int(given.headers["x-rate-limit-reset"]) - wall[0]) <= 61
    control.switch(rate_limits=False)
    assert "x-rate-limit-limit" not in x.get("users/show", user_id="501").headers


@pytest.mark.parametrize("switch", [False, True])
def test_posts_carry_no_rate_headers_unless_switched(x, control, switch):
    control.switch(rate_headers_on_posts=switch)
    assert ("x-rate-limit-limit" in x.post("users/lookup", user_id="501").headers) is switch
    assert "x-rate-limit-limit" not in x.dm("501").headers


def test_rate_limit_status_tells_what_is_left(x, control):
    x.get("users/show", user_id="501")
    shown = x.get("application/rate_limit_status", resources="feedback,users").body["resources"]
    assert set(shown) == {"feedback", "users"}
    assert shown["users"]["/users/show/:id"] == {"limit": 900, "remaining": 899, "reset": 1_790_000_900}
    assert shown["feedback"]["/feedback/show/:id"]["remaining"] == 180
    assert "direct_messages" in x.get("application/rate_limit_status").body["resources"]


@pytest.mark.parametrize("path", ["/1.1/users/show", "/1.1/nothing.json", "/2/tweets", "/"])
def test_wrong_paths_are_answered_404_34_as_json(x, control, path):
    given = x.send("GET", f"http://x.test{path}", {})
    assert (given.status, given.code) == (404, 34)


def test_v1_1_can_be_shut_down(x, control):
    control.switch(shut_down=True)
    given = x.get("users/show", user_id="501")
    assert (given.status, given.code) == (410, 251)


def test_a_made_up_customer_is_found_by_a_made_up_name_too(x, control):
    assert x.get("users/show", screen_name="user5158").status == 404
    control.switch(auto_create_customers=True)
    assert x.get("users/show", screen_name="User5158").body["id_str"] == "5158"
    assert x.get("users/show", screen_name="somebody").status == 404


def test_over_v2_too(x, control):
    def named(name):
        url, headers, _ = x.signed("GET", f"/2/users/by/username/{name}")
        return x.send("GET", url, headers).body

    assert "errors" in named("user5158")
    control.switch(auto_create_customers=True)
    assert named("User5158")["data"]["id"] == "5158"
    assert "errors" in named("somebody")
