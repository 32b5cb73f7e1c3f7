"""Gorse's configuration to a flow and back, on a file with one of everything and on small ones."""

import asyncio
import copy
import json
import tomllib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recflow.nodes  # noqa: F401  settings and checks come from the node types
from recflow.engine.check import blocking, check
from recflow.engine.flow import load_flow
from recflow.engine.registry import NODE_TYPES
from recflow.errors import BadRecord, FlowError
from recflow.interop.gorse_config import config_to_flow, flow_to_config, not_expressible
from recflow.interop.gorse_config.keys import (
    COLLABORATIVE,
    DATA_SOURCE,
    RECOMMEND,
    duration_text,
    full_settings,
)
from recflow.interop.gorse_config.layout import COLUMN, ROW, layered
from recflow.llm.prompts import build_messages
from recflow.nodes.ranker.llm import LlmRankerSettings

WHOLE = (Path(__file__).parent / "gorse.toml").read_text()
#: Every key at the value that Gorse's code gives it.
DEFAULTS = (Path(__file__).parent / "gorse_defaults.toml").read_text()


def node(document, node_id):
    return next(node for node in document["nodes"] if node["id"] == node_id)


def edges(document):
    return [(edge["source"], edge["target"]) for edge in document["edges"]]


def changed(text, **changes):
    """The configuration, as plain values, after settings of some nodes of its flow were changed."""
    document = config_to_flow(text)[0]
    for node_id, settings in changes.items():
        node(document, node_id.replace("_", "-"))["settings"] |= settings
    return tomllib.loads(flow_to_config(document, text))


# Configuration -> flow


def test_every_section_has_its_node_in_gorses_order():
    document, _ = config_to_flow(WHOLE)
    assert [(node["id"], node["type"], node["name"]) for node in document["nodes"]] == [
        ("data-source", "data-source", ""),
        ("ranker", "ranker", ""),
        ("fallback", "fallback", ""),
        ("recommend", "recommend", ""),
        ("latest", "latest", ""),
        ("collaborative", "collaborative", ""),
        ("non-personalized-most_starred", "non-personalized", "most_starred"),
        ("non-personalized-popular", "non-personalized", "popular"),
        ("user-to-user-similar_users", "user-to-user", "similar_users"),
        ("item-to-item-similar_embedding", "item-to-item", "similar_embedding"),
        ("item-to-item-similar_tags", "item-to-item", "similar_tags"),
    ]


def test_settings_are_those_of_the_file_and_gorses_defaults_where_it_is_silent():
    document, _ = config_to_flow(WHOLE)
    assert node(document, "data-source")["settings"] == {
        "positive": ["star", "like>=2"],
        "read": ["read"],
        "negative": [],
        "positive_ttl_days": 30,
        "item_ttl_days": 0,
    }
    assert node(document, "recommend")["settings"] == {
        "cache_size": 50,
        "cache_expire": "24h0m0s",
        "context_size": 100,
        "active_user_ttl_days": 0,
        "replace_seen": True,
        "positive_decay": 0.8,
        "read_decay": 0.5,
    }
    assert node(document, "collaborative")["settings"] == {
        "fit_period": "30m",
        "optimize_period": "0s",
        "optimize_trials": 10,
        "patience": 10,
    }
    assert node(document, "item-to-item-similar_tags")["settings"] == {
        "similarity": "tags",
        "column": "item.Labels.tags",
    }
    assert node(document, "non-personalized-popular")["settings"] == {"score": "len(feedback)", "filter": ""}
    assert node(document, "ranker")["settings"]["kind"] == "fm"


def test_edges_follow_the_lists_and_their_order():
    document, _ = config_to_flow(WHOLE)
    flow = load_flow(document)
    assert [edge.source for edge in flow.inputs_of("ranker")] == [
        "latest",
        "collaborative",
        "item-to-item-similar_embedding",
        "user-to-user-similar_users",
    ]
    assert [edge.source for edge in flow.inputs_of("fallback")] == ["non-personalized-popular", "latest"]
    assert [edge.source for edge in flow.inputs_of("recommend")] == ["ranker", "fallback"]
    assert [edge.target for edge in flow.edges if edge.source == "data-source"] == [
        "latest",
        "collaborative",
        "non-personalized-most_starred",
        "non-personalized-popular",
        "user-to-user-similar_users",
        "item-to-item-similar_embedding",
        "item-to-item-similar_tags",
    ]


def test_what_has_no_place_is_listed():
    assert config_to_flow(WHOLE)[1] == [
        "my_own_key has no place in a drawing and stays in the file",
        "collaborative.fit_epoch has no place in a drawing and stays in the file",
        "ranker.cache_expire has no place in a drawing and stays in the file",
        "shoe_size of item-to-item/similar_embedding has no place in a drawing and stays in the file",
    ]


def test_an_empty_configuration_is_latest_and_nothing_else():
    document, notes = config_to_flow("")
    assert [node["id"] for node in document["nodes"]] == ["data-source", "recommend", "latest"]
    assert edges(document) == [("data-source", "latest"), ("latest", "recommend")]
    assert node(document, "data-source")["settings"]["positive"] == []
    assert notes == []
    assert blocking(check(load_flow(document))) == []


def test_without_a_ranker_the_first_recommender_that_exists_is_connected():
    text = '[recommend.ranker]\nrecommenders = ["collaborative", "non-personalized/p"]\n'
    text += '[[recommend.non-personalized]]\nname = "p"\nscore = "len(feedback)"\n'
    document, notes = config_to_flow(text)
    assert ("non-personalized-p", "recommend") in edges(document)
    assert notes == ["ranker.recommenders names 'collaborative', which is not configured"]


def test_keys_match_in_any_case():
    document, _ = config_to_flow(
        '[Recommend]\nCACHE_SIZE = 7\n[Recommend.Fallback]\nRecommenders = "latest"\n'
    )
    assert node(document, "recommend")["settings"]["cache_size"] == 7
    assert ("latest", "fallback") in edges(document)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("72h", "72h"),
        ("1m30s", "1m30s"),
        ("0s", "0s"),
        ("0", "0s"),
        (0, "0s"),
        (3_600_000_000_000, "3600s"),
        (1_500_000_000, "1.5s"),
        ("1h500us", "3600.0005s"),
        ("soon", "soon"),
        ("-1h", "-1h"),
        (True, True),
    ],
)
def test_durations_of_go(given, written):
    assert duration_text(given) == written


EXTERNAL = '[[recommend.external]]\nname = "{}"\nscript = "[]"\n'
RECOMMENDERS = """
[recommend.ranker]
type = "fm"
recommenders = ["latest", "item-to-item/x"]
[[recommend.item-to-item]]
name = "x"
"""


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ('type = "chat"\ncolumn = "item.Labels.v"\nprompt = "p"', "similarity by 'chat' is not offered here"),
        ('type = "tags"', "similarity by tags needs a column"),
        ('type = "embedding"\ncolumn = "Labels"', "column: "),
    ],
)
def test_a_recommender_that_cannot_run_here_is_drawn_disabled_and_the_rest_works(rest, reason):
    document, notes = config_to_flow(RECOMMENDERS + rest)
    assert node(document, "item-to-item-x")["disabled"]
    assert notes[0].startswith(f"item-to-item/x is drawn disabled: {reason}")
    assert blocking(check(load_flow(document))) == []


def test_a_bad_expression_disables_its_node_only():
    text = '[[recommend.non-personalized]]\nname = "x"\nscore = "item.Nope"\nfilter = "1"\n'
    document, notes = config_to_flow(text)
    assert node(document, "non-personalized-x")["disabled"]
    assert "score: " in notes[0]
    assert "filter: " in notes[0]


def test_of_two_with_the_same_name_the_second_is_renamed_and_disabled():
    document, notes = config_to_flow(EXTERNAL.format("x") * 2)
    assert [(n["name"], n["disabled"]) for n in document["nodes"] if n["type"] == "external"] == [
        ("x", False),
        ("x_1", True),
    ]
    assert "of two with the same name the first counts" in notes[0]


def test_similarity_by_itself_takes_no_column_and_auto_becomes_it():
    entries = '[[recommend.user-to-user]]\nname = "a"\ntype = "items"\ncolumn = "user.Labels"\n'
    entries += '[[recommend.user-to-user]]\nname = "b"\ntype = "auto"\n'
    document, notes = config_to_flow(entries)
    for name in ("a", "b"):
        settings = node(document, f"user-to-user-{name}")["settings"]
        assert settings == {"similarity": "items", "column": ""}
    assert notes == [
        "column of user-to-user/a is left out: similarity by items looks at none",
        "user-to-user/b is of type auto; here it goes by items, not by labels too",
    ]


def test_a_chat_prompt_asks_as_gorse_does():
    text = '[recommend]\ncontext_size = 700\n[recommend.ranker]\ntype = "llm"\nprompt = "rank {{ items }}"\n'
    settings = node(config_to_flow(text)[0], "ranker")["settings"]
    assert settings["kind"] == "llm"
    assert settings["prompt"] == "rank {{ items }}"


def test_a_setting_the_ranker_does_not_have_is_listed_and_stays_in_the_file():
    text = '[recommend.ranker]\ntype = "fm"\noptimize_period = "6h"\nfit_period = "5m"\n'
    document, notes = config_to_flow(text)
    assert node(document, "ranker")["settings"] == {"kind": "fm", "fit_period": "5m"}
    assert notes == ["ranker.optimize_period = '6h' is not a setting of the fm ranker here"]
    assert changed(text, ranker={"fit_period": "7m"})["recommend"]["ranker"] == {
        "type": "fm",
        "optimize_period": "6h",
        "fit_period": "7m",
    }


def test_templates_and_a_reranker_address_are_a_rerank_node():
    text = '[recommend.ranker]\ntype = "llm"\nquery_template = "q"\ndocument_template = "d"\n'
    text += '[recommend.ranker.reranker_api]\nurl = "http://x"\nauth_token = "sk-secret"\n'
    document, notes = config_to_flow(text)
    settings = node(document, "ranker")["settings"]
    assert (settings["kind"], settings["query_template"], settings["document_template"]) == (
        "rerank",
        "q",
        "d",
    )
    assert notes == [
        WHOLE_TEXTS,
        "ranker.reranker_api is no part of a drawing: enter it as an endpoint in Settings",
    ]


WHOLE_TEXTS = (
    "the templates of the ranker get each text in one line of at most 10,000 characters; "
    "Gorse leaves texts as they are"
)


def test_an_imported_prompt_tells_the_model_what_it_told_it_in_gorse():
    prompt = "For {{ user.UserId }}:{% for i in items %} {{ i.ItemId }} {{ i.Comment }}{% endfor %}"
    text = f'[recommend.ranker]\ntype = "llm"\nprompt = "{prompt}"\n'
    document, notes = config_to_flow(text)
    settings = LlmRankerSettings.model_validate(node(document, "ranker")["settings"])
    comment = "long " * 500 + "end"
    items = [{"ItemId": "m1", "Comment": comment}]
    asked = build_messages(settings.template(), {"UserId": "ada"}, [], items, settings.prompt_options())
    made = asyncio.run(asked)
    assert [message["content"] for message in made.messages] == [f"For ada: m1 {comment}"]
    assert notes[:2] == [
        "the templates of the ranker use the user's id, so it is sent to the model",
        WHOLE_TEXTS,
    ]
    assert flow_to_config(document, text) == text
    assert not_expressible(document) == []


@pytest.mark.parametrize(
    ("kind", "template", "sends"),
    [
        ("prompt", "{% if user['UserId'] %}x{% endif %}", True),
        ("prompt", "{{ user | tojson }}", True),
        ("query_template", "{{ user.UserId }}", True),
        ("prompt", "The user with this UserId: {{ user.Comment }}, {{ user . Labels.age }}", False),
        ("document_template", "{{ item.Comment }}", False),
    ],
)
def test_the_users_id_is_sent_only_where_a_template_uses_it(kind, template, sends):
    text = f'[recommend.ranker]\ntype = "llm"\n{kind} = "{template}"\nquery_template = "q"\n'
    text = text.replace('query_template = "q"\n', "", kind == "query_template")
    settings = node(config_to_flow(text)[0], "ranker")["settings"]
    assert settings.get("send_user_id", False) is sends
    assert settings["item_text_limit"] == 10_000


def test_a_language_model_without_a_prompt_does_not_rank_in_gorse_so_it_is_disabled():
    document, notes = config_to_flow('[recommend.ranker]\ntype = "llm"\n')
    assert node(document, "ranker")["disabled"]
    assert "does not rank" in notes[0]


def test_no_key_of_a_service_reaches_the_document():
    text = '[recommend.ranker.reranker_api]\nurl = "http://x"\nauth_token = "sk-secret"\n' + WHOLE.replace(
        "[recommend.ranker]", "[recommend.ranker_]"
    )
    document, notes = config_to_flow(text)
    assert "secret" not in json.dumps([document, notes])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[recommend", "The configuration is not TOML"),
        ("recommend = 3", r"\[recommend\] must be a section of the configuration, got 3"),
        ("[recommend]\nexternal = 3", r"\[\[recommend.external\]\] must be a list of sections, got 3"),
        (
            '[Recommend]\ncache_size = 7\n[recommend.ranker]\ntype = "fm"\n',
            "Recommend and recommend are the same to Gorse",
        ),
        (
            "[recommend.ranker]\npatience = 1\n[recommend.Ranker]\npatience = 2\n",
            r"recommend\.ranker and recommend\.Ranker are the same",
        ),
        (EXTERNAL.format("x") + 'Script = "[1]"', r"recommend\.external\.script and .*\.Script are the same"),
    ],
)
def test_what_is_no_configuration_is_one_error(text, message):
    with pytest.raises(BadRecord, match=message):
        config_to_flow(text)


def test_the_imported_flow_can_run():
    document, _ = config_to_flow(WHOLE)
    assert blocking(check(load_flow(document))) == []


@pytest.mark.parametrize(
    ("node_type", "keys"),
    [("recommend", RECOMMEND), ("collaborative", COLLABORATIVE), ("data-source", DATA_SOURCE)],
)
def test_every_key_is_a_setting_of_its_node(node_type, keys):
    assert {key.setting for key in keys} <= set(NODE_TYPES[node_type].defaults())


@pytest.mark.parametrize(
    "text",
    [
        '[recommend.ranker]\nrecommenders = [["a"], 3, {b = 1}]\n',
        '[recommend]\ncontext_size = "many"\n[recommend.ranker]\ntype = "llm"\nprompt = "p"\n',
        "[recommend]\nranker = 5\ndata_source = []\nfallback = 1\ncollaborative = true\n",
        "[recommend.ranker]\ntype = [1]\n[recommend.collaborative]\ntype = {}\n",
        "[[recommend.non-personalized]]\nname = 3\nscore = 5\nfilter = [1]\n[[recommend.item-to-item]]\n",
        "[recommend.data_source]\npositive_feedback_types = [{a = 1}, 3]\n",
    ],
)
def test_values_of_the_wrong_type_are_drawn_or_listed_but_never_a_crash(text):
    document, _ = config_to_flow(text)
    check(load_flow(document))
    assert flow_to_config(document, text) == text


# Flow -> configuration


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        DEFAULTS,
        DEFAULTS.replace("\n", "\r\n"),
        "",
        "[recommend]\n",
        "[openai]\nauth_token = 'x'\n",
        '[recommend.ranker]\ntype = "llm"\nprompt = "p"\nrecommenders = ["latest"]\n',
        '[recommend.ranker]\ntype = "llm"\n',
        '[recommend.ranker]\ntype = "none"\nrecommenders = ["nowhere", "latest"]\nfit_period = "3m"\n',
        '[recommend.fallback]\nrecommenders = ["latest", "nowhere"]\n',
        RECOMMENDERS + 'type = "chat"\nprompt = "p"\n',
        RECOMMENDERS + 'type = "auto"\n',
        EXTERNAL.format("x") + EXTERNAL.format("x"),
        EXTERNAL.format("a/b") + '[recommend.fallback]\nrecommenders = "external/a/b"\n',
        '[recommend]\nnon-personalized = [{name = "a", score = "1"}]\n',
        "recommend.cache_size = 9 # short\n",
        "[RECOMMEND]\nCache_Size = 9\n",
        '[recommend.ranker]\ntype = "fm"\n[server]\nport = 1\n[recommend]\ncache_size = 9\n',
    ],
)
def test_a_round_trip_changes_nothing_at_all(text):
    assert flow_to_config(config_to_flow(text)[0], text) == text


@hypothesis.settings(deadline=None)  # a busy machine is no failure
@given(st.sets(st.integers(0, 80)), st.sampled_from([WHOLE, DEFAULTS]))
def test_a_round_trip_of_any_part_of_a_file_changes_nothing_at_all(left_out, text):
    kept = [
        line
        for number, line in enumerate(text.splitlines(keepends=True))
        if line.startswith("[") or number not in left_out
    ]
    part = "".join(kept)
    assert flow_to_config(config_to_flow(part)[0], part) == part


def test_without_a_file_only_the_key_of_a_service_is_lost():
    written = tomllib.loads(flow_to_config(config_to_flow(DEFAULTS)[0]))
    expected = tomllib.loads(DEFAULTS)["recommend"]
    del expected["ranker"]["reranker_api"]["auth_token"]
    assert written == {"recommend": expected}


def test_without_a_file_the_document_remembers_what_it_was_made_of():
    document, _ = config_to_flow(WHOLE)
    written = tomllib.loads(flow_to_config(document))
    assert written == {"recommend": tomllib.loads(WHOLE)["recommend"]}


def test_only_what_was_changed_is_written():
    written = changed(
        WHOLE, recommend={"cache_size": 60, "context_size": 5}, data_source={"read": ["read", "seen"]}
    )
    expected = tomllib.loads(WHOLE)
    expected["recommend"]["cache_size"] = 60
    expected["recommend"]["context_size"] = 5
    expected["recommend"]["data_source"]["read_feedback_types"] = ["read", "seen"]
    assert written == expected


def test_comments_around_a_change_survive():
    document, _ = config_to_flow(WHOLE)
    node(document, "recommend")["settings"]["cache_size"] = 60
    assert flow_to_config(document, WHOLE) == WHOLE.replace("cache_size = 50", "cache_size = 60")


def test_sections_that_stand_apart_are_found():
    text = '[recommend.ranker]\ntype = "fm"\n[server]\nport = 1\n'
    text += '[recommend.fallback]\nrecommenders = ["latest"]\n'
    written = changed(text, recommend={"cache_size": 9}, ranker={"patience": 5})
    assert written == {
        "recommend": {
            "cache_size": 9,
            "ranker": {"type": "fm", "early_stopping": {"patience": 5}},
            "fallback": {"recommenders": ["latest"]},
        },
        "server": {"port": 1},
    }


def test_a_setting_of_a_section_below_goes_there():
    written = changed(WHOLE, collaborative={"patience": 3, "optimize_period": "6h"})
    collaborative = written["recommend"]["collaborative"]
    assert collaborative["early_stopping"] == {"patience": 3}
    assert collaborative["optimize_period"] == "6h"
    assert collaborative["fit_epoch"] == 100


def test_a_recommender_added_renamed_or_removed_moves_its_section_and_its_place_in_the_lists():
    document, _ = config_to_flow(WHOLE)
    node(document, "item-to-item-similar_embedding")["name"] = "alike"
    document["nodes"] = [n for n in document["nodes"] if n["id"] != "item-to-item-similar_tags"]
    document["nodes"].append(
        {
            "id": "n9",
            "type": "non-personalized",
            "name": "rated",
            "settings": {"score": "sum(feedback, .Value)"},
        }
    )
    document["edges"] = [e for e in document["edges"] if "item-to-item-similar_tags" not in e["target"]]
    document["edges"].append({"id": "e9", "source": "n9", "target": "ranker", "order": 9})
    recommend = tomllib.loads(flow_to_config(document, WHOLE))["recommend"]
    assert recommend["item-to-item"] == [
        {"name": "alike", "type": "embedding", "column": "item.Labels.embedding", "shoe_size": 43}
    ]
    assert [entry["name"] for entry in recommend["non-personalized"]] == ["most_starred", "popular", "rated"]
    assert recommend["non-personalized"][2] == {"name": "rated", "score": "sum(feedback, .Value)"}
    assert recommend["ranker"]["recommenders"] == [
        "latest",
        "collaborative",
        "item-to-item/alike",
        "user-to-user/similar_users",
        "non-personalized/rated",
    ]


def test_deleting_collaborative_ranker_and_fallback_turns_them_off_and_keeps_their_values():
    document, _ = config_to_flow(WHOLE)
    gone = {"collaborative", "ranker", "fallback"}
    document["nodes"] = [n for n in document["nodes"] if n["id"] not in gone]
    document["edges"] = [e for e in document["edges"] if not gone & {e["source"], e["target"]}]
    document["edges"].append({"id": "e", "source": "latest", "target": "recommend", "order": 0})
    recommend = tomllib.loads(flow_to_config(document, WHOLE))["recommend"]
    assert recommend["collaborative"]["type"] == "none"
    assert recommend["collaborative"]["fit_period"] == "30m"
    assert (recommend["ranker"]["type"], recommend["ranker"]["recommenders"]) == ("none", ["latest"])
    assert recommend["fallback"]["recommenders"] == []


def test_a_similarity_by_itself_loses_its_column():
    document, _ = config_to_flow(WHOLE)
    node(document, "item-to-item-similar_tags")["settings"] |= {"similarity": "users"}
    entry = tomllib.loads(flow_to_config(document, WHOLE))["recommend"]["item-to-item"][1]
    assert entry == {"name": "similar_tags", "type": "users"}


def starter():
    from recflow.nodes.starters import STARTERS

    return copy.deepcopy(STARTERS["classic"].document)


def test_a_flow_of_our_own_is_written_as_near_as_gorse_can_come():
    recommend = tomllib.loads(flow_to_config(starter()))["recommend"]
    assert recommend["data_source"] == {
        "positive_feedback_types": ["star", "like", "rating>=4"],
        "read_feedback_types": ["read", "rating"],
    }
    assert recommend["collaborative"]["type"] == "mf"
    assert recommend["ranker"] == {
        "type": "fm",
        "recommenders": [
            "non-personalized/popular this week",
            "collaborative",
            "item-to-item/liked together",
            "user-to-user/similar taste",
            "latest",
        ],
    }
    assert recommend["fallback"] == {"recommenders": ["latest", "non-personalized/popular"]}
    assert recommend["item-to-item"] == [{"name": "liked together", "type": "users"}]


def test_what_gorse_cannot_say_is_listed():
    document = starter()
    document["notes"] = [{"id": "t", "text": "why"}]
    node(document, "similar-items")["settings"]["n_neighbors"] = 7
    node(document, "popular-week")["disabled"] = True
    document["nodes"].append({"id": "n1", "type": "filter", "settings": {"condition": "true"}})
    assert not_expressible(document) == [
        "non-personalized 'popular this week' is disabled; "
        "Gorse has no such switch, so nothing leads through it",
        "merge 'merge' merges by reciprocal rank fusion; in Gorse the first proposal wins",
        "filter 'n1' is a filter node, which Gorse does not have",
        "Gorse keeps no notes on the canvas",
        "n_neighbors of item-to-item 'liked together' is not a setting of Gorse",
        "Gorse has no ranker by mf; fm is the nearest it has",
    ]


def test_nothing_is_listed_for_what_came_from_gorse():
    for text in (WHOLE, "", RECOMMENDERS + 'type = "chat"\nprompt = "p"\n'):
        assert not_expressible(config_to_flow(text)[0]) == []


def test_without_a_ranker_only_one_recommender_is_said():
    document, _ = config_to_flow("")
    document["nodes"].append({"id": "p", "type": "non-personalized", "name": "p", "settings": {"score": "1"}})
    document["edges"].append({"id": "e", "source": "p", "target": "recommend", "order": 5})
    assert not_expressible(document) == [
        "without a ranker Gorse takes one recommender; non-personalized 'p' is left out"
    ]
    assert "ranker" not in tomllib.loads(flow_to_config(document))["recommend"]


def test_a_circle_does_not_hang_the_export():
    document = starter()
    document["edges"].append({"id": "back", "source": "ranker", "target": "merge", "order": 9})
    assert tomllib.loads(flow_to_config(document))["recommend"]["ranker"]["type"] == "fm"


def test_what_is_no_flow_is_refused():
    with pytest.raises(FlowError):
        flow_to_config({"nodes": 3})


def test_unreadable_settings_are_taken_as_they_are():
    assert full_settings("recommend", {"cache_size": "many"})["cache_size"] == "many"
    assert full_settings("no-such-type", {"a": 1}) == {"a": 1}


# Layout


def test_columns_go_by_the_longest_way_and_are_centered():
    places = layered(["a", "b", "c", "d"], [("a", "b"), ("a", "c"), ("b", "d"), ("a", "d")])
    assert places == {
        "a": (0, ROW / 2),
        "b": (COLUMN, 0),
        "c": (COLUMN, ROW),
        "d": (2 * COLUMN, ROW / 2),
    }


def test_no_two_imported_nodes_share_a_place_and_every_edge_leads_right():
    document, _ = config_to_flow(WHOLE)
    places = {n["id"]: (n["position"]["x"], n["position"]["y"]) for n in document["nodes"]}
    assert len(set(places.values())) == len(places)
    assert all(places[source][0] < places[target][0] for source, target in edges(document))


def test_settings_that_a_script_of_gorse_never_had_are_told_only_when_somebody_sets_them():
    document, _ = config_to_flow(EXTERNAL.format("trending"))
    assert not_expressible(document) == []
    (node,) = (node for node in document["nodes"] if node["type"] == "external")
    node["settings"]["timeout"] = "9s"
    assert not_expressible(document) == ["timeout of external 'trending' is not a setting of Gorse"]
