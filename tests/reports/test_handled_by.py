"""Who handled a conversation (people, a machine, both, nobody) is a dimension like any other."""

from tests.reports.world import World


def told(world: World) -> None:
    world.add(30, score=5, handled_by="human", agent_id="a-1")
    world.add(12, score=2, handled_by="ai", agent_id=None)
    world.add(6, score=3, agent_id="a-1")


def test_conversations_closed_by_people_and_machines_are_distinguished(world: World) -> None:
    told(world)
    client = world.client()
    [csat] = client.json("/v1/breakdown", by="handled_by", type="csat")["items"]
    assert {row["key"]: row["score"]["n"] for row in csat["rows"]} == {"human": 30, "ai": 12, None: 6}
    [compared] = client.json("/v1/compare", by="handled_by", a="human", b="ai", type="csat")["comparisons"]
    assert (compared["a"]["n"], compared["b"]["n"]) == (30, 12)


def test_figures_and_rows_are_filtered_by_it(world: World) -> None:
    told(world)
    client = world.client()
    assert client.json("/v1/summary", handled_by="ai")["csat"]["n"] == 12
    assert len(client.json("/v1/results", handled_by="ai", limit=100)["items"]) == 12


def test_roll_ups_say_the_same_as_the_ledger(world: World) -> None:
    told(world)
    before = world.client().json("/v1/breakdown", by="handled_by", type="csat")["items"]
    world.tell()
    assert world.client().json("/v1/breakdown", by="handled_by", type="csat")["items"] == before


def test_a_word_that_stands_for_nobody_and_no_way_is_refused(world: World) -> None:
    client = world.client()
    for name in ("handled_by", "way"):
        for path in ("/v1/summary", "/v1/results", "/v1/trend"):
            assert client.refused(path, 422, **{name: "nope"}) == "invalid_parameter"
        assert client.json("/v1/summary", **{name: ""})
