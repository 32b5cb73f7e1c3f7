"""The wire format of chat completions, and what is learned about an endpoint."""

import dataclasses
import json
import random

import pytest

from recflow.errors import ServiceError, ServiceRefused
from recflow.llm.chat import ChatOptions, build_payload, chat
from recflow.llm.endpoint import (
    Endpoint,
    Price,
    ThinkingOff,
    capabilities_of,
    forget_refusals,
    remember_refusal,
)
from recflow.outbound.call import EndpointPolicy, Timing, breaker_status
from tests.scripted_server import json_reply, sse, status

CHAT = "/v1/chat/completions"
MESSAGES = ({"role": "system", "content": "Rank."}, {"role": "user", "content": "a or b"})


def reply(content="b\na", **fields):
    return json_reply({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]} | fields)


def refuse(message, param=None, code=400):
    return status(code, {"error": {"message": message, "param": param, "code": "unsupported_parameter"}})


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        (" http://h/v1 ", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/api/v3", "http://h/api/v3/chat/completions"),
        ("http://h/openai/deployments/x", "http://h/openai/deployments/x/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions/", "http://h/v1/chat/completions"),
    ],
)
def test_base_urls_are_joined_and_never_doubled(base, url):
    assert Endpoint(base, "m").url("/chat/completions") == url


async def test_request_as_sent(server, endpoint):
    server.script(CHAT, reply())
    await chat(endpoint, MESSAGES, ChatOptions(seed=7, max_output_tokens=99))
    (hit,) = server.hits_of(CHAT)
    assert hit.headers["authorization"] == "Bearer sk-very-secret-1234"
    assert hit.json == {
        "model": "m",
        "messages": list(MESSAGES),
        "stream": False,
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 99,
    }


async def test_no_header_for_an_empty_key_and_nothing_that_was_not_asked_for(server, endpoint):
    server.script(CHAT, reply())
    await chat(dataclasses.replace(endpoint, key=""), MESSAGES, ChatOptions(temperature=None))
    (hit,) = server.hits_of(CHAT)
    assert "authorization" not in hit.headers
    assert set(hit.json) == {"model", "messages", "stream"}


def test_the_key_is_not_printed(endpoint):
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("style", "fields", "last_message", "n_messages"),
    [
        (ThinkingOff.NOT_SENT, {}, "a or b", 2),
        (ThinkingOff.ENABLE_THINKING, {"chat_template_kwargs": {"enable_thinking": False}}, "a or b", 2),
        (ThinkingOff.THINKING, {"chat_template_kwargs": {"thinking": False}}, "a or b", 2),
        (ThinkingOff.REASONING_EFFORT, {"reasoning_effort": "none"}, "a or b", 2),
        (ThinkingOff.SYSTEM_TEXT, {}, "a or b", 3),
        (ThinkingOff.SUFFIX, {}, "a or b /no_think", 2),
    ],
)
def test_thinking_is_switched_off_as_the_endpoint_understands_it(style, fields, last_message, n_messages):
    payload = build_payload(
        Endpoint("http://h", "m", thinking_off=style), MESSAGES, ChatOptions(temperature=None)
    )
    assert {name: payload[name] for name in payload.keys() - {"model", "messages", "stream"}} == fields
    assert payload["messages"][-1]["content"] == last_message
    assert len(payload["messages"]) == n_messages
    assert MESSAGES[1]["content"] == "a or b"


def test_response_formats():
    endpoint = Endpoint("http://h", "m")
    assert "response_format" not in build_payload(endpoint, MESSAGES, ChatOptions())
    payload = build_payload(endpoint, MESSAGES, ChatOptions(response_format="json_object"))
    assert payload["response_format"] == {"type": "json_object"}
    payload = build_payload(endpoint, MESSAGES, ChatOptions(response_format="json_schema", names=("1", "2")))
    schema = payload["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["ranking"]["items"]["enum"] == ["1", "2"]


@pytest.mark.parametrize(
    ("refusal", "options", "sent_then"),
    [
        (refuse("Unsupported parameter: 'temperature'", "temperature"), ChatOptions(), {}),
        (
            refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
            ChatOptions(temperature=None, max_output_tokens=9),
            {"max_completion_tokens": 9},
        ),
        (
            refuse("This response_format type is unavailable now"),
            ChatOptions(temperature=None, response_format="json_schema"),
            {"response_format": {"type": "json_object"}},
        ),
        (
            refuse("This response_format type is unavailable now"),
            ChatOptions(temperature=None, response_format="json_object"),
            {},
        ),
        (
            status(
                422,
                {
                    "detail": [
                        {
                            "loc": ["body", "seed"],
                            "msg": "Extra inputs are not permitted",
                            "type": "extra_forbidden",
                        }
                    ]
                },
            ),
            ChatOptions(temperature=None, seed=1),
            {},
        ),
        (
            status(500, {"error": {"message": "1 validation error: temperature Input should be 1"}}),
            ChatOptions(),
            {},
        ),
    ],
)
async def test_a_refused_parameter_is_changed_once_and_remembered(
    server, endpoint, refusal, options, sent_then
):
    server.script(CHAT, refusal, reply())
    first = await chat(endpoint, MESSAGES, options)
    second = await chat(endpoint, MESSAGES, options)
    assert server.count(CHAT) == 3
    bare = {"model", "messages", "stream"}
    for hit in server.hits_of(CHAT)[1:]:
        assert {name: value for name, value in hit.json.items() if name not in bare} == sent_then
    assert [len(first.attempts), len(second.attempts)] == [2, 1]
    assert {name for name in first.sent if name not in bare} == set(sent_then)


async def test_two_parameters_can_be_refused_in_one_call(server, endpoint):
    server.script(
        CHAT,
        refuse("Unsupported parameter: 'max_tokens'", "max_tokens"),
        refuse("Unsupported value: 'temperature' does not support 0", "temperature"),
        reply(),
    )
    await chat(endpoint, MESSAGES, ChatOptions(max_output_tokens=9))
    assert server.count(CHAT) == 3
    assert server.hits_of(CHAT)[-1].json.keys() == {"model", "messages", "stream", "max_completion_tokens"}
    assert dict(capabilities_of(endpoint)) == {"max_tokens": "max_completion_tokens", "temperature": None}


async def test_a_parameter_refused_under_both_names_is_left_out(server, endpoint):
    server.script(
        CHAT,
        refuse("Unsupported parameter: 'max_tokens'", "max_tokens"),
        refuse("Unknown parameter: 'max_completion_tokens'", "max_completion_tokens"),
        reply(),
    )
    await chat(endpoint, MESSAGES, ChatOptions(temperature=None, max_output_tokens=9))
    assert server.hits_of(CHAT)[-1].json.keys() == {"model", "messages", "stream"}
    await chat(endpoint, MESSAGES, ChatOptions(temperature=None, max_output_tokens=9))
    assert server.count(CHAT) == 4


async def test_a_service_that_keeps_refusing_the_same_field_is_not_asked_for_ever(server, endpoint):
    server.script(CHAT, refuse("Unsupported parameter: 'temperature'", "temperature"))
    with pytest.raises(ServiceError) as caught:
        await chat(endpoint, MESSAGES, ChatOptions())
    assert (caught.value.kind, server.count(CHAT)) == ("unsupported_parameter", 2)


async def test_what_was_learned_can_be_seen_and_forgotten(server, endpoint):
    remember_refusal(endpoint, "temperature", None)
    other = dataclasses.replace(endpoint, model="other")
    assert (dict(capabilities_of(endpoint)), dict(capabilities_of(other))) == ({"temperature": None}, {})
    assert "temperature" not in build_payload(endpoint, MESSAGES, ChatOptions())
    forget_refusals(endpoint)
    assert "temperature" in build_payload(endpoint, MESSAGES, ChatOptions())


async def test_reported_usage_is_taken_and_a_missing_one_estimated(server, endpoint):
    server.script(CHAT, reply(usage={"prompt_tokens": 5, "completion_tokens": 2}), reply("abcdef"))
    found = await chat(endpoint, MESSAGES, ChatOptions())
    assert (found.prompt_tokens, found.completion_tokens, found.is_estimated) == (5, 2, False)
    found = await chat(endpoint, MESSAGES, ChatOptions())
    # "Rank." and "a or b" are 2 tokens each by the rule of three, "abcdef" is 2
    assert (found.prompt_tokens, found.completion_tokens, found.is_estimated) == (4, 2, True)


@pytest.mark.parametrize(("counted", "n_warnings"), [(69, 1), (70, 0), (150, 0)])
async def test_input_cut_without_a_word_is_warned_about(server, endpoint, counted, n_warnings):
    server.script(CHAT, reply(usage={"prompt_tokens": counted, "completion_tokens": 1}))
    found = await chat(endpoint, [{"role": "user", "content": "x" * 300}], ChatOptions())
    assert len(found.warnings) == n_warnings
    assert all("about 100 were sent" in warning for warning in found.warnings)


async def test_a_stream_nobody_asked_for_is_read(server, endpoint):
    server.script(CHAT, sse([{"choices": [{"delta": {"content": text}}]} for text in ("b\n", "a")]))
    found = await chat(endpoint, MESSAGES, ChatOptions())
    assert (found.completion.content, found.completion.is_streamed) == ("b\na", True)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_error_in_a_choice_has_the_retries_of_its_status(server, endpoint, is_stream):
    broken = {"choices": [{"finish_reason": "error", "error": {"code": 424, "message": "GPU lost"}}]}
    server.script(CHAT, sse([broken]) if is_stream else json_reply(broken))
    with pytest.raises(ServiceError) as caught:
        await chat(endpoint, MESSAGES, ChatOptions())
    assert (caught.value.kind, server.count(CHAT), caught.value.attempts) == ("inference_failed", 2, 2)
    server.script(CHAT, json_reply(broken), reply())
    assert (await chat(endpoint, MESSAGES, ChatOptions())).completion.content == "b\na"


async def test_an_error_in_a_choice_is_tried_again_after_a_pause_within_the_endpoints_limit(server, endpoint):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    timing = Timing(sleep=sleep, rng=random.Random(7))
    server.script(CHAT, json_reply({"choices": [{"finish_reason": "error", "error": {"code": 502}}]}))
    limited = dataclasses.replace(endpoint.policy, max_retries=2)
    with pytest.raises(ServiceError, match="It failed inside"):
        await chat(dataclasses.replace(endpoint, policy=limited), MESSAGES, ChatOptions(), timing=timing)
    assert server.count(CHAT) == 3
    assert 0 <= pauses[0] <= 0.5
    assert 0 <= pauses[1] <= 1.0
    once = dataclasses.replace(endpoint.policy, max_retries=0)
    with pytest.raises(ServiceError, match="It failed inside"):
        await chat(dataclasses.replace(endpoint, policy=once), MESSAGES, ChatOptions(), timing=timing)
    assert (server.count(CHAT), len(pauses)) == (4, 2)


TOLD_LATE = {
    "in a choice": json_reply,
    "in an event": lambda document: sse([document]),
    "in an event after half an answer": lambda document: sse(
        [{"choices": [{"delta": {"content": "b"}}]}, document]
    ),
    "in an event behind a comment": lambda document: status(
        200, f":keepalive\n\ndata: {json.dumps(document)}\n\n"
    ),
}


@pytest.mark.parametrize("told", TOLD_LATE.values(), ids=TOLD_LATE)
async def test_a_key_refused_with_a_good_status_opens_the_circuit(server, endpoint, told):
    error = {"code": 401, "message": "Bad key sk-very-secret-1234 given"}
    server.script(CHAT, told({"choices": [{"index": 0, "finish_reason": "error", "error": error}]}))
    with pytest.raises(ServiceError) as caught:
        await chat(endpoint, MESSAGES, ChatOptions())
    assert [(tried.kind, tried.status) for tried in caught.value.history] == [("auth", 200)]
    assert "secret" not in str(caught.value) + repr(caught.value.history)
    assert breaker_status("llm test").state == "open"
    with pytest.raises(ServiceRefused):
        await chat(endpoint, MESSAGES, ChatOptions())
    assert server.count(CHAT) == 1


@pytest.mark.parametrize("told", TOLD_LATE.values(), ids=TOLD_LATE)
async def test_five_failures_told_with_a_good_status_open_the_circuit(server, endpoint, told):
    server.script(CHAT, told({"error": {"code": 500, "message": "GPU lost"}}))
    once = dataclasses.replace(endpoint, policy=dataclasses.replace(endpoint.policy, max_retries=0))
    for _ in range(5):
        assert breaker_status("llm test").state == "closed"
        with pytest.raises(ServiceError, match="GPU lost"):
            await chat(once, MESSAGES, ChatOptions())
    assert breaker_status("llm test").state == "open"


async def test_a_field_refused_within_a_choice_is_left_out(server, endpoint):
    error = {"code": 400, "message": "Unsupported parameter: seed", "param": "seed"}
    server.script(CHAT, json_reply({"choices": [{"error": error}]}), reply())
    assert (await chat(endpoint, MESSAGES, ChatOptions(seed=1))).completion.content == "b\na"
    assert "seed" not in server.hits_of(CHAT)[1].json


@pytest.mark.parametrize(
    "start", [":keepalive\n\n", "\n\nid: 1\n", "retry: 5\n", "event:x\n", ": wait\n", "odd\n"]
)
async def test_a_stream_is_known_by_any_of_its_fields_or_its_type(server, endpoint, start):
    body = start + 'data: {"choices": [{"delta": {"content": "b"}}]}\n\ndata: [DONE]\n\n'
    content_type = "text/event-stream; charset=utf-8" if start == "odd\n" else "text/plain"
    server.script(CHAT, status(200, body, Content_Type=content_type))
    assert (await chat(endpoint, MESSAGES, ChatOptions())).completion.content == "b"
    assert server.count(CHAT) == 1


async def test_no_error_text_shows_the_key(server, endpoint):
    server.script(CHAT, status(401, {"error": {"message": "Bad key sk-very-secret-1234 given"}}))
    with pytest.raises(ServiceError) as caught:
        await chat(endpoint, MESSAGES, ChatOptions())
    assert "secret" not in str(caught.value) + repr(caught.value.history)
    assert caught.value.kind == "auth"


def test_price_counts_cached_input_apart():
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    # 600 fresh * 2 + 400 cached * 0.5 + 100 out * 8 = 1200 + 200 + 800, a millionth of it
    assert price.of(1000, 100, 400) == pytest.approx(0.0022)
    assert Price(2.0, 8.0).of(1000, 100, 400) == pytest.approx(0.0028)


def test_nodes_with_one_model_share_its_circuit():
    one, other = Endpoint("http://h/v1/", "m"), Endpoint("http://h/v1", "m")
    assert one.call_policy == other.call_policy == EndpointPolicy("http://h/v1 m")
