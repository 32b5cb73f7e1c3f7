import pytest
from pytest import approx


def two_lists(combining, settings, **pins):
    """Two pinned lists into one node; what the recommenders would say does not matter here."""
    lists = {"one": ["a", "b", "c"], "two": ["c", "d"]} | pins
    return {
        "nodes": [
            {"id": "s", "type": "data-source", "settings": {"positive": ["like"]}},
            *(
                {"id": name, "type": "non-personalized", "name": name, "pin": {"items": ids}}
                for name, ids in lists.items()
            ),
            {"id": "m", "type": combining, "settings": settings},
            {"id": "r", "type": "recommend"},
        ],
        "edges": [
            {"id": "1", "source": "s", "target": "one"},
            {"id": "2", "source": "s", "target": "two"},
            {"id": "3", "source": "one", "target": "m", "order": 0},
            {"id": "4", "source": "two", "target": "m", "order": 1},
            {"id": "5", "source": "m", "target": "r"},
        ],
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"method": "concatenate"}, ["a", "b", "c", "d"]),
        ({"method": "round_robin"}, ["a", "c", "b", "d"]),
        # 1/61, 1/62, 1/63 + 1/61, 1/62: c first, then a, then b and d tied, b proposed first
        ({"method": "reciprocal_rank_fusion"}, ["c", "a", "b", "d"]),
        # the second list counts ten times: c 1/63 + 10/61, d 10/62, a 1/61, b 1/62
        ({"method": "reciprocal_rank_fusion", "weights": [1, 10]}, ["c", "d", "a", "b"]),
        ({"method": "concatenate", "limit": 2}, ["a", "b"]),
    ],
)
def test_merge_puts_lists_together_as_its_method_says(run_chain, settings, expected):
    assert run_chain.document(two_lists("merge", settings), "cold")[0] == expected


def test_the_order_of_the_edges_is_the_order_of_the_merge(run_chain):
    document = two_lists("merge", {"method": "concatenate"})
    document["edges"][2]["order"], document["edges"][3]["order"] = 1, 0
    assert run_chain.document(document, "cold")[0] == ["c", "d", "a", "b"]


def test_filter_lets_pass_what_its_condition_and_categories_say(run_chain):
    by_tag = two_lists("filter", {"condition": "'red' in item.Labels.tags"})
    assert run_chain.document(by_tag, "cold")[0] == ["a", "b", "d"]
    by_category = two_lists("filter", {"categories": ["y"]})
    assert run_chain.document(by_category, "cold")[0] == ["c", "d"]


def test_diversify_keeps_the_first_k_of_a_category(run_chain):
    # a and b are x, c is y, d is x and y; merged order a, b, c, d
    document = two_lists("diversify", {"method": "category", "per_category": 1})
    assert run_chain.document(document, "cold")[0] == ["a", "c"]


def test_marginal_relevance_prefers_what_is_unlike_the_first(run_chain):
    document = two_lists(
        "diversify",
        {"method": "mmr", "column": "item.Labels.v", "relevance": 0.0},
        one=["b", "d", "c"],
        two=["b"],
    )
    # from b = (1, 0): cosine with d = (3, 4) is 0.6, with c = (0, 2) is 0
    assert run_chain.document(document, "cold")[0] == ["b", "c", "d"]


def test_recommend_tops_up_from_the_fallback_without_repeating(run_chain):
    document = two_lists("merge", {"method": "concatenate"}, one=["c"], two=["c"])
    document["nodes"] += [{"id": "l", "type": "latest"}, {"id": "f", "type": "fallback"}]
    document["edges"] += [
        {"id": "6", "source": "s", "target": "l"},
        {"id": "7", "source": "l", "target": "f"},
        {"id": "8", "source": "f", "target": "r", "order": 1},
    ]
    ids, run, _ = run_chain.document(document, "cold", n=3)
    assert ids == ["c", "d", "b"]
    assert run.degraded == []


def test_pinned_items_the_user_has_seen_are_left_out_at_the_end(run_chain):
    ids, _, _ = run_chain.document(two_lists("merge", {"method": "concatenate"}), "u1")
    assert ids == ["b", "c", "d"]  # u1 has feedback on a


def test_replacement_brings_seen_items_back_lower(run_chain):
    chain = [("latest", {}), ("ranker", {"kind": "mf", "n_factors": 2})]
    without, _, _ = run_chain(chain, "u3")
    again, run, _ = run_chain(chain, "u3", recommend={"replace_seen": True})
    assert set(without) == {"d"}
    assert {"a", "b", "c", "d"} <= set(again)
    assert all(score == approx(score) for score in run.result.scores)


def test_mf_ranker_orders_by_taste_and_keeps_the_order_for_a_stranger(run_chain):
    chain = [("latest", {}), ("ranker", {"kind": "mf", "n_factors": 2, "n_epochs": 30})]
    assert run_chain(chain, "u1")[0][0] == "b"  # latest would put d first
    ids, run, _ = run_chain(chain, "cold")
    assert ids == ["d", "c", "b", "a"]
    assert run.degraded == []
