"""Rankers measured by name, by flow and over HTTP, with answers that are paid for once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from dashboard import drafts
from dashboard.errors import NotFound
from dashboard.evaluation import contestants
from dashboard.evaluation.asking import Asked, AskedRanker, makespan
from dashboard.evaluation.contestants import Entrants, contestants_of, find_flow
from dashboard.evaluation.datasets import DEFAULT_RULES, Measured
from dashboard.evaluation.kept_answers import KeptAnswer, KeptAnswers
from dashboard.evaluation.model_askers import ChatAsker
from dashboard.evaluation.ranking_runs import RankingPlan, all_questions, measure_rankers, splits_of
from dashboard.evaluation.tables import as_csv, ranking_table
from dashboard.evaluation.watching import UNWATCHED, Watcher
from dashboard.models import ModelPrice
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.errors import RunCancelled
from recflow.llm import standin
from recflow.llm.endpoint import Endpoint, Price
from recflow.llm.prompts import PromptTemplate
from recflow.llm.settings import LlmSettings
from recflow.nodes.outside import NamedEndpoint, Outside
from recflow.nodes.starters import STARTERS
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import Guard
from tests.patience import is_within
from tests.scripted_server import ScriptedServer

CLASSIC = STARTERS["classic"].document
N_USERS, N_ITEMS = 12, 140


def feedback_rows():
    """User u likes items u, u + 12, u + 24, ..., one a day."""
    return [
        (f"u{user:02}", f"i{user + 12 * step:03}", "like", 1.0, (step + 1) * 86_400_000_000 + user)
        for user in range(N_USERS)
        for step in range(8)
    ]


@pytest.fixture(scope="module")
def measured():
    snapshot = build_snapshot(
        [UserRow(f"u{n:02}") for n in range(N_USERS)],
        [ItemRow(f"i{n:03}", comment=f"Story of {n % 12}") for n in range(N_ITEMS)],
        feedback_rows(),
        version="twelve",
        taken_at=100 * 86_400_000_000,
    )
    return Measured(snapshot, DEFAULT_RULES)


@pytest.fixture
def model():
    """The stand-in over HTTP, and how often it was asked."""

    class Counted(standin.StandIn):
        asked = 0

        async def answer(self, path, document):
            Counted.asked += 1
            return await super().answer(path, document)

    with standin.serve(Counted()) as url:
        yield Counted, url


def endpoint(url, name=standin.MODEL, price=None):
    host = url.removeprefix("http://").partition("/")[0]
    policy = EndpointPolicy(f"test {url} {name}", Guard(AddressPolicy.parse([host])), concurrency=8)
    return Endpoint(url, name, policy=policy, price=price)


def report_of(measured, entrants, **chosen):
    plan = RankingPlan(**chosen)
    splits = splits_of(plan, measured)
    return measure_rankers(plan, measured, contestants_of(plan.rankers, (), entrants), splits)


def row_of(report, ranker, shots=1):
    return next(row for row in report["rows"] if (row["ranker"], row["shots"]) == (ranker, shots))


def test_every_ranker_gets_the_same_users_and_its_difference_to_the_baseline(measured):
    report = report_of(measured, Entrants(measured), rankers=("mf", "random", "popularity"), shots=(1, 3))
    assert [(row["ranker"], row["shots"]) for row in report["rows"]] == [
        (name, shots) for shots in (1, 3) for name in ("mf", "random", "popularity")
    ]
    assert {row["users"] for row in report["rows"]} == {N_USERS}
    assert row_of(report, "mf")["ndcg_difference"] == 0.0
    popularity, mf = row_of(report, "popularity"), row_of(report, "mf")
    assert popularity["ndcg_difference"] == pytest.approx(popularity["ndcg"] - mf["ndcg"])


def test_without_an_endpoint_the_model_is_said_to_be_not_measured(measured):
    report = report_of(measured, Entrants(measured), rankers=("llm", "echo"), shots=(1,))
    row = row_of(report, "llm")
    assert "no endpoint" in row["not_measured"]
    assert "ndcg" not in row
    assert "not measured" in ranking_table(report)


def test_a_model_is_asked_once_for_each_question_and_never_again_after_an_interruption(
    measured, model, tmp_path
):
    counted, url = model
    chosen = {"rankers": ("llm", "echo"), "shots": (1, 3)}
    first = report_of(measured, Entrants(measured, endpoint=endpoint(url), answers=tmp_path), **chosen)
    assert counted.asked == 2 * N_USERS
    (file,) = tmp_path.glob("*.jsonl")
    # A crash in the middle: half of the answers are there, the last line is cut.
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:N_USERS]) + lines[N_USERS][:20])
    counted.asked = 0
    again = report_of(measured, Entrants(measured, endpoint=endpoint(url), answers=tmp_path), **chosen)
    assert counted.asked == N_USERS
    assert row_of(again, "llm")["ndcg"] == row_of(first, "llm")["ndcg"]
    counted.asked = 0
    report_of(measured, Entrants(measured, endpoint=endpoint(url), answers=tmp_path), **chosen)
    assert counted.asked == 0


def test_other_words_to_the_model_are_another_question(measured):
    question = all_questions([measured.split(shots=1, seed=0, n_users=1)])[0]
    one = ChatAsker(endpoint("http://h/v1"), measured.snapshot, measured.view.positive)
    other = ChatAsker(endpoint("http://h/v1", "other"), measured.snapshot, measured.view.positive)
    assert one.key(question) != other.key(question)
    assert one.key(question) == ChatAsker(
        endpoint("http://h/v1"), measured.snapshot, measured.view.positive
    ).key(question)


def test_a_model_is_shown_histories_and_items_as_a_node_shows_them():
    """Two types are positive; the prompt names that of each entry, and when an item came out."""
    day = 86_400_000_000
    snapshot = build_snapshot(
        [UserRow("u")],
        [ItemRow(f"i{n}", time=n * 365 * day) for n in range(4)],
        [("u", f"i{n}", kind, 1.0, n * day) for n, kind in enumerate(("like", "star", "like"))],
        version="v",
        taken_at=10 * day,
    )
    rules = FeedbackRules((FeedbackRule("like"), FeedbackRule("star")))
    measured = Measured(snapshot, rules)
    shown = []

    def answer(exchange):
        shown.append(exchange.hit.json["messages"][-1]["content"])
        reply = {"choices": [{"message": {"content": "1\n2"}, "finish_reason": "stop"}]}
        exchange.reply(200, json.dumps(reply), {"Content-Type": "application/json"})

    words = (
        "{% for entry in feedback %}{{ entry.FeedbackType }} {{ entry.Timestamp }}, "
        "{% endfor %}{% for item in items %}{{ item.Timestamp }}; {% endfor %}"
    )
    with ScriptedServer() as server:
        server.script("/v1/chat/completions", answer)
        asker = ChatAsker(
            endpoint(server.url("/v1")), snapshot, measured.view.positive, template=PromptTemplate(words)
        )
        questions = all_questions([measured.split(shots=2, seed=0, n_users=None)])
        ranker = AskedRanker(asker, KeptAnswers())
        ranker.ask_all(questions, UNWATCHED)
        assert ranker.answer_to(questions[0]).reason == ""
    (text,) = shown
    assert text.startswith("star 1971-01-01 00:00:00 +0000 UTC, like 1970-01-01 00:00:00 +0000 UTC, ")
    assert "1972-01-01 00:00:00 +0000 UTC; " in text


def test_a_model_that_fails_is_scored_with_the_order_that_came_in_and_asked_again_later(
    measured, model, tmp_path
):
    _, url = model
    entrants = Entrants(measured, endpoint=endpoint(url, "fail-400"), answers=tmp_path)
    report = report_of(measured, entrants, rankers=("llm", "echo"), shots=(1,))
    assert row_of(report, "llm")["failed_rate"] == 1.0
    assert row_of(report, "llm")["ndcg"] == row_of(report, "echo")["ndcg"]
    assert list(tmp_path.glob("*.jsonl")) == []


def test_a_forecast_names_calls_tokens_and_the_price_if_it_is_known(measured, model):
    _, url = model
    questions = all_questions([measured.split(shots=1, seed=0, n_users=None)])
    priced = AskedRanker(
        ChatAsker(endpoint(url, price=Price(1.0, 2.0)), measured.snapshot, measured.view.positive),
        KeptAnswers(),
    )
    forecast = priced.forecast(questions)
    assert (forecast.calls, forecast.kept) == (N_USERS, 0)
    # At least a token for each of 100 candidates, in and out; a million tokens cost 1 and 2.
    assert forecast.tokens > N_USERS * 200
    assert forecast.tokens / 1e6 < forecast.cost < 2 * forecast.tokens / 1e6
    unpriced = AskedRanker(ChatAsker(endpoint(url), measured.snapshot, measured.view.positive), KeptAnswers())
    assert unpriced.forecast(questions).cost is None


@pytest.mark.parametrize(
    ("how", "calls"),
    [
        ({"technique": "shuffle", "shuffles": 5, "most_in_one_call": 50}, 5),
        ({"technique": "windows", "window_size": 20, "window_step": 10}, 9),  # from 80 down to 0 by 10
        ({"most_in_one_call": 50, "window_size": 20, "window_step": 10}, 9),  # 100 do not go into one call
    ],
)
def test_as_many_calls_are_forecast_as_are_made(measured, model, how, calls):
    counted, url = model
    counted.asked = 0
    questions = all_questions([measured.split(shots=1, seed=0, n_users=2)])
    asker = ChatAsker(
        endpoint(url, price=Price(1.0, 2.0)),
        measured.snapshot,
        measured.view.positive,
        settings=LlmSettings(**how),
    )
    ranker = AskedRanker(asker, KeptAnswers())
    forecast = ranker.forecast(questions)
    busy = ranker.ask_all(questions, UNWATCHED)
    assert forecast.calls == busy.calls == counted.asked == 2 * calls
    used = [ranker.answer_to(question).usage for question in questions]
    spent = sum(usage["prompt_tokens"] + usage["completion_tokens"] for usage in used)
    assert forecast.tokens == pytest.approx(spent, rel=0.5)


def test_stopping_cancels_what_is_in_flight_and_keeps_what_was_answered(measured, model, tmp_path):
    _, url = model
    questions = all_questions([measured.split(shots=1, seed=0, n_users=None)])
    kept = KeptAnswers(tmp_path / "a.jsonl")
    slow = AskedRanker(ChatAsker(endpoint(url, "slow-1500"), measured.snapshot, measured.view.positive), kept)

    def stop():
        raise RunCancelled("The job was cancelled")

    with pytest.raises(RunCancelled):
        slow.ask_all(questions, Watcher(check=stop))
    assert len(kept) == 0


def test_the_endpoint_is_kept_busy(measured, model):
    """36 calls of 0.4 s, 8 at a time, take five rounds; the bound leaves room for a busy machine."""
    _, url = model
    questions = all_questions([measured.split(shots=s, seed=0, n_users=None) for s in (1, 2, 3)])
    asker = ChatAsker(endpoint(url, "slow-400"), measured.snapshot, measured.view.positive)

    def idle_share():
        asked = AskedRanker(asker, KeptAnswers(), 8).ask_all(questions, UNWATCHED)
        assert (asked.calls, asked.in_flight) == (36, 8)
        assert asked.possible_seconds > 1.9
        return 1 - asked.busy_share

    assert is_within(0.5, idle_share)


def test_a_question_may_stand_in_line_for_longer_than_a_call_may_take(measured, model):
    """Eight calls of 0.3 s, one at a time: with its turn in line the last takes 2.4 s, past its deadline."""
    _, url = model
    one_by_one = endpoint(url, "slow-300")
    policy = one_by_one.policy
    policy = replace(policy, guard=replace(policy.guard, total_s=2.0), concurrency=1)
    entrants = Entrants(measured, endpoint=replace(one_by_one, policy=policy))
    plan = RankingPlan(rankers=("llm",), shots=(1,), users=8)
    (contestant,) = contestants_of(plan.rankers, (), entrants)
    report = measure_rankers(plan, measured, [contestant], splits_of(plan, measured))
    assert row_of(report, "llm")["failed_rate"] == 0.0


def test_no_more_calls_are_in_flight_than_were_asked_for_however_wide_the_endpoint_is(measured):
    (contestant,) = contestants_of(
        ("llm",), (), Entrants(measured, endpoint=endpoint("http://h/v1"), in_flight=3)
    )
    assert contestant.ranker._asker.endpoint.call_policy.concurrency == 3


def test_what_was_possible_is_each_call_in_the_first_free_place():
    # two places: 3 and 1, then 1 after the 1, then 4 after that (at 2), so all are done at 6
    assert makespan([3.0, 1.0, 1.0, 4.0], 2) == 6.0
    assert makespan([1.0] * 5, 2) == 3.0  # an odd one out cannot be shared
    assert Asked(calls=5, in_flight=2, seconds=4.0, possible_seconds=3.0).busy_share == 0.75


def test_a_kept_answer_survives_a_cut_line_before_it(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key": "a", "ord')
    KeptAnswers(path).add("b", KeptAnswer((1, 0), "ok"))
    assert KeptAnswers(path).get("b").order == (1, 0)
    assert KeptAnswers(path).get("a") is None


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless():
    assert as_csv([{"name": "=1+1", "ndcg": -0.5, "slots": [1]}]) == "name,ndcg\r\n'=1+1,-0.5\r\n"


@pytest.mark.django_db(databases="__all__")
class TestFlows:
    def test_the_ranker_node_of_a_version_is_measured_with_its_own_settings(self, measured):
        document = json.loads(json.dumps(CLASSIC))
        next(node for node in document["nodes"] if node["id"] == "ranker")["settings"] = {
            "kind": "mf",
            "n_factors": 4,
        }
        flow = drafts.create("Feed", document, "ada")
        drafts.keep(flow.pk, "", 1, "ada")
        (one,) = contestants_of((), ("Feed@1",), Entrants(measured))
        assert one.name == "Feed@1"
        assert one.ranker.params.n_factors == 4

    def test_the_factorization_machine_of_a_node_is_measured_with_the_vectors_it_names(self):
        vectors = [json.dumps({"v": [float(n % 3), 1.0]}) for n in range(N_ITEMS)]
        items = [ItemRow(f"i{n:03}", labels=labels) for n, labels in enumerate(vectors)]
        users = [UserRow(f"u{n:02}") for n in range(N_USERS)]
        snapshot = build_snapshot(users, items, feedback_rows(), version="vectors", taken_at=10**14)

        def width(column):
            document = json.loads(json.dumps(CLASSIC))
            ranker = next(node for node in document["nodes"] if node["id"] == "ranker")
            ranker["settings"] = {"kind": "fm", "embedding": column, "n_epochs": 1}
            flow = drafts.create("Feed", document, "ada")
            (one,) = contestants_of((), (f"#{flow.pk}",), Entrants(Measured(snapshot, DEFAULT_RULES)))
            return one.ranker.items.shape[1]

        assert width("item.Labels.v") == width("") + 2

    def test_a_rerank_node_is_measured_over_http_and_its_answers_are_kept(self, measured, tmp_path):
        """The service prefers documents whose story stands in the query, which tells what the user liked."""

        def answer(exchange):
            asked = exchange.hit.json
            stories = re.compile(r"Story of \d+")
            liked = set(stories.findall(asked["query"]))
            scores = [float(bool(liked & set(stories.findall(text)))) for text in asked["documents"]]
            results = [{"index": place, "relevance_score": score} for place, score in enumerate(scores)]
            exchange.reply(200, json.dumps({"results": results}), {"Content-Type": "application/json"})

        document = json.loads(json.dumps(CLASSIC))
        ranker = next(node for node in document["nodes"] if node["id"] == "ranker")
        ranker["settings"] = {"kind": "rerank", "endpoint": "scores"}
        flow = drafts.create("Reranked", document, "ada")
        plan = RankingPlan(rankers=(), flows=(f"#{flow.pk}",), shots=(1,))
        with ScriptedServer() as server:
            server.script("/v1/rerank", answer)
            named = NamedEndpoint("scores", endpoint(server.url("/v1"), "reranker"))
            entrants = Entrants(measured, outside=Outside(endpoints={"scores": named}), answers=tmp_path)
            splits = splits_of(plan, measured)
            report = measure_rankers(plan, measured, contestants_of((), plan.flows, entrants), splits)
            asked = server.count("/v1/rerank")
            again = measure_rankers(plan, measured, contestants_of((), plan.flows, entrants), splits)
            assert server.count("/v1/rerank") == asked == row_of(report, "Reranked")["usage_calls"]
        row = row_of(report, "Reranked")
        # A user's story is that of the hidden item and of at most four others: it is always among the ten.
        assert (row["hit_rate"], row["failed_rate"], row["partial_rate"]) == (1.0, 0.0, 0.0)
        assert row_of(again, "Reranked")["ndcg"] == row["ndcg"]

    def test_a_flow_is_found_by_name_version_and_number(self):
        flow = drafts.create("Feed", CLASSIC, "ada")
        drafts.keep(flow.pk, "", 1, "ada")
        assert find_flow("Feed").version is None
        assert find_flow("Feed@1").title == "Feed@1"
        assert find_flow(f"#{flow.pk}@1").flow_id == flow.pk
        with pytest.raises(NotFound, match="no version 7"):
            find_flow("Feed@7")
        with pytest.raises(NotFound, match="there are: Feed"):
            find_flow("Fed")

    def test_one_ranker_node_of_several_is_measured_alone(self, measured):
        second = {"id": "second", "type": "ranker", "name": "Second", "settings": {"kind": "none"}}
        drafts.create("Feed", CLASSIC | {"nodes": [*CLASSIC["nodes"], second]}, "ada")
        both = contestants_of((), ("Feed",), Entrants(measured))
        (alone,) = contestants_of((), ("Feed/second",), Entrants(measured))
        assert (len(both), alone.name, alone.label) == (2, "Feed: Second", "Feed: Second (none)")
        with pytest.raises(NotFound, match="Feed has no ranker node 'third' to measure"):
            contestants_of((), ("Feed/third",), Entrants(measured))

    def test_a_flow_without_a_ranker_cannot_be_measured_as_one(self, measured):
        drafts.create("Popular", STARTERS["popular"].document, "ada")
        with pytest.raises(NotFound, match="no ranker node"):
            contestants_of((), ("Popular",), Entrants(measured))


@pytest.fixture
def movielens(tmp_path):
    """The rows of ``feedback_rows`` in the layout of ml-latest-small."""
    ratings = [
        f"{int(user[1:]) + 1},{int(item[1:]) + 1},5.0,{time // 1_000_000}"
        for user, item, _, _, time in feedback_rows()
    ]
    movies = [f"{n + 1},Story of {n % 12} ({1990 + n % 20}),Drama" for n in range(N_ITEMS)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings]))
    (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]))
    return tmp_path


@pytest.mark.django_db(databases="__all__")
class TestCommand:
    def test_it_prints_the_table_with_controls_and_writes_the_report(self, movielens, tmp_path):
        said, report = StringIO(), tmp_path / "report.json"
        chosen = {"data": str(movielens), "shots": [1, 5], "rankers": ["mf"], "json": report}
        call_command("bench_llm", stdout=said, **chosen)
        text = said.getvalue()
        for name in ("Matrix factorization", "Random", "Echo", "Reverse", "Popularity"):
            assert text.count(name) >= 2, name
        assert "under 20 s" in text
        rows = json.loads(report.read_text())["rows"]
        assert {row["shots"] for row in rows} == {1, 5}
        assert all(row["ndcg_low"] <= row["ndcg"] <= row["ndcg_high"] for row in rows)

    def test_it_spends_nothing_without_a_yes(self, movielens, model, tmp_path, monkeypatch):
        counted, url = model
        monkeypatch.setattr(contestants, "ANSWERS", tmp_path / "answers")
        monkeypatch.setattr("dashboard.management.commands.bench_llm.ANSWERS", tmp_path / "answers")
        config = tmp_path / "config.toml"
        config.write_text(f'[openai]\nbase_url = "{url}"\nchat_completion_model = "{standin.MODEL}"\n')
        chosen = {"config": config, "data": str(movielens), "rankers": ["llm"]}
        said = StringIO()
        with pytest.raises(CommandError, match="--yes"):
            call_command("bench_llm", stdout=said, **chosen)
        assert counted.asked == 0
        assert "12 calls" in said.getvalue()
        assert "price unknown" in said.getvalue()
        call_command("bench_llm", stdout=said, yes=True, **chosen)
        assert counted.asked == N_USERS
        assert "of the endpoint's own throughput" in said.getvalue()

    def test_an_endpoint_that_refuses_the_key_is_an_error_and_no_report(
        self, movielens, model, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("dashboard.management.commands.bench_llm.ANSWERS", tmp_path / "answers")
        config = tmp_path / "config.toml"
        config.write_text(f'[openai]\nbase_url = "{model[1]}"\nchat_completion_model = "fail-401"\n')
        chosen = {"config": config, "data": str(movielens), "rankers": ["llm"], "json": tmp_path / "r.json"}
        with pytest.raises(CommandError, match="12 of 12 questions were not asked"):
            call_command("bench_llm", yes=True, **chosen)
        assert not (tmp_path / "r.json").exists()

    def test_a_price_of_settings_holds_for_the_model_of_the_configuration_and_for_answers_from_before(
        self, movielens, model, tmp_path, monkeypatch
    ):
        """The price is entered after half of the questions were asked, so their cost was unknown then."""
        monkeypatch.setattr("dashboard.management.commands.bench_llm.ANSWERS", tmp_path / "answers")
        config, report = tmp_path / "config.toml", tmp_path / "report.json"
        config.write_text(f'[openai]\nbase_url = "{model[1]}"\nchat_completion_model = "{standin.MODEL}"\n')

        def row(**chosen):
            call_command(
                "bench_llm",
                stdout=StringIO(),
                config=config,
                data=str(movielens),
                rankers=["llm"],
                json=report,
                yes=True,
                **chosen,
            )
            return row_of(json.loads(report.read_text()), "llm")

        assert row(users=6).get("usage_cost") is None
        ModelPrice.objects.create(model=standin.MODEL, input=2_000_000.0, output=3_000_000.0)
        found = row()
        spent = 2 * found["usage_prompt_tokens"] + 3 * found["usage_completion_tokens"]
        assert found["usage_cost"] == pytest.approx(spent)
        assert model[0].asked == N_USERS

    def test_the_price_that_is_given_holds_for_the_nodes_of_a_flow_too(
        self, movielens, model, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("dashboard.management.commands.bench_llm.ANSWERS", tmp_path / "answers")
        named = NamedEndpoint("scores", endpoint(model[1]))
        monkeypatch.setattr(
            "dashboard.management.commands.bench_llm.outside_now",
            lambda: Outside(endpoints={"scores": named}),
        )
        document = json.loads(json.dumps(CLASSIC))
        ranker = next(node for node in document["nodes"] if node["id"] == "ranker")
        ranker["settings"] = {"kind": "llm", "endpoint": "scores"}
        drafts.create("Feed", document, "ada")
        said = StringIO()
        chosen = {"data": str(movielens), "rankers": [], "flow": ["Feed"], "positive": ["rating>=4"]}
        call_command("bench_llm", stdout=said, price=[0.0, 0.0], yes=True, **chosen)
        assert "cost about 0.00" in said.getvalue()

    def test_rows_that_cannot_be_read_are_told(self, movielens):
        with (movielens / "ratings.csv").open("a") as file:
            file.write("\n1,2,many,3\n1,3,5.0,4\n")
        said = StringIO()
        call_command("bench_llm", stdout=said, data=str(movielens), rankers=[])
        assert "1 row of ratings.csv could not be read: line 98: " in said.getvalue()

    def test_what_is_no_data_set_is_one_sentence(self):
        with pytest.raises(CommandError, match="There is no data set 'nowhere'"):
            call_command("bench_llm", data="nowhere")
