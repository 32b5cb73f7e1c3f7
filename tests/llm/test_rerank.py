"""Rerank services: a contract for each vendor, batches, scores, and the order that comes out."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.errors import ReplyUnreadable, ServiceError
from recflow.llm.budget import Limit
from recflow.llm.endpoint import Endpoint, capabilities_of, remember_refusal
from recflow.llm.rerank import BATCH_CAPABILITY, PROFILES, order_by_score, read_scores, rerank_url
from recflow.llm.reranking import batch_size, rank_with_reranker
from recflow.llm.settings import RERANK_PROFILES, RerankSettings
from tests.scripted_server import json_reply, status

USER = {"Comment": "A reader"}
LIKED = [{"FeedbackType": "like", "ItemId": "h", "Comment": "Star Trek"}]
ITEMS = [{"ItemId": name, "Comment": f"film {name}"} for name in "abc"]
JINA = "/v1/rerank"


def results(*scores, key="relevance_score"):
    return [{"index": index, key: score} for index, score in enumerate(scores)]


async def rank(endpoint, candidates=ITEMS, feedback=LIKED, budget=None, cache=None, **options):
    return await rank_with_reranker(
        endpoint, USER, feedback, candidates, RerankSettings(**options), budget=budget, cache=cache
    )


DOCUMENTS = ["film a", "film b", "film c"]
CONTRACTS = [
    (
        "jina",
        "/v1/rerank",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS, "top_n": 3, "return_documents": False},
        {"model": "m", "usage": {"total_tokens": 9}, "results": results(0.1, 0.9, 0.5)},
        9,
    ),
    (
        "cohere",
        "/v2/rerank",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS, "top_n": 3},
        {"id": "x", "results": results(0.1, 0.9, 0.5), "meta": {"billed_units": {"search_units": 1}}},
        None,
    ),
    (
        "vllm",
        "/v1/rerank",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS},
        {
            "id": "x",
            "usage": {"prompt_tokens": 9, "total_tokens": 9},
            "results": [
                {"index": 1, "document": {"text": "film b"}, "relevance_score": 0.9},
                {"index": 2, "document": {"text": "film c"}, "relevance_score": 0.5},
                {"index": 0, "document": {"text": "film a"}, "relevance_score": 0.1},
            ],
        },
        9,
    ),
    (
        "tei",
        "/rerank",
        {"query": "Star Trek\n", "texts": DOCUMENTS, "truncate": True},
        results(0.1, 0.9, 0.5, key="score"),
        None,
    ),
    (
        "dashscope",
        "/compatible-api/v1/reranks",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS, "top_n": 3},
        {"results": results(0.1, 0.9, 0.5)},
        None,
    ),
    (
        "dashscope-native",
        "/api/v1/services/rerank/text-rerank/text-rerank",
        {
            "model": "m",
            "input": {"query": "Star Trek\n", "documents": DOCUMENTS},
            "parameters": {"top_n": 3, "return_documents": False},
        },
        {"output": {"results": results(0.1, 0.9, 0.5)}, "usage": {"total_tokens": 9}, "request_id": "x"},
        9,
    ),
    (
        "llama.cpp",
        "/v1/rerank",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS, "top_n": 3},
        {"model": "m", "usage": {"total_tokens": 9}, "results": results(-7.5, 2.25, -0.5)},
        9,
    ),
    (
        "nim",
        "/v1/ranking",
        {
            "model": "m",
            "query": {"text": "Star Trek\n"},
            "passages": [{"text": text} for text in DOCUMENTS],
            "truncate": "END",
        },
        {"rankings": results(-7.5, 2.25, -0.5, key="logit")},
        None,
    ),
    (
        "infinity",
        "/rerank",
        {"model": "m", "query": "Star Trek\n", "documents": DOCUMENTS, "top_n": 3, "return_documents": False},
        {
            "results": [entry | {"document": None} for entry in results(0.1, 0.9, 0.5)],
            "usage": {"total_tokens": 9},
        },
        9,
    ),
]


@pytest.mark.parametrize(
    ("profile", "path", "request_body", "reply", "tokens"),
    CONTRACTS,
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_contract_of_each_vendor(server, endpoint, profile, path, request_body, reply, tokens):
    server.script(path, json_reply(reply))
    ranking = await rank(dataclasses.replace(endpoint, base_url=server.url("").rstrip("/")), profile=profile)
    (hit,) = server.hits_of(path)
    assert hit.json == request_body
    assert hit.headers["authorization"] == "Bearer sk-very-secret-1234"
    assert (ranking.order, ranking.status) == ((1, 2, 0), "ok")
    (call,) = ranking.calls
    assert call.is_estimated == (tokens is None)
    # the query of 10 characters is 4 tokens and is read with each of three documents of 2
    assert call.tokens_in == (tokens or 3 * (4 + 2))


@pytest.mark.parametrize(
    ("reported", "tokens"), [(7, 7), (-7, None), (10**30, None), (True, None), ("7", None)]
)
def test_tokens_that_no_budget_could_book_are_not_believed(reported, tokens):
    body = json.dumps({"results": results(0.5), "usage": {"total_tokens": reported}}).encode()
    assert read_scores(body, 1) == ((0.5,), tokens)


def test_every_profile_has_a_contract():
    assert {contract[0] for contract in CONTRACTS} == set(PROFILES) == set(RERANK_PROFILES)


@pytest.mark.parametrize("profile", RERANK_PROFILES)
@pytest.mark.parametrize(
    "reply", [contract[3] for contract in CONTRACTS], ids=[contract[0] for contract in CONTRACTS]
)
async def test_an_answer_of_any_shape_is_recognised_under_any_profile(server, endpoint, profile, reply):
    path = PROFILES[profile].path
    server.script(path, json_reply(reply))
    ranking = await rank(dataclasses.replace(endpoint, base_url=server.url("")), profile=profile)
    assert ranking.order == (1, 2, 0)


@pytest.mark.parametrize(
    ("base", "profile", "url"),
    [
        ("http://h", "jina", "http://h/v1/rerank"),
        ("http://h/", "tei", "http://h/rerank"),
        ("http://h/v1", "jina", "http://h/v1/rerank"),
        ("http://h/v1/", "cohere", "http://h/v1/rerank"),
        ("http://h/v1/rerank", "cohere", "http://h/v1/rerank"),
        ("http://h/reranking", "llama.cpp", "http://h/reranking"),
        ("http://h/proxy", "jina", "http://h/proxy/v1/rerank"),
        ("http://h/compatible-api", "dashscope", "http://h/compatible-api/v1/reranks"),
        ("http://h/api/v1", "dashscope-native", "http://h/api/v1/services/rerank/text-rerank/text-rerank"),
    ],
)
def test_addresses_are_joined_and_never_doubled(base, profile, url):
    assert rerank_url(Endpoint(base, "m"), PROFILES[profile]) == url


@pytest.mark.parametrize(
    ("document", "scores"),
    [
        ({"results": results(0.5, "0.25", None)}, (0.5, 0.25, None)),
        ({"results": results(float("nan"), float("inf"), 1)}, (None, None, 1.0)),
        ({"results": [{"index": 1, "score": 2}, {"index": 1, "score": 9}]}, (None, 2.0, None)),
        (
            {"results": [{"index": 3, "score": 2}, {"index": -1, "score": 9}, {"index": "0", "score": 1}]},
            (None,) * 3,
        ),
        ({"results": [{"index": True, "score": 2}, {"score": 2}, 5, None]}, (None,) * 3),
        ({"results": results("x", [1], {"a": 1})}, (None,) * 3),
        ({"results": results(True, 10**400, -3)}, (None, None, -3.0)),
        ({"data": results(1, 2, 3, key="score")}, (1.0, 2.0, 3.0)),
        ({"results": []}, (None,) * 3),
    ],
)
def test_scores_are_checked_one_by_one(document, scores):
    assert read_scores(json.dumps(document).encode(), 3)[0] == scores


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"results": 3}', b'{"output": []}', b"[" * 9999, b'"x"']
)
def test_an_answer_without_a_list_is_unreadable(body):
    with pytest.raises(ReplyUnreadable) as caught:
        read_scores(body, 3)
    assert caught.value.kind == "no_scores"


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ((0.1, 0.3, 0.2), [1, 2, 0]),
        ((0.6050984, 0.6050983, 0.6050984), [0, 1, 2]),
        ((0.60509, 0.60511, 0.60509), [1, 0, 2]),
        ((None, 0.1, None), [1, 0, 2]),
        ((-5.0, -1.0, -3.0), [1, 2, 0]),
        ((None, None), [0, 1]),
    ],
)
def test_ties_within_a_millionth_and_missing_scores_keep_the_incoming_order(scores, order):
    assert order_by_score(scores) == order


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["results", "data", "index", "score", "relevance_score", "output", "usage"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), VALUES.map(lambda value: json.dumps(value).encode())), st.integers(0, 5)
)
def test_any_body_gives_an_order_or_a_service_error(body, n):
    try:
        scores, _ = read_scores(body, n)
    except ServiceError:
        return
    assert sorted(order_by_score(scores)) == list(range(n))


async def test_a_missing_score_is_partial_and_said(server, endpoint):
    server.script(JINA, json_reply({"results": results(0.1, None, 0.9)}))
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.status, ranking.reason) == ((2, 0, 1), "partial", "missing")
    assert ranking.origins == ("ranked", "appended", "ranked")


async def test_no_usable_score_is_failed_in_incoming_order(server, endpoint):
    server.script(JINA, json_reply({"results": []}))
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.status) == ((0, 1, 2), "failed")


def score_all(exchange):
    """Scores a document by the number at its end."""
    texts = exchange.hit.json["documents"]
    json_reply({"results": results(*(float(text.split()[-1]) for text in texts))})(exchange)


MANY = [{"ItemId": f"i{n}", "Comment": f"film {n}"} for n in range(10)]


async def test_batches_respect_the_setting_and_are_compared_with_each_other(server, endpoint):
    server.script(JINA, score_all)
    ranking = await rank(endpoint, MANY, batch_size=4)
    assert [len(hit.json["documents"]) for hit in server.hits_of(JINA)] == [4, 4, 2]
    assert ranking.order == tuple(range(9, -1, -1))
    assert [call.positions for call in ranking.calls] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]


@pytest.mark.parametrize(
    ("refusal", "sizes", "remembered"),
    [
        (status(413, {"error": "batch size 10 > maximum allowed batch size 4"}), [10, 4, 4, 2], "4"),
        (status(422, {"error": "batch size 10 > maximum allowed batch size 4"}), [10, 4, 4, 2], "4"),
        (status(413, ""), [10, 5, 5], "5"),
    ],
)
async def test_a_batch_that_is_too_large_is_split_and_the_limit_remembered(
    server, endpoint, refusal, sizes, remembered
):
    server.script(JINA, refusal, score_all)
    ranking = await rank(endpoint, MANY)
    assert [len(hit.json["documents"]) for hit in server.hits_of(JINA)] == sizes
    assert ranking.order == tuple(range(9, -1, -1))
    assert capabilities_of(endpoint)[BATCH_CAPABILITY] == remembered
    await rank(endpoint, MANY)
    assert len(server.hits_of(JINA)[len(sizes)].json["documents"]) == int(remembered)


async def test_a_service_that_takes_no_batch_at_all_is_given_up(server, endpoint):
    server.script(JINA, status(413))
    ranking = await rank(endpoint, MANY)
    assert [len(hit.json["documents"]) for hit in server.hits_of(JINA)] == [10, 5, 2, 1]
    assert (ranking.order, ranking.reason) == (tuple(range(10)), "batch_too_large")


def test_batch_size_is_the_least_of_all_limits(endpoint):
    documents = ["film"] * 5000
    assert batch_size(endpoint, RerankSettings(profile="tei"), "q", documents) == 32
    assert batch_size(endpoint, RerankSettings(profile="jina"), "q", documents) == 5000
    assert batch_size(endpoint, RerankSettings(profile="tei", batch_size=8), "q", documents) == 8
    # 4,500 characters are 1,500 tokens, a document 2: 79 * 1,502 = 118,658, one more passes 120,000
    assert batch_size(endpoint, RerankSettings(profile="dashscope"), "q" * 4500, documents) == 79
    remember_refusal(endpoint, BATCH_CAPABILITY, "7")
    assert batch_size(endpoint, RerankSettings(profile="jina"), "q", documents) == 7


async def test_texts_that_are_too_long_are_cut_to_half_once(server, endpoint):
    too_long = status(400, {"error": "This model's maximum context length is 512 tokens"})
    server.script(JINA, too_long, json_reply({"results": results(0.1, 0.9, 0.5)}))
    assert (await rank(endpoint)).order == (1, 2, 0)
    assert [hit.json["documents"][0] for hit in server.hits_of(JINA)] == ["film a", "fil"]
    server.script(JINA, too_long)
    ranking = await rank(endpoint)
    assert (ranking.reason, server.count(JINA)) == ("context_length", 2)


async def test_a_refused_parameter_is_left_out_and_remembered(server, endpoint):
    server.script(
        JINA,
        status(
            422, {"detail": [{"loc": ["body", "return_documents"], "msg": "x", "type": "extra_forbidden"}]}
        ),
        json_reply({"results": results(0.1, 0.9, 0.5)}),
    )
    await rank(endpoint)
    await rank(endpoint)
    assert ["return_documents" in hit.json for hit in server.hits_of(JINA)] == [True, False, False]


@pytest.mark.parametrize(
    ("handler", "hits", "reason"),
    [
        (status(401), 1, "auth"),
        (status(404), 1, "not_found"),
        (status(400, {"error": "no"}), 1, "bad_request"),
        (status(200, "<html>"), 2, "unreadable"),
        (json_reply({"error": {"message": "no", "code": "invalid_api_key"}}), 1, "auth"),
        (json_reply({"hello": 1}), 1, "no_scores"),
    ],
)
async def test_failures_keep_the_incoming_order(server, endpoint, handler, hits, reason):
    server.script(JINA, handler)
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.status, ranking.reason) == ((0, 1, 2), "failed", reason)
    assert server.count(JINA) == hits
    assert "secret" not in ranking.message


async def test_a_user_without_history_has_no_query_and_makes_no_call(server, endpoint):
    ranking = await rank(endpoint, feedback=[])
    assert (ranking.order, ranking.reason, len(server.hits)) == ((0, 1, 2), "empty_query", 0)


async def test_one_candidate_makes_no_call_and_repeats_come_last(server, endpoint):
    assert (await rank(endpoint, ITEMS[:1])).order == (0,)
    assert len(server.hits) == 0
    server.script(JINA, json_reply({"results": results(0.1, 0.9)}))
    assert (await rank(endpoint, [ITEMS[0], ITEMS[0], ITEMS[1]])).order == (2, 0, 1)


async def test_templates_are_ours_or_fail_with_their_place(server, endpoint):
    server.script(JINA, json_reply({"results": results(0.1, 0.9, 0.5)}))
    await rank(endpoint, query_template="for {{ user.Comment }}", document_template="{{ item.ItemId }}")
    sent = server.hits_of(JINA)[0].json
    assert (sent["query"], sent["documents"]) == ("for A reader", ["a", "b", "c"])
    ranking = await rank(endpoint, document_template="\n{{ items }}")
    assert (ranking.order, ranking.reason, ranking.error.line) == ((0, 1, 2), "template", 2)


async def test_an_empty_document_is_sent_as_a_dash(server, endpoint):
    server.script(JINA, json_reply({"results": results(0.1, 0.9, 0.5)}))
    await rank(endpoint, document_template="{% if item.ItemId != 'a' %}x{% endif %}")
    assert server.hits_of(JINA)[0].json["documents"] == ["-", "x", "x"]


async def test_the_budget_is_asked_and_told(server, endpoint):
    server.script(JINA, json_reply({"results": results(0.1, 0.9, 0.5), "usage": {"total_tokens": 9}}))
    budget = Limit("today", max_tokens=20)
    assert (await rank(endpoint, budget=budget)).status == "ok"
    assert budget.tokens == 9
    assert (await rank(endpoint, budget=budget)).reason == "budget"  # about 18 more do not fit
    assert server.count(JINA) == 1


async def test_an_answer_is_kept_and_costs_nothing_the_second_time(server, endpoint):
    server.script(JINA, json_reply({"usage": {"total_tokens": 9}, "results": results(0.1, None, 0.5)}))
    cache = {}
    first, second = [await rank(endpoint, cache=cache) for _ in range(2)]
    assert (first.order, first.status) == (second.order, second.status) == ((2, 0, 1), "partial")
    assert (server.count(JINA), len(cache)) == (1, 1)
    (call,) = second.calls
    assert (call.is_kept, call.cost, call.scores) == (True, 0.0, (0.1, None, 0.5))
    assert (call.answer, second.tokens) == (first.calls[0].answer, 0)


@pytest.mark.parametrize(
    "change", [{"feedback": LIKED * 2}, {"candidates": ITEMS[:2]}, {"profile": "cohere"}]
)
async def test_another_question_is_asked(server, endpoint, change):
    server.script(JINA, json_reply({"results": results(0.1, 0.9)}))
    server.script("/v2/rerank", json_reply({"results": results(0.1, 0.9)}))
    cache = {}
    await rank(endpoint, cache=cache, query_template="{{ feedback | length }}")
    await rank(endpoint, cache=cache, query_template="{{ feedback | length }}", **change)
    assert len(server.hits) == len(cache) == 2


@pytest.mark.parametrize("handler", [status(400, "no"), json_reply({"results": results(None, None, None)})])
async def test_what_is_no_answer_is_not_kept(server, endpoint, handler):
    server.script(JINA, handler)
    cache = {}
    assert (await rank(endpoint, cache=cache)).status == "failed"
    assert cache == {}


async def test_each_batch_is_kept_by_itself(server, endpoint):
    server.script(
        JINA,
        json_reply({"results": results(0.1, 0.9)}),
        status(400, "no"),
        json_reply({"results": results(0.5)}),
    )
    cache = {}
    assert (await rank(endpoint, cache=cache, batch_size=2)).status == "failed"
    assert (await rank(endpoint, cache=cache, batch_size=2)).order == (1, 2, 0)
    assert server.count(JINA) == 3  # the first batch was not asked again


async def test_a_fault_of_the_cache_only_costs_a_call(server, endpoint):
    class Broken(dict):
        def get(self, key):
            raise OSError("disk gone")

        def __setitem__(self, key, value):
            raise OSError("disk gone")

    server.script(JINA, json_reply({"results": results(0.1, 0.9, 0.5)}))
    ranking = await rank(endpoint, cache=Broken())
    assert (ranking.order, ranking.status) == ((1, 2, 0), "ok")
    assert ranking.notes == (
        "A kept answer could not be read: disk gone.",
        "The answer could not be kept: disk gone.",
    )
