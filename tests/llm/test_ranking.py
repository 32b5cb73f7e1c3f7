"""Techniques of the chat ranker: what is asked, how answers become one order, what is kept and counted."""

import asyncio
import dataclasses
import itertools
import json

import pytest

from recflow.errors import SandboxLimit
from recflow.llm import ranking as ranking_module
from recflow.llm.aggregation import agreement, borda, window_starts
from recflow.llm.budget import Limit
from recflow.llm.endpoint import Price
from recflow.llm.prompts import DEFAULT_TEMPLATE, PromptTemplate
from recflow.llm.ranking import rank_with_llm
from recflow.llm.settings import LlmSettings
from tests.scripted_server import hang, json_reply, status

CHAT = "/v1/chat/completions"
TEMPLATE = PromptTemplate("{% for i in items %}{{ i.ItemId }},{{ i.Comment }}\n{% endfor %}")


def items(n):
    return [{"ItemId": f"id{i}", "Comment": f"text {i}"} for i in range(n)]


def answer(content, **fields):
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]} | fields


def shown(hit):
    """Descriptions in the order a request lists them."""
    lines = hit.json["messages"][-1]["content"].strip().split("\n")
    return [int(line.rpartition(" ")[2]) for line in lines]


def judge(key):
    """A model that sorts what it is shown by ``key`` of the candidate's number."""

    def handler(exchange):
        numbers = shown(exchange.hit)
        order = sorted(range(len(numbers)), key=lambda place: key(numbers[place]))
        body = json.dumps(answer("\n".join(str(place + 1) for place in order)))
        exchange.reply(200, body, {"Content-Type": "application/json"})

    return handler


async def rank(endpoint, candidates, *, template=TEMPLATE, feedback=(), budget=None, cache=None, **settings):
    return await rank_with_llm(
        endpoint,
        template,
        {},
        list(feedback),
        candidates,
        LlmSettings(**settings),
        budget=budget,
        cache=cache,
    )


# Arithmetic


@pytest.mark.parametrize(
    ("n", "size", "step", "starts"),
    [
        (100, 20, 10, [80, 70, 60, 50, 40, 30, 20, 10, 0]),
        (25, 20, 10, [5, 0]),
        (20, 20, 10, [0]),
        (5, 20, 10, [0]),
        (21, 20, 10, [1, 0]),
        (30, 10, 10, [20, 10, 0]),
        (10, 4, 9, [6, 2, 0]),
    ],
)
def test_windows_run_from_the_end_to_the_front_without_gaps(n, size, step, starts):
    assert window_starts(n, size, step) == starts


def test_borda_adds_points_and_lets_the_undecided_share_theirs():
    # 0: 3 + 1 = 4, 1: 2 + 2 = 4, 2: 1 + 3 = 4: all tied, so as they came
    assert borda([([0, 1, 2], 3), ([2, 1, 0], 3)], 3) == [0, 1, 2]
    # 2 is first twice: 6; of the second answer only 2 was ranked, so 0 and 1 share (2 + 1) / 2 = 1.5 each:
    # 1: 2 + 1.5, 0: 1 + 1.5
    assert borda([([2, 1, 0], 3), ([2, 0, 1], 1)], 3) == [2, 1, 0]
    assert borda([], 3) == [0, 1, 2]


def test_agreement_is_the_mean_kendall_tau():
    assert agreement([[0, 1, 2], [0, 1, 2]]) == 1.0
    assert agreement([[0, 1, 2], [2, 1, 0]]) == -1.0
    # one of three pairs swapped: 1 - 2/3
    assert agreement([[0, 1, 2], [1, 0, 2]]) == pytest.approx(1 / 3)
    # pairs: same 1, two with 1/3
    assert agreement([[0, 1, 2], [0, 1, 2], [1, 0, 2]]) == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert agreement([[0, 1]]) is None
    assert agreement([[0], [0]]) is None


# One call


@pytest.mark.parametrize("n", [0, 1])
async def test_nothing_to_order_makes_no_call(server, endpoint, n):
    ranking = await rank(endpoint, items(n))
    assert (ranking.order, ranking.status, len(server.hits)) == (tuple(range(n)), "ok", 0)


async def test_candidates_that_repeat_are_shown_once_and_come_last(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    doubled = [items(3)[i] for i in (0, 1, 0, 2, 1)]
    ranking = await rank(endpoint, doubled)
    assert shown(server.hits_of(CHAT)[0]) == [0, 1, 2]
    assert ranking.order == (3, 1, 0, 2, 4)
    assert ranking.origins == ("ranked", "ranked", "incoming", "ranked", "incoming")
    assert ranking.status == "ok"


async def test_only_repeats_of_one_candidate_make_no_call(server, endpoint):
    ranking = await rank(endpoint, [items(1)[0]] * 3)
    assert (ranking.order, len(server.hits)) == ((0, 1, 2), 0)


async def test_ids_are_used_when_aliases_are_off(server, endpoint):
    server.script(CHAT, json_reply(answer("id2\nid0\nid1")))
    ranking = await rank(endpoint, items(3), use_aliases=False)
    assert server.hits_of(CHAT)[0].json["messages"][0]["content"].startswith("id0,text 0\n")
    assert ranking.order == (2, 0, 1)


async def test_the_record_of_a_call_holds_all_that_a_preview_shows(server, endpoint):
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    server.script(CHAT, status(500), json_reply(answer("id\n3\n1\n1\n9", usage=usage, model="m-2")))
    priced = dataclasses.replace(endpoint, price=Price(1.0, 10.0))
    ranking = await rank(priced, items(3))
    (call,) = ranking.calls
    assert call.sent == tuple(server.hits_of(CHAT)[0].json["messages"])
    assert (call.answer, call.model, call.finish_reason) == ("id\n3\n1\n1\n9", "m-2", "stop")
    assert (call.tokens_in, call.tokens_out, call.tokens_cached, call.tokens_reasoning) == (100, 10, 40, 4)
    assert not call.is_estimated
    assert call.cost == pytest.approx((100 * 1 + 10 * 10) / 1e6)
    assert [attempt.status for attempt in call.attempts] == [500, 200]
    assert call.ms > 0
    assert [(token.text, token.reason) for token in call.dropped] == [
        ("id", "header"),
        ("1", "duplicate"),
        ("9", "unknown"),
    ]
    assert (ranking.tokens, ranking.cost) == (110, call.cost)
    # 3 aliases of 1 + 1 tokens and the margin of 64
    assert call.parameters == {"model": "m", "stream": False, "temperature": 0.0, "max_tokens": 70}


async def test_unknown_price_is_unknown_and_not_zero(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    assert (await rank(endpoint, items(2))).cost is None


async def test_same_input_gives_the_same_bytes(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    await rank(endpoint, items(5), technique="shuffle", seed=3)
    await rank(endpoint, items(5), technique="shuffle", seed=3)
    bodies = sorted(hit.body for hit in server.hits_of(CHAT))
    assert bodies[0::2] == bodies[1::2]


async def test_json_schema_names_exactly_the_candidates(server, endpoint):
    server.script(CHAT, json_reply(answer('{"ranking": ["2", "1"]}')))
    ranking = await rank(endpoint, items(2), response_format="json_schema", template=DEFAULT_TEMPLATE)
    sent = server.hits_of(CHAT)[0].json
    assert sent["response_format"]["json_schema"]["schema"]["properties"]["ranking"]["items"]["enum"] == [
        "1",
        "2",
    ]
    assert '{"ranking": [' in sent["messages"][0]["content"]
    assert ranking.order == (1, 0)


# Windows


async def test_windows_carry_the_best_of_the_end_to_the_front(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(8), technique="windows", window_size=4, window_step=2)
    hits = server.hits_of(CHAT)
    # the best two of each window take part in the next
    assert [shown(hit) for hit in hits] == [[4, 5, 6, 7], [2, 3, 7, 6], [0, 1, 7, 6]]
    assert ranking.order == (7, 6, 1, 0, 3, 2, 5, 4)
    assert (ranking.status, len(ranking.calls)) == ("ok", 3)


async def test_a_long_list_is_ranked_in_windows_and_says_so(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(5), most_in_one_call=4, window_size=4, window_step=2)
    assert server.count(CHAT) == 2
    assert ranking.notes == ("5 candidates were ranked in windows of 4.",)


async def test_a_service_that_dies_before_the_top_was_ranked_gave_no_ranking(server, endpoint):
    server.script(CHAT, judge(lambda number: -number), status(401))
    ranking = await rank(endpoint, items(6), technique="windows", window_size=4, window_step=2)
    assert ranking.order == (0, 1, 2, 3, 4, 5)
    assert (ranking.status, ranking.reason, server.count(CHAT)) == ("failed", "auth", 2)
    assert ranking.origins == ("incoming",) * 6
    assert ranking.notes == ("The ranking stopped after 1 of 2 windows.",)
    assert len(ranking.calls) == 2  # what was paid for is told all the same


async def test_a_top_window_without_a_candidate_in_its_answer_is_no_ranking(server, endpoint):
    nothing = json_reply({"choices": [{"message": {"content": "What a nice list."}}]})
    server.script(CHAT, judge(lambda number: -number), nothing)
    ranking = await rank(endpoint, items(6), technique="windows", window_size=4, window_step=2)
    assert (ranking.order, ranking.status, ranking.reason) == ((0, 1, 2, 3, 4, 5), "failed", "no_candidate")
    server.script(CHAT, nothing, judge(lambda number: -number))
    ranking = await rank(endpoint, items(6), technique="windows", window_size=4, window_step=2)
    assert (ranking.order, ranking.status) == ((3, 2, 1, 0, 4, 5), "partial")  # the tail stays as it came


async def test_a_budget_that_ends_between_windows_leaves_no_ranking(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    windows = {"technique": "windows", "window_size": 4, "window_step": 2}
    whole = await rank(endpoint, items(20), **windows)
    assert (whole.status, server.count(CHAT)) == ("ok", 9)
    three = sum(call.tokens_in + call.tokens_out for call in whole.calls[:3])
    budget = Limit("this run", three + max(call.estimate.total for call in whole.calls))
    ranking = await rank(endpoint, items(20), budget=budget, **windows)
    assert 9 + 1 < server.count(CHAT) < 9 + 9
    assert (ranking.order, ranking.status, ranking.reason) == (tuple(range(20)), "failed", "budget")


@pytest.fixture
def stopped(monkeypatch):
    """The sandbox stops the second of all prompts, as it does when a machine is too busy for one."""
    numbers = itertools.count(1)
    build = ranking_module.build_messages

    async def build_or_stop(*given):
        if next(numbers) == 2:
            raise SandboxLimit("It ran longer than 1 s and was stopped.")
        return await build(*given)

    monkeypatch.setattr(ranking_module, "build_messages", build_or_stop)


async def test_a_prompt_that_is_stopped_between_windows_leaves_no_ranking(server, endpoint, stopped):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(6), technique="windows", window_size=4, window_step=2)
    assert ranking.order == (0, 1, 2, 3, 4, 5)
    assert (ranking.status, ranking.reason, server.count(CHAT)) == ("failed", "template", 1)


async def test_one_prompt_that_is_stopped_does_not_spoil_the_other_shuffles(server, endpoint, stopped):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(4), technique="shuffle", shuffles=3)
    assert (ranking.order, ranking.status, server.count(CHAT)) == ((3, 2, 1, 0), "ok", 2)
    assert ranking.notes == ("1 of 3 calls failed: It ran longer than 1 s and was stopped.",)


async def test_a_prompt_over_the_token_limit_is_split_into_windows(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    # a line such as "1,text 1\n" has 9 characters, so 12 of them about 36 tokens; aliases 12 * 2 (1 each and
    # its line end), margin 64
    ranking = await rank(endpoint, items(12), token_limit=100)
    assert ranking.status == "ok"
    sizes = [len(shown(hit)) for hit in server.hits_of(CHAT)]
    assert max(sizes) < 12
    assert sorted(set(itertools.chain(*(shown(hit) for hit in server.hits_of(CHAT))))) == list(range(12))
    assert "do not fit 100 tokens" in ranking.notes[0]


@pytest.mark.parametrize(
    "chosen",
    [{"technique": "shuffle"}, {"technique": "windows", "window_size": 12, "window_step": 6}],
    ids=["shuffle", "windows"],
)
async def test_whatever_was_chosen_gives_way_to_windows_that_fit(server, endpoint, chosen):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(12), token_limit=100, **chosen)
    assert ranking.status == "ok"
    assert max(len(shown(hit)) for hit in server.hits_of(CHAT)) < 12
    assert ranking.notes[0].startswith("12 candidates do not fit 100 tokens; the list was ranked in windows")


async def test_windows_shrink_again_where_candidates_have_more_to_tell_than_most(server, endpoint):
    server.script(CHAT, judge(lambda number: -number))
    told = [{"ItemId": f"id{i}", "Comment": f"{'x' * (30 if i >= 8 else 1)} {i}"} for i in range(12)]
    ranking = await rank(endpoint, told, token_limit=128)
    assert ranking.status == "ok"
    sizes = [int(note.rpartition(" ")[2].rstrip(".")) for note in ranking.notes]
    assert sizes == sorted(set(sizes), reverse=True)
    assert 12 > sizes[0] > sizes[-1] >= 2
    assert {len(shown(hit)) for hit in server.hits_of(CHAT)} == {sizes[-1]}


async def test_a_limit_that_no_window_fits_fails_without_a_call(server, endpoint):
    ranking = await rank(endpoint, items(4), token_limit=50)
    assert (ranking.order, ranking.reason, len(server.hits)) == ((0, 1, 2, 3), "context_length", 0)
    assert "limit of 50" in ranking.message


# Shuffling


@pytest.mark.parametrize("n_calls", [1, 3, 5])
async def test_shuffle_asks_in_seeded_orders_and_adds_up(server, endpoint, n_calls):
    server.script(CHAT, judge(lambda number: -number))
    ranking = await rank(endpoint, items(6), technique="shuffle", shuffles=n_calls, seed=1)
    orders = [tuple(shown(hit)) for hit in server.hits_of(CHAT)]
    assert len(orders) == n_calls
    assert len(set(orders)) == n_calls
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert ranking.order == (5, 4, 3, 2, 1, 0)
    assert ranking.agreement == (1.0 if n_calls > 1 else None)


async def test_shuffle_cancels_the_bias_of_a_model_that_echoes(server, endpoint):
    server.script(CHAT, judge(lambda _number: 0))
    ranking = await rank(endpoint, items(6), technique="shuffle", shuffles=3, seed=1)
    assert ranking.order != tuple(range(6))
    assert ranking.agreement < 0.5


async def test_one_failed_shuffle_does_not_spoil_the_others(server, endpoint):
    server.script(CHAT, judge(lambda number: -number), judge(lambda number: -number), status(400, "no"))
    ranking = await rank(endpoint, items(4), technique="shuffle", shuffles=3)
    assert (ranking.order, ranking.status) == ((3, 2, 1, 0), "ok")
    assert ranking.notes[0].startswith("1 of 3 calls failed")


async def test_all_shuffles_failed_is_failed(server, endpoint):
    server.script(CHAT, status(400, "no"))
    ranking = await rank(endpoint, items(4), technique="shuffle", shuffles=3)
    assert (ranking.order, ranking.status, ranking.reason) == ((0, 1, 2, 3), "failed", "bad_request")
    assert len(ranking.calls) == 3


# Cache


async def test_a_good_answer_is_kept_and_costs_nothing_the_second_time(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    cache = {}
    first = await rank(endpoint, items(2), cache=cache)
    second = await rank(endpoint, items(2), cache=cache)
    assert (first.order, second.order, server.count(CHAT), len(cache)) == ((1, 0), (1, 0), 1, 1)
    assert (second.calls[0].is_kept, second.cost, second.tokens) == (True, 0.0, 0)
    assert second.calls[0].answer == "2\n1"
    assert all(isinstance(value, bytes) for value in cache.values())


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        {"seed": 1, "send_seed": True},
        {"use_aliases": False},
        {"max_output_tokens": 5},
        {"response_format": "json_object"},
    ],
)
async def test_another_question_is_another_key(server, endpoint, change):
    server.script(CHAT, json_reply(answer("2\n1\nid1\nid0")))
    cache = {}
    await rank(endpoint, items(2), cache=cache)
    await rank(endpoint, items(2), cache=cache, **change)
    assert (server.count(CHAT), len(cache)) == (2, 2)


async def test_another_model_or_text_is_another_key(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    cache = {}
    await rank(endpoint, items(2), cache=cache)
    await rank(dataclasses.replace(endpoint, model="n"), items(2), cache=cache)
    await rank(endpoint, [*items(1), {"ItemId": "id1", "Comment": "other"}], cache=cache)
    assert (server.count(CHAT), len(cache)) == (3, 3)


async def test_an_answer_that_was_kept_for_another_parser_is_not_used(server, endpoint, monkeypatch):
    server.script(CHAT, json_reply(answer("2\n1")))
    cache = {}
    await rank(endpoint, items(2), cache=cache)
    monkeypatch.setattr(ranking_module, "PARSER_VERSION", ranking_module.PARSER_VERSION + 1)
    await rank(endpoint, items(2), cache=cache)
    assert (server.count(CHAT), len(cache)) == (2, 2)


@pytest.mark.parametrize("content", ["prose only", ""])
async def test_failed_answers_are_not_kept(server, endpoint, content):
    server.script(CHAT, json_reply(answer(content)))
    cache = {}
    await rank(endpoint, items(2), cache=cache)
    assert cache == {}


@pytest.mark.parametrize("names", [{}, {"use_aliases": False}], ids=["short names", "ids"])
async def test_a_key_that_the_service_repeats_is_neither_read_nor_kept(server, endpoint, names):
    kept, key = {}, endpoint.key
    content = f"2\nid2\n{'y' * 110}{key}\n1\nid1\n{key}"
    server.script(CHAT, json_reply(answer(content, model=key)))
    for _ in range(2):
        ranking = await rank(endpoint, items(3), cache=kept, **names)
        assert ranking.order[0] == (2 if names else 1)
        assert len(ranking.calls[0].dropped) > 1
        assert key[:9] not in repr(ranking)
    assert server.count(CHAT) == len(kept) == 1
    assert key.encode() not in b"".join(kept.values())


async def test_a_key_that_is_also_the_name_of_a_candidate_spoils_no_ranking(server, endpoint):
    local = dataclasses.replace(endpoint, key="id2")  # some local services take any word for a key
    server.script(CHAT, json_reply(answer("id2\nid1\nid0")))
    assert (await rank(local, items(3), use_aliases=False)).order == (2, 1, 0)


class BrokenCache(dict):
    def get(self, key, default=None):
        raise OSError("disk gone")

    def __setitem__(self, key, value):
        raise OSError("disk gone")


async def test_a_fault_of_the_cache_only_costs_a_call(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    ranking = await rank(endpoint, items(2), cache=BrokenCache())
    assert (ranking.order, ranking.status) == ((1, 0), "ok")
    assert ranking.notes == (
        "A kept answer could not be read: disk gone.",
        "The answer could not be kept: disk gone.",
    )


async def test_a_kept_answer_that_makes_no_sense_is_asked_again(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    cache = {}
    await rank(endpoint, items(2), cache=cache)
    cache[next(iter(cache))] = b'{"half": '
    assert (await rank(endpoint, items(2), cache=cache)).order == (1, 0)
    assert server.count(CHAT) == 2


# Budget


async def test_a_used_up_token_budget_makes_no_call(server, endpoint):
    ranking = await rank(endpoint, items(3), budget=Limit("this run", max_tokens=10))
    assert (ranking.order, ranking.status, ranking.reason) == ((0, 1, 2), "failed", "budget")
    # 27 characters are 9 tokens, the answer 3 * 2 + 64
    assert ranking.message == (
        "The limit of 10 tokens for this run would be passed: 0 are used, this call needs about 79."
    )
    assert len(server.hits) == 0
    assert ranking.calls[0].cost == 0.0


async def test_the_budget_counts_what_was_really_used(server, endpoint):
    usage = {"prompt_tokens": 30, "completion_tokens": 4}
    server.script(CHAT, json_reply(answer("2\n1", usage=usage)))
    budget = Limit("today", max_tokens=1000, max_cost=1.0)
    await rank(dataclasses.replace(endpoint, price=Price(1000.0, 1000.0)), items(2), budget=budget)
    assert (budget.tokens, budget.cost) == (34, pytest.approx(0.034))


async def test_failed_attempts_count_against_the_budget(server, endpoint):
    usage = {"prompt_tokens": 6, "completion_tokens": 2}
    server.script(CHAT, status(500), json_reply(answer("2\n1", usage=usage)))
    budget = Limit("today")
    await rank(endpoint, items(2), budget=budget)
    assert budget.tokens == 6 + 2 + 6  # the failed attempt carried the prompt of 18 characters too
    server.script(CHAT, status(400))
    await rank(endpoint, items(2), budget=budget)
    assert budget.tokens == 14 + 6


async def test_a_cancelled_call_leaves_only_its_prompt_booked(server, endpoint):
    server.script(CHAT, hang())
    budget = Limit("today")
    task = asyncio.create_task(rank(endpoint, items(2), budget=budget))
    assert await asyncio.to_thread(server.wait_for_hit, CHAT)
    assert budget.tokens == 6 + 2 * 2 + 64  # prompt, two numbers with their line ends, margin
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.tokens == 6


async def test_a_money_limit_refuses_what_has_no_price(server, endpoint):
    ranking = await rank(endpoint, items(2), budget=Limit("today", max_cost=1.0))
    assert ranking.reason == "budget"
    assert ranking.message.endswith("because the price of this model is unknown.")


async def test_the_money_limit_holds(server, endpoint):
    server.script(CHAT, json_reply(answer("2\n1")))
    priced = dataclasses.replace(endpoint, price=Price(1000.0, 1000.0))
    # a call is estimated at 6 + 68 tokens, 0.074, and then uses 6 + 1, 0.007
    budget = Limit("today", max_cost=0.082)
    reasons = [(await rank(priced, items(2), budget=budget)).reason for _ in range(3)]
    assert (reasons, server.count(CHAT)) == (["", "", "budget"], 2)
    assert budget.cost == pytest.approx(0.014)
