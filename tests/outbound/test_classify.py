"""One case for every row of the table of failures that an answer can fall under."""

import json

import pytest

from recflow.errors import ServiceError
from recflow.outbound.messages import Answer
from recflow.outbound.retry import RULES, Hint, classify


def answer(status, body=b"", **headers):
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body
    return Answer(status, tuple((k.replace("_", "-"), v) for k, v in headers.items()), data)


def openai_error(message="", code=None, **more):
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, **more}}


@pytest.mark.parametrize(
    ("status", "kind", "retries", "opens"),
    [
        (301, "redirect", 0, False),
        (307, "redirect", 0, False),
        (400, "bad_request", 0, False),
        (401, "auth", 0, True),
        (402, "payment", 0, True),
        (403, "auth", 0, True),
        (404, "not_found", 0, True),
        (405, "bad_request", 0, False),
        (406, "bad_request", 0, False),
        (408, "conflict", 2, False),
        (409, "conflict", 2, False),
        (413, "batch_too_large", 0, False),
        (415, "bad_request", 0, False),
        (418, "bad_request", 0, False),
        (421, "content_filter", 0, False),
        (422, "bad_request", 0, False),
        (424, "inference_failed", 1, False),
        (425, "conflict", 2, False),
        (429, "rate_limited", 2, False),
        (499, "client_closed", 0, False),
        (500, "server_error", 2, False),
        (501, "not_offered", 0, False),
        (502, "server_error", 2, False),
        (503, "loading", 20, False),
        (504, "server_error", 2, False),
        (505, "not_offered", 0, False),
        (520, "server_error", 2, False),
        (524, "server_error", 2, False),
        (529, "server_error", 2, False),
        (599, "server_error", 2, False),
    ],
)
def test_status_alone_decides_when_the_body_says_nothing(status, kind, retries, opens):
    decision = classify(answer(status, {"error": {"message": "x"}}))
    assert (decision.kind, decision.retries, decision.opens_circuit) == (kind, retries, opens)


@pytest.mark.parametrize(
    ("kind", "retries"),
    [
        ("dns", 2),
        ("connect", 2),
        ("tls", 0),
        ("timeout", 1),
        ("reset", 2),
        ("cut_reply", 2),
        ("too_large", 0),
    ],
)
def test_errors_of_the_connection_have_their_rows(kind, retries):
    decision = classify(ServiceError("no", kind=kind))
    assert (decision.kind, decision.retries) == (kind, retries)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, openai_error("This model's maximum context length is 4096 tokens.", "context_length_exceeded")),
        (400, openai_error("This model's maximum context length is 4096 tokens.")),
        (413, {"error": {"message": "the prompt is too long for the context window"}}),
        (500, {"error": {"message": "the request exceeds the available context size, try increasing it"}}),
        (422, {"detail": "Input is too long: 9000 tokens"}),
    ],
)
def test_context_overflow_asks_for_a_shorter_prompt_and_no_blind_retry(status, body):
    decision = classify(answer(status, body))
    assert (decision.kind, decision.hint, decision.retries) == ("context_length", Hint.SHRINK_PROMPT, 0)


@pytest.mark.parametrize(
    ("status", "body", "parameter"),
    [
        (
            400,
            openai_error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "unsupported_parameter",
                param="max_tokens",
            ),
            "max_tokens",
        ),
        (
            400,
            openai_error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
            "max_tokens",
        ),
        (
            400,
            openai_error("Unsupported value: 'temperature' does not support 0", "unsupported_value"),
            "temperature",
        ),
        (400, {"error": "This response_format type is unavailable now"}, "response_format"),
        (
            422,
            {"detail": "Unexpected fields in the request: {'chat_template_kwargs'}"},
            "chat_template_kwargs",
        ),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]},
            "seed",
        ),
        (
            422,
            {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'"}]},
            "response_format",
        ),
        (
            500,  # llama-cpp-python reports bad requests so
            openai_error("[{'loc': ('body', 'response_format', 'type'), 'msg': 'Input should be ...'}]"),
            "response_format",
        ),
        (400, b'json: unknown field "reasoning_effort"', "reasoning_effort"),
    ],
)
def test_refused_parameter_is_named(status, body, parameter):
    decision = classify(answer(status, body))
    assert (decision.kind, decision.parameter) == ("unsupported_parameter", parameter)
    assert decision.hint is Hint.DROP_PARAMETER


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "Input should be a string"}]}),
        (400, openai_error("this model does not support images")),
        (500, openai_error("1 validation error for Request: Input should be a valid list")),
    ],
)
def test_what_no_call_can_do_without_is_not_offered_for_dropping(status, body):
    decision = classify(answer(status, body))
    assert (decision.kind, decision.parameter, decision.retries) == ("bad_request", None, 0)


@pytest.mark.parametrize(
    ("status", "body", "limit"),
    [
        (413, {"error": "batch size 50 > maximum allowed batch size 32", "error_type": "Validation"}, 32),
        (422, {"error": "batch size 50 > maximum allowed batch size 32", "error_type": "Validation"}, 32),
        (400, {"message": "too many documents: the limit is 1000"}, 1000),
        (413, b"<html>Request Entity Too Large</html>", None),
    ],
)
def test_batch_limit_is_read_where_it_is_told(status, body, limit):
    decision = classify(answer(status, body))
    assert (decision.kind, decision.hint, decision.batch_limit) == (
        "batch_too_large",
        Hint.SPLIT_BATCH,
        limit,
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, openai_error("You exceeded your current quota, please check your plan", "insufficient_quota")),
        (429, openai_error("", "billing_hard_limit_reached")),
        (402, {"error": {"message": "Insufficient Balance"}}),
    ],
)
def test_used_up_quota_is_not_retried_and_opens_the_circuit(status, body):
    decision = classify(answer(status, body))
    assert (decision.kind, decision.retries, decision.opens_circuit) == ("quota", 0, True)


@pytest.mark.parametrize(
    "body", [openai_error("", "content_filter"), openai_error("... content management policy.")]
)
def test_content_filter_is_its_own_kind(body):
    assert classify(answer(400, body)).kind == "content_filter"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "unreadable"),
        (b"  \n ", "unreadable"),
        (b"<html><body>Sign in</body></html>", "unreadable"),
        (b"all is well", "unreadable"),
        (b'{"choices": oops, "x": 1}', "unreadable"),
        (b'{"choices": [{"message": {"content": "ab', "cut_reply"),
        (b'{"choices": [1, 2', "cut_reply"),
        (b'{"choices": [1,', "cut_reply"),
        (b'{"done": fal', "cut_reply"),
        (b"[" * 100_000, "unreadable"),  # nested deeper than any parser goes
        (b'{"ok": true}', "ok"),
        (b'\xef\xbb\xbf  {"ok": true}', "ok"),
        (b'{"error": null, "results": []}', "ok"),
        (b"[]", "ok"),
        (b"data: {}\n\ndata: [DONE]\n\n", "ok"),
        (b": keep-alive\n\ndata: {}\n\n", "ok"),
        (openai_error("slow down", "rate_limit_exceeded"), "rate_limited"),
        (openai_error("slow down", 429), "rate_limited"),
        (openai_error("bad key", "invalid_api_key"), "auth"),
        (openai_error("too long", "context_length_exceeded"), "context_length"),
        ({"error": {"message": "upstream fell over"}}, "server_error"),
        ({"error": "upstream fell over"}, "server_error"),
        # digits to Unicode, but no number; and more of them than Python reads
        ({"error": {"message": "odd", "code": "\u00b2\u00b2\u00b2"}}, "server_error"),
        ({"error": {"message": "odd", "code": "\u0664\u0660\u0661"}}, "server_error"),
        ({"error": {"message": "odd", "code": "4" * 5_000}}, "server_error"),
        (b'{"error": {"code": ' + b"4" * 5_000 + b"}}", "unreadable"),
    ],
)
def test_200_is_judged_by_its_body(body, kind):
    assert classify(answer(200, body)).kind == kind


def test_200_of_any_shape_is_fine_where_no_json_is_expected():
    assert classify(answer(200, b"<html>"), expects="any").kind == "ok"


def test_404_of_an_address_that_may_name_anybody_says_nothing_of_the_service():
    decision = classify(answer(404), expects="any")
    assert (decision.kind, decision.opens_circuit) == ("not_found", False)


@pytest.mark.parametrize("place", [5, None, "body", {"a": 1}, [], [5, None, ["x"]]])
def test_a_place_of_any_shape_is_read_without_a_fault(place):
    assert classify(answer(400, {"detail": [{"loc": place, "msg": 5}]})).kind == "bad_request"


def test_detail_is_what_the_service_said():
    assert classify(answer(401, openai_error("Incorrect API key"))).detail == "Incorrect API key"
    assert classify(answer(404, {"detail": "Not Found"})).detail == "Not Found"
    assert classify(answer(502, b"bad gateway")).detail == "bad gateway"


def test_only_rows_that_can_be_retried_or_changed_leave_the_circuit_and_settings_alone():
    for rule in RULES.values():
        assert not (rule.retries and (rule.opens_circuit or rule.is_config_error)), rule.kind
        assert bool(rule.retries) == rule.counts_as_failure, rule.kind
