import asyncio

import pytest

from recflow.data.building import ItemRow, build_snapshot
from recflow.engine.context import RunContext
from recflow.engine.executor import execute
from recflow.engine.outcome import steps_of, whole_trail
from recflow.engine.registry import ModelSpec, node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.errors import FlowError
from tests.patience import PATIENCE_S


def names(run, snapshot):
    return snapshot.items.ids.texts(run.result.items)


async def until(holds):
    """Look again and again until something that threads bring about holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  threads know nothing of the loop's events
            await asyncio.sleep(0.005)


async def run_it(flow, request, data, services):
    said = []
    run = await execute(flow, request, data, services, lambda event: said.append(event.message()))
    return run, said


def about(said, event):
    return [message for message in said if message["event"] == event]


async def test_items_travel_from_source_to_end(draw, request_for, data, services):
    flow = draw("s:source a:list r:reverse e:end", "s>a a>r r>e")
    run, said = await run_it(flow, request_for(n=2), data, services)
    assert names(run, data) == ["i2", "i1"]
    assert [m["node_id"] for m in about(said, "node.finished")] == ["s", "a", "r", "e"]
    assert said[0]["event"] == "run.accepted"
    assert said[-1]["event"] == "run.finished"


async def test_independent_nodes_run_at_the_same_time(draw, request_for, data, services, seen):
    slow = {"wait_s": 2 * PATIENCE_S}
    flow = draw("s:source a:list b:list r:reverse e:end", "s>a s>b a>r b>r r>e", a=slow, b=slow)

    async def open_gate():
        try:
            await until(lambda: seen.most_together == 2)
        finally:
            seen.gate.set()

    await asyncio.gather(run_it(flow, request_for(), data, services), open_gate())
    assert seen.most_together == 2


async def test_lists_into_a_ranker_are_merged_in_edge_order_and_the_first_proposal_wins(
    draw, request_for, data, services
):
    flow = draw(
        "s:source a:list b:list r:reverse e:end",
        "s>a s>b b>r a>r r>e",
        a={"items": [0, 1]},
        b={"items": [1, 2]},
    )
    run, _ = await run_it(flow, request_for(), data, services)
    assert names(run, data) == ["i0", "i2", "i1"]  # merged 1, 2, 0; reversed


async def test_provenance_tells_every_proposal_every_move_and_every_drop(draw, request_for, data, services):
    flow = draw(
        "s:source a:list b:list r:reverse e:end",
        "s>a s>b a>r b>r r>e",
        a={"items": [0, 1]},
        b={"items": [1, 2]},
    )
    run, said = await run_it(flow, request_for(n=2), data, services)
    second = about(said, "run.finished")[0]["items"][1]
    assert second["item_id"] == "i1"
    brief = [(s["node_ids"], s["kind"], s["rank"], s["rank_before"]) for s in second["steps"]]
    assert brief == [
        (["a"], "proposed", 2, None),
        (["b"], "proposed", 1, None),
        (["r"], "ranked", 2, 2),
    ]
    dropped = steps_of(run, whole_trail(run), 0)[-1]
    assert (dropped["node_ids"], dropped["kind"], dropped["reason"]) == (["e"], "dropped", "limit")


@pytest.mark.parametrize(
    ("fail", "text"), [("crash", "ZeroDivisionError: boom"), ("service", "The service is down")]
)
async def test_a_failing_recommender_gives_nothing_and_the_others_go_on(
    draw, request_for, data, services, fail, text
):
    flow = draw(
        "s:source a:list b:list r:reverse e:end", "s>a s>b a>r b>r r>e", a={"fail": fail}, b={"items": [3]}
    )
    run, said = await run_it(flow, request_for(), data, services)
    assert names(run, data) == ["i3"]
    assert about(said, "node.failed")[0]["message"] == text
    assert run.degraded == [f"List failed: {text}"]


async def test_missing_models_are_a_warning_not_a_failure(draw, request_for, data, services):
    flow = draw("s:source a:list e:end", "s>a a>e", a={"fail": "untrained"})
    run, said = await run_it(flow, request_for(), data, services)
    assert not about(said, "node.failed")
    assert run.degraded == ["List: Not trained yet"]
    assert run.note.endswith("Nothing came out of this flow.")


async def test_the_fallback_answers_when_the_main_way_gives_nothing(draw, request_for, data, services):
    flow = draw(
        "s:source a:list b:list f:spare e:end",
        "s>a s>b a>e b>f f>e",
        a={"fail": "crash"},
        b={"items": [4]},
    )
    run, _ = await run_it(flow, request_for(), data, services)
    assert names(run, data) == ["i4"]


async def test_a_second_run_computes_nothing_and_only_what_changed_runs_again(
    draw, request_for, data, services, seen
):
    nodes, edges = "s:source a:list r:reverse e:end", "s>a a>r r>e"
    await run_it(draw(nodes, edges), request_for(), data, services)
    seen.calls.clear()
    _, said = await run_it(draw(nodes, edges), request_for(), data, services)
    assert seen.calls == []
    assert all(message["cached"] for message in about(said, "node.finished"))
    await run_it(draw(nodes, edges, a={"items": [2]}), request_for(), data, services)
    assert sorted(seen.calls) == ["a", "e", "r"]


async def test_moving_or_renaming_a_node_runs_nothing_again(draw, request_for, data, services, seen):
    await run_it(draw("s:source a:list e:end", "s>a a>e"), request_for(), data, services)
    seen.calls.clear()
    moved = draw("t:source b:list f:end", "t>b b>f")
    run, _ = await run_it(moved, request_for(), data, services)
    assert seen.calls == []
    assert run.node_ids_of(run.result.trail[0].source) == ["b"]


async def test_another_user_shares_nothing(draw, request_for, data, services, seen):
    flow = draw("s:source a:list e:end", "s>a a>e")
    await run_it(flow, request_for("u1"), data, services)
    seen.calls.clear()
    await run_it(flow, request_for("u2"), data, services)
    assert seen.calls == ["s", "a", "e"]


async def test_a_result_with_a_warning_is_not_kept(draw, request_for, data, services, seen):
    flow = draw("s:source a:list e:end", "s>a a>e", a={"fail": "untrained"})
    await run_it(flow, request_for(), data, services)
    seen.calls.clear()
    await run_it(flow, request_for(), data, services)
    assert "a" in seen.calls


async def test_nodes_the_result_does_not_need_are_skipped(draw, request_for, data, services, seen):
    flow = draw("s:source a:list b:list e:end", "s>a s>b a>e")
    _, said = await run_it(flow, request_for(), data, services)
    assert "b" not in seen.calls
    assert about(said, "node.skipped")[0]["node_id"] == "b"


async def test_run_to_here_runs_only_what_that_node_needs(draw, request_for, data, services, seen):
    flow = draw("s:source a:list r:reverse e:end", "s>a a>r r>e")
    run, _ = await run_it(flow, request_for(until="a"), data, services)
    assert seen.calls == ["s", "a"]
    assert names(run, data) == ["i0", "i1", "i2"]


async def test_a_pinned_node_gives_its_pins_and_what_is_above_it_does_not_run(
    draw, request_for, data, services, seen
):
    flow = draw(
        "s:source a:list r:reverse e:end", "s>a a>r r>e", pins={"r": {"items": ["i4", "nobody", "i0", "i4"]}}
    )
    run, said = await run_it(flow, request_for(), data, services)
    assert names(run, data) == ["i4", "i0"]
    assert "a" not in seen.calls
    assert [m["pinned"] for m in about(said, "node.finished") if m["node_id"] == "r"] == [True]
    served, _ = await run_it(flow, request_for(use_pins=False), data, services)
    assert names(served, data) == ["i2", "i1", "i0"]


async def test_a_pin_does_not_hide_a_new_model_from_what_is_served(draw, request_for, data, services):
    class Versions:
        now = 1

        def version(self, spec):
            return self.now

    def needs(settings, rules):
        return [ModelSpec("taste", {}, rules)]

    @node("fitted", label="Fitted", family="recommender", settings=NodeSettings, models=needs)
    def fitted(ctx: RunContext, user: UserContext, settings: NodeSettings) -> Candidates:
        return Candidates.proposed(ctx.source, [services.models.now], [1.0])

    services.models = Versions()
    flow = draw("s:source f:fitted e:end", "s>f f>e", pins={"f": {"items": ["i4"]}})
    serving = request_for(use_pins=False)
    assert names((await run_it(flow, serving, data, services))[0], data) == ["i1"]
    services.models.now = 2
    assert names((await run_it(flow, serving, data, services))[0], data) == ["i2"]


async def test_who_listens_here_gets_the_whole_output_and_the_browser_the_best_ten(
    draw, request_for, services
):
    many = build_snapshot([], [ItemRow(f"i{n}") for n in range(12)], [], version="1", taken_at=10)
    flow = draw("s:source a:list e:end", "s>a a>e", a={"items": list(range(12))})
    heard = []
    await execute(flow, request_for(), many, services, heard.append)
    (finished,) = (event for event in heard if event.name == "node.finished" and event.node_id == "a")
    assert len(finished.output) == 12
    assert [item["item_id"] for item in finished.message()["top"]] == [f"i{n}" for n in range(10)]
    assert "output" not in finished.message()


async def test_a_node_says_what_it_counts(draw, request_for, data, services):
    flow = draw("s:source a:list e:end", "s>a a>e")
    _, said = await run_it(flow, request_for(), data, services)
    units = {message["node_id"]: message["unit"] for message in about(said, "node.finished")}
    assert units == {"s": "like", "a": "item", "e": "item"}


async def test_a_disabled_ranker_hands_on_what_comes_in(draw, request_for, data, services):
    flow = draw("s:source a:list r:reverse e:end", "s>a a>r r>e", disabled=["r"])
    run, _ = await run_it(flow, request_for(), data, services)
    assert names(run, data) == ["i0", "i1", "i2"]


async def test_cancel_stops_the_threads_and_leaves_what_is_finished_in_the_memo(
    draw, request_for, data, services, seen
):
    flow = draw("s:source a:list b:list r:reverse e:end", "s>a s>b a>r b>r r>e", b={"wait_s": 2 * PATIENCE_S})
    said = []
    task = asyncio.create_task(execute(flow, request_for(), data, services, said.append))
    await until(lambda: any(e.name == "node.finished" and e.node_id == "a" for e in said))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not seen.together)
    seen.calls.clear()
    seen.gate.set()
    await run_it(flow, request_for(), data, services)
    assert "a" not in seen.calls


async def test_unknown_cold_and_empty_are_told_apart(draw, request_for, data, services):
    from recflow.data.feedback import UserHistory
    from recflow.engine.context import RunRequest

    flow = draw("s:source a:list e:end", "s>a a>e")
    unknown, _ = await run_it(flow, RunRequest(UserHistory("who")), data, services)
    cold, _ = await run_it(flow, request_for(), data, services)
    assert "No user is called 'who'" in unknown.note
    assert "cold start" in cold.note


async def test_a_flow_with_problems_does_not_run(draw, request_for, data, services):
    with pytest.raises(FlowError, match="circle"):
        await execute(
            draw("s:source r:reverse q:reverse e:end", "r>q q>r r>e"), request_for(), data, services
        )
