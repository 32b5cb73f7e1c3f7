import pytest
from pytest import approx

from recflow.engine.executor import Services
from recflow.engine.memo import Memo
from recflow.engine.outcome import steps_of, whole_trail
from recflow.nodes.data_source import KEEP_S
from tests.nodes.conftest import FreshModels

DAY = 86_400_000_000


def reasons(run, snapshot):
    """item -> why it was dropped."""
    found = {}
    for index in range(snapshot.n_items):
        for step in steps_of(run, whole_trail(run), index):
            if step["kind"] == "dropped":
                found.setdefault(snapshot.items.ids[index], step["reason"])
    return found


def test_latest_gives_the_newest_and_says_why_others_are_missing(run_chain, snapshot):
    ids, run, _ = run_chain([("latest", {})])
    assert ids == ["d", "c", "b"]
    assert run.result.scores[0] == 999 * 86400  # Unix seconds, exactly
    assert reasons(run, snapshot) == {"a": "read", "e": "hidden"}


def test_item_time_to_live_takes_old_items_out(run_chain, snapshot):
    ids, run, _ = run_chain([("latest", {})], source={"item_ttl_days": 20})
    assert ids == ["d", "c"]
    assert reasons(run, snapshot)["b"] == "expired"


def test_categories_asked_for_are_all_wanted(run_chain):
    assert run_chain([("latest", {})], categories=("x", "y"))[0] == ["d"]
    assert run_chain([("latest", {})], categories=("x",))[0] == ["d", "b"]


def test_negative_feedback_is_the_reason_that_is_told(run_chain, snapshot):
    extra = [("u1", "b", "hate", 1, 999 * DAY)]
    ids, run, _ = run_chain([("latest", {})], extra=extra, source={"negative": ["hate"]})
    assert ids == ["d", "c"]
    assert reasons(run, snapshot)["b"] == "negative"


def test_feedback_posted_a_moment_ago_takes_the_item_out(run_chain):
    assert "b" not in run_chain([("latest", {})], extra=[("u1", "b", "anything", 1, 999 * DAY)])[0]


def test_popular_counts_positive_feedback(run_chain):
    ids, run, _ = run_chain([("non-personalized", {"score": "len(feedback)"})], "cold")
    assert ids == ["a", "b", "c", "d", "f"]  # 3, 2, 1, 1, 0 likes; ties by id; e is hidden
    assert run.result.scores.tolist() == [3, 2, 1, 1, 0]


def test_popular_this_week_counts_seven_days(run_chain):
    settings = {
        "score": "count(feedback, (now() - .Timestamp).Hours() < 168)",
        "filter": "count(feedback, (now() - .Timestamp).Hours() < 168) > 0",
    }
    ids, run, _ = run_chain([("non-personalized", settings)], "cold")
    assert ids == ["b", "c", "d"]  # two likes on days 996 and 999; one on 998; one on 999
    assert run.result.scores.tolist() == [2, 1, 1]


def test_an_expression_that_fails_on_an_item_leaves_it_out_and_says_so(run_chain):
    settings = {"score": "float(item.Labels.v[1])"}
    ids, run, _ = run_chain([("non-personalized", settings)], "cold")
    assert ids == ["d", "c", "a", "b"]  # 4, 2, 0, 0; e and f have no labels
    assert "items were left out" in run.degraded[0]


def test_a_wrong_expression_blocks_the_run_at_its_field(run_chain):
    from recflow.errors import FlowError

    with pytest.raises(FlowError, match=r"^score: ") as caught:
        run_chain([("non-personalized", {"score": "len(feedbak)"})])
    assert (caught.value.node_id, caught.value.field) == ("n0", "score")


def test_item_to_item_by_users_sums_similarities_of_the_history(run_chain, snapshot):
    ids, run, _ = run_chain([("item-to-item", {"similarity": "users"})])
    # u1 likes a. a and b share u2 and u3, a and c share u3 alone; d shares nobody.
    assert ids == ["b", "c"]
    assert run.result.scores[0] > run.result.scores[1] > 0.5


def test_item_to_item_by_embedding_ranks_by_distance(run_chain):
    settings = {"similarity": "embedding", "column": "item.Labels.v"}
    ids, run, _ = run_chain([("item-to-item", settings)], "cold", extra=[("cold", "a", "like", 1, 1)])
    assert ids == ["b", "c", "d"]  # from a = (0, 0): distances 1, 2, 5; f has no vector
    assert run.result.scores == approx([1 / 2, 1 / 3, 1 / 6])


def test_item_to_item_by_tags_wants_a_common_tag(run_chain):
    settings = {"similarity": "tags", "column": "item.Labels.tags"}
    ids, run, _ = run_chain([("item-to-item", settings)])
    assert ids == ["d", "b"]  # d has the same two tags as a, b one of them, c none
    assert run.result.scores[0] == approx(1.0)  # equal sets: d = 0


def test_item_to_item_looks_at_the_newest_likes_only(run_chain):
    settings = {"similarity": "embedding", "column": "item.Labels.v", "n_neighbors": 1}
    ids, _, _ = run_chain([("item-to-item", settings)], "u3", recommend={"context_size": 1})
    assert ids == []  # the newest like is c; its one nearest neighbor is a, which u3 has seen


def test_a_missing_column_is_a_problem_before_any_run(run_chain):
    from recflow.errors import FlowError

    with pytest.raises(FlowError, match="column must be given for similarity by tags"):
        run_chain([("item-to-item", {"similarity": "tags"})])


def test_user_to_user_gives_what_the_most_alike_like(run_chain):
    ids, run, _ = run_chain([("user-to-user", {"similarity": "items"})])
    # u2 and u3 share a with u1 and both like b; only u3 likes c; u4 shares nothing.
    assert ids == ["b", "c"]
    assert run.result.scores[0] > run.result.scores[1]


def test_collaborative_follows_feedback_that_came_after_training(run_chain):
    settings = {"n_factors": 2, "n_epochs": 30}
    before, _, _ = run_chain([("collaborative", settings)], "cold")
    after, _, _ = run_chain(
        [("collaborative", settings)], "cold", extra=[("cold", "a", "like", 1, 999 * DAY)]
    )
    assert before == []
    assert after[0] == "b"  # whoever likes a likes b


@pytest.mark.parametrize("kind", ["collaborative", "item-to-item", "user-to-user"])
def test_a_cold_user_gets_nothing_and_no_warning(run_chain, kind):
    ids, run, _ = run_chain([(kind, {})], "cold")
    assert ids == []
    assert run.degraded == []


def test_the_user_who_holds_a_snapshot_is_kept_for_a_moment_only(run_chain):
    now = [0.0]
    memo = Memo(clock=lambda: now[0])

    def cached():
        said = run_chain([("latest", {})], services=lambda pool: Services(FreshModels(), pool, memo))[2]
        return {m["node_id"]: m["cached"] for m in said if m["event"] == "node.finished"}

    assert cached() == {"s": False, "n0": False, "r": False}
    now[0] = KEEP_S - 1
    assert cached() == {"s": True, "n0": True, "r": True}
    now[0] = KEEP_S + 1
    assert cached() == {"s": False, "n0": True, "r": True}
