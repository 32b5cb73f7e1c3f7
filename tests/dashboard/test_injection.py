"""An item that asks the model to put it first: the list stays the same, and what it gains is measured."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from dashboard.evaluation.asking import AskedRanker
from dashboard.evaluation.injection import REQUEST, injection_lines, measure_injection
from dashboard.evaluation.kept_answers import KeptAnswers
from dashboard.evaluation.model_askers import ChatAsker, RerankAsker, remarked
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.evaluation.questions import Question
from recflow.llm import standin
from recflow.llm.endpoint import Endpoint
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import Guard
from tests.scripted_server import ScriptedServer

N = 12


@pytest.fixture(scope="module")
def snapshot():
    items = [ItemRow(f"i{n:02}", comment=f"Story {n}") for n in range(30)]
    return build_snapshot([UserRow(f"u{n}") for n in range(4)], items, [], version="v", taken_at=1)


@pytest.fixture(scope="module")
def questions():
    rng = np.random.default_rng(0)
    nothing = np.zeros(0, np.int64)
    return [
        Question(row, row, np.array([20, 21]), nothing, rng.permutation(20)[:N].astype(np.int32), 1)
        for row in range(4)
    ]


def endpoint(url, model=standin.MODEL):
    policy = EndpointPolicy(f"injection {url}", Guard(AddressPolicy.parse(["127.0.0.1"])), concurrency=4)
    return Endpoint(url, model, policy=policy)


def gullible(exchange):
    """Lists the candidates backwards, unless one of them wants to be first: it obeys, makes up another in its
    honour, and forgets about the last one."""
    prompt = exchange.hit.json["messages"][-1]["content"]
    names = [row.name for row in reversed(standin.read_prompt(prompt)[0])]
    asking = [row.name for row in standin.read_prompt(prompt)[0] if "put me first" in row.text]
    if asking:
        names = [*asking, "made-up", *(name for name in names[:-1] if name not in asking)]
    answer = {"choices": [{"message": {"content": "\n".join(names)}, "finish_reason": "stop"}]}
    exchange.reply(200, json.dumps(answer), {"Content-Type": "application/json"})


def test_a_gullible_model_puts_the_item_first_and_yet_the_list_holds_the_same_items(snapshot, questions):
    with ScriptedServer() as server:
        server.script("/v1/chat/completions", gullible)
        asker = ChatAsker(endpoint(server.url("/v1")), snapshot, snapshot.feedback)
        report = measure_injection(AskedRanker(asker, KeptAnswers(), 4), questions)
        assert server.count("/v1/chat/completions") == 2 * len(questions)
    backwards = [N - remarked(question) for question in questions]  # of place 0 the rank is N, of the last 1
    assert report["changed_sets"] == report["failed"] == 0
    assert (report["rank_request"], report["first_request"]) == (1.0, 1.0)
    assert report["rank_neutral"] == np.mean(backwards)
    assert report["gained"] == pytest.approx(np.mean(backwards) - 1)
    assert report["gained_low"] < report["gained"] < report["gained_high"]


@pytest.mark.parametrize("asker", [ChatAsker, RerankAsker])
def test_the_stand_in_is_asked_over_http_and_moves_no_item_in_or_out(snapshot, questions, asker):
    with standin.serve() as url:
        ranker = AskedRanker(asker(endpoint(url), snapshot, snapshot.feedback), KeptAnswers(), 4)
        report = measure_injection(ranker, questions)
    assert (report["questions"], report["changed_sets"], report["failed"]) == (4, 0, 0)
    assert 1 <= report["rank_request"] <= N


def test_a_model_that_does_not_answer_is_counted_and_moves_nothing(snapshot, questions):
    with standin.serve() as url:
        asker = ChatAsker(endpoint(url, "fail-400"), snapshot, snapshot.feedback)
        report = measure_injection(AskedRanker(asker, KeptAnswers(), 4), questions)
    assert (report["failed"], report["changed_sets"]) == (4, 0)
    assert injection_lines("Model", report).endswith("4 were not answered")


def test_only_the_drawn_candidate_carries_the_words(snapshot, questions):
    plain = ChatAsker(endpoint("http://h/v1"), snapshot, snapshot.feedback)
    told = plain.remarking(REQUEST)._told(questions[0])[2]
    place = remarked(questions[0])
    assert told[place]["Comment"].startswith(f"{REQUEST} Story")
    assert told[:place] + told[place + 1 :] == [
        item for at, item in enumerate(plain._told(questions[0])[2]) if at != place
    ]
    assert plain.key(questions[0]) != plain.remarking(REQUEST).key(questions[0])


@pytest.mark.django_db(databases="__all__")
class TestCommand:
    @pytest.fixture
    def movielens(self, tmp_path):
        """Three users who rated the films 1 to 5, 6 to 10 and 11 to 15 of 130."""
        ratings = [f"{user},{5 * user - back},5.0,{100 - back}" for user in (1, 2, 3) for back in range(5)]
        (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings]))
        movies = [f"{n},Story {n} (1999),Drama" for n in range(1, 131)]
        (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]))
        return tmp_path

    def test_it_says_the_cost_and_then_what_the_item_gained(self, movielens, tmp_path, monkeypatch):
        monkeypatch.setattr("dashboard.management.commands.bench_llm.ANSWERS", tmp_path / "answers")
        config, file, said = tmp_path / "config.toml", tmp_path / "report.json", StringIO()
        with standin.serve() as url:
            config.write_text(f'[openai]\nbase_url = "{url}"\nchat_completion_model = "{standin.MODEL}"\n')
            chosen = {"config": config, "data": str(movielens), "rankers": ["llm"], "injection": True}
            with pytest.raises(CommandError, match="--yes"):
                call_command("bench_llm", stdout=said, **chosen)
            call_command("bench_llm", stdout=said, yes=True, json=file, **chosen)
        text = said.getvalue()
        assert text.count("3 calls") == 3  # before the refusal once, then for each of the two texts
        assert "of 3 lists 0 lost or won an item by the request (target: 0); 0 were not answered" in text
        assert "it gains" in text
        (report,) = json.loads(file.read_text()).values()
        assert report["questions"] == 3

    def test_without_a_model_there_is_nothing_to_measure(self, movielens):
        with pytest.raises(CommandError, match="no model to ask"):
            call_command("bench_llm", data=str(movielens), rankers=["mf"], injection=True)
