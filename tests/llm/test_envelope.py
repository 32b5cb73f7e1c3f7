"""Bodies as services send them, read into one Completion."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.errors import ReplyUnreadable, ServiceError
from recflow.llm.envelope import Completion, Usage, read_envelope
from recflow.llm.replies import read_completion


def body(message, **fields):
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | fields.pop("choice", {})
    return json.dumps({"choices": [choice]} | fields).encode()


def stream(*events, done=True):
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"] * done
    return "".join(lines).encode()


def delta(content=None, finish_reason=None, **fields):
    return {"choices": [{"index": 0, "delta": {"content": content} | fields, "finish_reason": finish_reason}]}


def test_plain_answer_with_usage():
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    found = read_envelope(
        body({"content": "b\na"}, usage=usage, model="m", system_fingerprint="f", extra=[1])
    )
    assert found == Completion(
        "b\na", finish_reason="stop", usage=Usage(11, 7, 3, 2), model="m", fingerprint="f"
    )


@pytest.mark.parametrize(
    ("message", "content", "reasoning"),
    [
        ({"content": None}, "", ""),
        ({}, "", ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "\nb"}]}, "a\nb", ""),
        (
            {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "output_text", "text": "a"}]},
            "a",
            "hm",
        ),
        ({"content": ["a", 3, None, {"type": "image"}]}, "a", ""),
        ({"content": {"type": "text", "text": "a"}}, "a", ""),
        ({"content": "a", "reasoning_content": "hm"}, "a", "hm"),
        ({"content": "a", "reasoning": "hm"}, "a", "hm"),
        ({"content": 7}, "", ""),
    ],
)
def test_content_in_every_form(message, content, reasoning):
    found = read_envelope(body(message))
    assert (found.content, found.reasoning) == (content, reasoning)


@pytest.mark.parametrize(
    ("message", "thoughts"),
    [
        ({"reasoning_content": "", "reasoning": "3\n1\n2"}, "3\n1\n2"),
        ({"reasoning_content": " \n", "reasoning": "3"}, "3"),
        ({"reasoning_content": "a", "reasoning": "b"}, "a"),
        ({"reasoning_content": None, "reasoning": 5}, ""),
    ],
)
def test_of_two_reasoning_fields_the_first_that_is_not_blank_counts(message, thoughts):
    assert read_envelope(body({"content": "", **message})).reasoning == thoughts


def test_a_blank_piece_of_streamed_thoughts_is_kept():
    pieces = [{"choices": [{"delta": {"reasoning": text}}]} for text in ("a", " ", "b")]
    assert read_envelope(stream(*pieces)).reasoning == "a b"


@pytest.mark.parametrize("wrapped", [b"\xef\xbb\xbf%b", b"\n\n  %b  \n", b"\r\n%b"])
def test_bom_and_white_space_around_the_json_are_ignored(wrapped):
    assert read_envelope(wrapped % body({"content": "a"})).content == "a"


def test_lowest_index_wins_and_legacy_text_counts():
    two = {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]}
    assert read_envelope(json.dumps(two).encode()).content == "a"
    assert read_envelope(json.dumps({"choices": [{"text": "a"}]}).encode()).content == "a"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "x",
        {"prompt_tokens": True},
        {"prompt_tokens": -1},
        {"prompt_tokens": "9"},
        {"prompt_tokens": 10**30, "completion_tokens": 10**9 + 1},
    ],
)
def test_nonsense_in_usage_is_no_usage(usage):
    assert read_envelope(body({"content": "a"}, usage=usage)).usage == Usage()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "not_json"),
        (b"<html><body>Bad gateway</body></html>", "not_json"),
        (b'{"choices": [{"message": {"content": "a"', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'"text"', "no_choices"),
        (b"[1]", "no_choices"),
        (b"{}", "no_choices"),
        (b'{"choices": []}', "no_choices"),
        (b'{"choices": null}', "no_choices"),
        (b'{"choices": ["a"]}', "no_choices"),
        (b'{"choices": [{"index": 0}]}', "no_choices"),
        (b"data: nonsense\n\ndata: [DONE]\n\n", "not_json"),
    ],
)
def test_what_is_no_chat_answer_is_refused_with_its_text(raw, kind):
    with pytest.raises(ReplyUnreadable) as caught:
        read_envelope(raw)
    assert caught.value.kind == kind
    assert caught.value.raw == raw.decode()[:500].strip()


@pytest.mark.parametrize(
    ("document", "kind", "retryable"),
    [
        ({"error": {"message": "slow down", "code": 429}}, "rate_limited", True),
        ({"error": {"message": "no", "code": "invalid_api_key"}}, "auth", False),
        ({"error": "boom"}, "server_error", True),
        (
            {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "up"}}]},
            "server_error",
            True,
        ),
        ({"choices": [{"finish_reason": "error", "message": {"content": "half"}}]}, "server_error", True),
    ],
)
def test_an_error_with_status_200_is_the_error_it_names(document, kind, retryable):
    with pytest.raises(ServiceError) as caught:
        read_envelope(json.dumps(document).encode())
    assert (caught.value.kind, caught.value.retryable, caught.value.status) == (kind, retryable, 200)
    with pytest.raises(ServiceError) as caught:
        read_envelope(stream(delta("a"), document))
    assert caught.value.kind == kind


def test_stream_is_put_together():
    raw = stream(
        {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
        delta("b"),
        {"choices": [{"index": 1, "delta": {"content": "NO"}}]},
        delta("\na", reasoning_content="hm"),
        delta(None, "stop"),
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
    )
    found = read_envelope(raw, "text/event-stream; charset=utf-8")
    assert (found.content, found.reasoning, found.finish_reason) == ("b\na", "hm", "stop")
    assert (found.usage, found.model, found.is_streamed) == (Usage(5, 2), "m", True)


def test_stream_without_done_is_whole_when_it_says_it_finished():
    assert read_envelope(stream(delta("a"), delta(None, "stop"), done=False)).finish_reason == "stop"


def test_stream_that_breaks_off_is_cut():
    raw = stream(delta("a\n"), delta("b"), done=False) + b'data: {"choices": [{"ind'
    found = read_envelope(raw)
    assert (found.content, found.finish_reason) == ("a\nb", "cut")


def test_stream_with_comments_crlf_and_events_of_several_lines():
    lines = [
        ": ping",
        "",
        "event: x",
        'data: {"choices":',
        'data: [{"delta": {"content": "a"}}]}',
        "",
        "data: [DONE]",
        "",
    ]
    raw = "\r\n".join(lines).encode()
    assert read_envelope(raw, "text/event-stream").content == "a"


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        (Completion("", finish_reason="stop"), "empty"),
        (Completion(" \n", reasoning="I wonder about b."), "reasoning_only"),
        (Completion("", reasoning="b is nice\nb\na"), "reasoning_only"),
        (Completion("", refusal="I will not."), "refusal"),
        (Completion("", has_tool_calls=True), "tool_calls"),
        (Completion("", finish_reason="tool_calls"), "tool_calls"),
        (Completion("", finish_reason="content_filter"), "content_filter"),
        (Completion("I will not.", refusal="I will not."), "no_candidate"),
    ],
)
def test_a_completion_without_a_list_says_why(completion, reason):
    reading = read_completion(completion, ["a", "b"])
    assert (reading.status, reading.reason, reading.order) == ("failed", reason, (0, 1))


def test_reasoning_that_is_nothing_but_the_list_counts():
    reading = read_completion(Completion("", reasoning="```csv\nid\nb\na\n```"), ["a", "b"])
    assert (reading.order, reading.status) == ((1, 0), "ok")


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "content", "error", "usage", "index", "text", "finish_reason"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), JSON_VALUES.map(lambda value: json.dumps(value).encode())),
    st.booleans(),
)
def test_any_body_gives_a_completion_or_a_service_error(raw, as_event):
    try:
        found = read_envelope(b"data: " + raw + b"\n\n" if as_event else raw)
    except ServiceError:
        return
    reading = read_completion(found, ["a", "b", "c"])
    assert sorted(reading.order) == [0, 1, 2]
