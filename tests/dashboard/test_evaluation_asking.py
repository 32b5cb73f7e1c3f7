"""Questions to an endpoint that fails for a while, or for good: none is given up before it could be asked."""

from __future__ import annotations

import asyncio
import json
import time

import numpy as np
import pytest

from dashboard.evaluation.asking import TRIES, AskedRanker, Reply
from dashboard.evaluation.kept_answers import KeptAnswer, KeptAnswers
from dashboard.evaluation.model_askers import ChatAsker
from dashboard.evaluation.watching import UNWATCHED, Watcher
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.errors import RunCancelled, ServiceError, ServiceRefused
from recflow.evaluation.questions import Question
from recflow.llm import standin
from recflow.llm.endpoint import Endpoint
from recflow.llm.settings import LlmSettings
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import Guard, close_clients
from tests.scripted_server import ScriptedServer

NOTHING = np.zeros(0, np.int64)
#: An open circuit that is tried again at once; a wait of 0 would say that somebody else is trying it.
AT_ONCE = ServiceRefused("It failed a moment ago.", kind="circuit_open", retryable=True, retry_after_s=1e-6)


def questions(n):
    return [Question(row, 0, NOTHING, NOTHING, np.arange(2, dtype=np.int32), 1) for row in range(n)]


class Scripted:
    """Asks nobody: what comes back is a function of the question and of how often anything was asked.

    Args:
        reply: gives the refusal, or None where there is an answer.
        seconds: of each call that was made.
    """

    def __init__(self, reply, seconds=()):
        self.reply = reply
        self.seconds = seconds
        self.asked = 0

    def key(self, question):
        return str(question.row)

    async def ask(self, question):
        await asyncio.sleep(0)
        self.asked += 1
        refused = self.reply(question, self.asked)
        answer = KeptAnswer((), "failed", "circuit_open") if refused else KeptAnswer((0, 1), "ok")
        return Reply(answer, is_its_word=refused is None, seconds=self.seconds, refused=refused)


def statuses(ranker, asked):
    return [ranker.answer_to(question).status for question in asked]


def test_questions_that_an_open_circuit_refused_are_asked_when_it_lets_them_through():
    """All 48 workers are refused once, then so are all tries but the last."""
    asker = Scripted(lambda question, n: AT_ONCE if n <= 48 + TRIES - 1 else None)
    ranker, asked = AskedRanker(asker, KeptAnswers(), 32), questions(300)
    ranker.ask_all(asked, UNWATCHED)
    assert statuses(ranker, asked) == ["ok"] * 300
    assert asker.asked == 300 + 48 + TRIES - 1  # nobody else asked while one was trying


def test_an_endpoint_that_stays_out_of_order_ends_the_run_and_what_was_answered_is_not_asked_again(tmp_path):
    path, asked = tmp_path / "answers.jsonl", questions(20)
    ranker = AskedRanker(
        Scripted(lambda question, n: AT_ONCE if question.row >= 8 else None), KeptAnswers(path), 2
    )
    with pytest.raises(
        ServiceRefused, match=r"It failed a moment ago\. 12 of 20 questions were not asked"
    ) as caught:
        ranker.ask_all(asked, UNWATCHED)
    assert "starting again goes on" in str(caught.value)
    well = Scripted(lambda question, n: None)
    again = AskedRanker(well, KeptAnswers(path), 2)
    again.ask_all(asked, UNWATCHED)
    assert (well.asked, statuses(again, asked)) == (12, ["ok"] * 20)


def test_a_question_that_fails_whenever_it_is_sent_counts_as_failed_and_the_others_are_answered():
    asker = Scripted(lambda question, n: AT_ONCE if question.row == 3 else None, seconds=(0.5,))
    ranker, asked = AskedRanker(asker, KeptAnswers(), 4), questions(10)
    busy = ranker.ask_all(asked, UNWATCHED)
    assert statuses(ranker, asked) == ["ok"] * 3 + ["failed"] + ["ok"] * 6
    assert busy.calls == 12  # nine, and three in vain


def test_the_calls_of_one_question_count_each_for_itself():
    """Five questions of five calls of a second: 25 places take a second, and not the five of one question."""
    asker = Scripted(lambda question, n: None, seconds=(1.0,) * 5)
    busy = AskedRanker(asker, KeptAnswers(), 25).ask_all(questions(5), UNWATCHED)
    assert (busy.calls, busy.in_flight, busy.possible_seconds) == (25, 25, 1.0)


def test_cancelling_interrupts_the_wait_for_an_endpoint():
    an_hour = ServiceRefused("It failed a moment ago.", kind="circuit_open", retry_after_s=3600.0)
    heard = []

    def stop():
        if heard and "the next try is in 3600 s" in heard[-1].text:
            raise RunCancelled("The job was cancelled")

    ranker = AskedRanker(Scripted(lambda question, n: an_hour), KeptAnswers(), 2)
    began = time.monotonic()
    with pytest.raises(RunCancelled):
        ranker.ask_all(questions(5), Watcher(heard.append, stop))
    assert time.monotonic() - began < 3600


@pytest.fixture(scope="module")
def snapshot():
    items = [ItemRow(f"i{n}", comment=f"Story {n}") for n in range(4)]
    return build_snapshot([UserRow("u")], items, [], version="v", taken_at=1)


def replies_of(model, snapshot, n):
    """What asking that many questions at once gives, and then one more."""

    async def asked(url):
        policy = EndpointPolicy(f"asking {url}", Guard(AddressPolicy.parse(["127.0.0.1"])), concurrency=8)
        asker = ChatAsker(Endpoint(url, model, policy=policy), snapshot, snapshot.feedback)
        one = questions(1)[0]
        try:
            return [*await asyncio.gather(*(asker.ask(one) for _ in range(n))), await asker.ask(one)]
        finally:
            await close_clients()

    with standin.serve() as url:
        return asyncio.run(asked(url))


def test_a_call_whose_retries_the_open_circuit_cut_short_tells_when_to_try_again(snapshot):
    *first, last = replies_of("fail-500", snapshot, 8)
    assert all(len(reply.seconds) < 3 for reply in first if reply.refused)
    for reply in (next(reply for reply in first if reply.refused), last):
        assert (reply.refused.kind, reply.is_final, reply.is_its_word) == ("circuit_open", False, False)
        assert reply.refused.retry_after_s > 0
    assert last.seconds == ()


def test_an_answer_that_lacks_one_of_its_shuffled_prompts_is_not_kept_for_later(snapshot):
    def answer(exchange):
        is_first = exchange.number == 1
        reply = {"choices": [{"message": {"content": "1\n2"}, "finish_reason": "stop"}]}
        exchange.reply(500 if is_first else 200, json.dumps(reply), {"Content-Type": "application/json"})

    async def asked(url):
        guard = Guard(AddressPolicy.parse(["127.0.0.1"]))
        policy = EndpointPolicy(f"asking {url}", guard, concurrency=1, max_retries=0)
        asker = ChatAsker(
            Endpoint(url, "m", policy=policy),
            snapshot,
            snapshot.feedback,
            settings=LlmSettings(technique="shuffle", shuffles=3),
        )
        try:
            return [await asker.ask(questions(1)[0]) for _ in range(2)]
        finally:
            await close_clients()

    with ScriptedServer() as server:
        server.script("/v1/chat/completions", answer)
        cut, whole = asyncio.run(asked(server.url("/v1")))
    assert (cut.answer.status, cut.is_its_word) == ("ok", False)
    assert (whole.answer.status, whole.is_its_word) == ("ok", True)


def test_a_key_that_is_refused_is_final(snapshot):
    first, _ = replies_of("fail-401", snapshot, 1)
    assert isinstance(first.refused, ServiceError)
    assert (first.refused.kind, first.is_final) == ("auth", True)
