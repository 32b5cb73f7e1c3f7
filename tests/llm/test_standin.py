"""The stand-in over real HTTP: what it reads out of prompts, what it answers, and that it says what it is."""

import dataclasses

import httpx
import pytest

from recflow.llm.endpoint import Endpoint
from recflow.llm.prompts import DEFAULT_TEMPLATE, PromptOptions, PromptTemplate, build_messages
from recflow.llm.ranking import rank_with_llm
from recflow.llm.reranking import rank_with_reranker
from recflow.llm.settings import LlmSettings, RerankSettings
from recflow.llm.similarity import similarities
from recflow.llm.standin import FINGERPRINT, MODEL, Row, StandIn, read_prompt, serve

LIKED = [
    {"FeedbackType": "like", "ItemId": "h1", "Comment": "Star Trek, a space opera"},
    {"FeedbackType": "like", "ItemId": "h2", "Comment": "Dune, on a desert planet"},
]
ITEMS = [
    {"ItemId": f"c{n}", "Comment": text}
    for n, text in enumerate(
        ["Cooking pasta", "Star Wars, a space opera", "Gardening", "Planet of sand", "Love"]
    )
]
GORSE = """You are a film expert. This user liked:
{% for f in feedback %}- {{ f.Comment }}
{% endfor %}
Sort these films by interest:
```csv
item_id,description
{% for i in items %}{{ i.ItemId }},{{ i.Comment | replace(',', ' ') }}
{% endfor %}```
For example:
```csv
{% for i in items[:3] %}{{ i.ItemId }}
{% endfor %}```
"""


@pytest.fixture(scope="module")
def base_url():
    knows = {"Gardening": 1.0}
    stand_in = StandIn(relevance=lambda row: knows.get(row.text, 0.0), popularity=lambda row: len(row.text))
    with serve(stand_in) as url:
        yield url


@pytest.fixture
def stand_in(base_url, endpoint):
    return dataclasses.replace(endpoint, base_url=base_url, model=MODEL)


async def rank(endpoint, template=DEFAULT_TEMPLATE, **settings):
    return await rank_with_llm(endpoint, template, {}, LIKED, ITEMS, LlmSettings(**settings))


def test_similarity_counts_shared_rare_words():
    scores = similarities("space opera", ["a space opera", "space cooking", "cooking", ""])
    assert scores[0] > scores[1] > scores[2] == scores[3] == 0.0
    assert similarities("", ["a", "b"]) == [0.0, 0.0]
    assert similarities("books", ["book", "love"])[0] > 0.0


@pytest.mark.parametrize("settings", [{}, {"use_aliases": False}, {"response_format": "json_schema"}])
async def test_it_ranks_by_similarity_from_our_prompt(stand_in, settings):
    ranking = await rank(stand_in, **settings)
    assert (ranking.order[:2], ranking.status) == ((1, 3), "ok")


@pytest.mark.parametrize(
    "template",
    [
        GORSE,
        "History: {% for f in feedback %}{{ f.Comment }}. {% endfor %}\n\n"
        "{% for i in items %}{{ i.ItemId }}: {{ i.Comment }}\n{% endfor %}\nAnswer with ids.",
        "{% for f in feedback %}{{ f.Comment }}\n{% endfor %}"
        "```\n{% for i in items %}{{ i.ItemId }} | {{ i.Comment }}\n{% endfor %}```",
    ],
    ids=["fenced with an example", "id: text lines", "fenced with bars"],
)
@pytest.mark.parametrize("use_aliases", [True, False])
async def test_it_understands_prompts_in_the_manner_of_gorse(stand_in, template, use_aliases):
    ranking = await rank(stand_in, PromptTemplate(template), use_aliases=use_aliases)
    assert (ranking.order[:2], ranking.status) == ((1, 3), "ok")


async def test_candidates_and_history_are_told_apart():
    prompt = await build_messages(DEFAULT_TEMPLATE, {}, LIKED, ITEMS[:2], PromptOptions())
    rows, history = read_prompt(prompt.messages[1]["content"])
    assert rows == [Row("1", "Cooking pasta"), Row("2", "Star Wars, a space opera")]
    assert history.strip() == "- Star Trek, a space opera\n- Dune, on a desert planet"
    assert read_prompt("") == ([], "")


async def test_it_says_what_it_is_in_every_answer(base_url, stand_in):
    ranking = await rank(stand_in)
    assert ranking.calls[0].model == MODEL
    async with httpx.AsyncClient(trust_env=False) as client:
        body = {"model": "echo", "messages": [{"role": "user", "content": "a,b"}]}
        answer = (await client.post(f"{base_url}/chat/completions", json=body)).json()
        listed = (await client.get(f"{base_url}/models")).json()
    assert (answer["model"], answer["system_fingerprint"]) == (f"{MODEL}/echo", FINGERPRINT)
    assert "not a language model" in FINGERPRINT
    assert [model["id"] for model in listed["data"]] == [MODEL]


@pytest.mark.parametrize(
    ("model", "order"),
    [
        ("echo", (0, 1, 2, 3, 4)),
        ("reverse", (4, 3, 2, 1, 0)),
        ("oracle-0", (2, 0, 1, 3, 4)),
        ("popularity", (1, 3, 0, 2, 4)),
    ],
)
async def test_controls_answer_as_their_name_says(stand_in, model, order):
    ranking = await rank(dataclasses.replace(stand_in, model=model))
    assert (ranking.order, ranking.status) == (order, "ok")


async def test_random_repeats_itself_for_a_seed_and_a_prompt(stand_in):
    orders = [
        (await rank(dataclasses.replace(stand_in, model=f"random-{seed}"))).order for seed in (1, 1, 2, 3, 4)
    ]
    assert orders[0] == orders[1]
    assert len(set(orders)) > 1


async def test_an_oracle_that_is_always_wrong_does_not_know():
    plain = StandIn(relevance=lambda row: row.name == "c")
    firsts = []
    for n in range(200):
        body = {
            "model": "oracle-100",
            "messages": [{"role": "user", "content": f"prompt {n}\n\na,x\nb,x\nc,x"}],
        }
        _, answer = await plain.answer("/v1/chat/completions", body)
        firsts.append(answer["choices"][0]["message"]["content"].split("\n")[1])
    assert 40 < firsts.count("c") < 95  # a third of 200 by chance


@pytest.mark.parametrize(
    ("model", "status"), [("oracle-0", 400), ("popularity", 400), ("fail-429", 429), ("fail-503", 503)]
)
async def test_what_it_was_not_told_it_refuses_and_failures_are_as_ordered(model, status):
    body = {"model": model, "messages": [{"role": "user", "content": "a,x\nb,y"}]}
    code, answer = await StandIn().answer("/v1/chat/completions", body)
    assert code == status
    assert answer["error"]["message"].endswith(".")


@pytest.mark.parametrize(
    ("model", "status", "reason"),
    [
        ("prose", "failed", "no_candidate"),
        ("empty", "failed", "empty"),
        ("cut", "partial", "cut"),
        ("slow-1", "ok", ""),
    ],
)
async def test_bad_answers_over_http(stand_in, model, status, reason):
    ranking = await rank(dataclasses.replace(stand_in, model=model))
    assert (ranking.status, ranking.reason) == (status, reason)


async def test_it_reranks(stand_in):
    ranking = await rank_with_reranker(stand_in, {}, LIKED, ITEMS, RerankSettings())
    assert (ranking.order[:2], ranking.status) == ((1, 3), "ok")
    assert ranking.calls[0].tokens_in > 0


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions/", "/v1/rerank", "/v1/nowhere"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"messages": 3}', b'{"messages": [1]}', b"[" * 9999]
)
async def test_nonsense_is_refused_with_a_sentence_or_answered(base_url, path, content):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(base_url.removesuffix("/v1") + path, content=content)
    assert answer.status_code in (200, 400, 404)
    assert answer.status_code == 200 or answer.json()["error"]["message"].endswith(".")


def test_it_stops_when_the_block_ends():
    with serve() as url:
        assert httpx.get(f"{url}/models", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models", trust_env=False)


def test_its_address_is_a_base_url():
    with serve() as url:
        assert Endpoint(url, MODEL).url("/chat/completions") == f"{url}/chat/completions"
