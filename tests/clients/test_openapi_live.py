"""Invented requests of every form that the API description allows, and of forms that it does not."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import given

from dashboard.api.openapi import OPERATIONS, document
from tests.patience import PATIENCE_S

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: Requests invented for each operation and mode; all of them together take some seconds.
EXAMPLES = 15

#: Not carried out on the server that all tests share, or bound to fail there without an endpoint: the key of
#: the data has to be refused there as described.
REFUSED = {"/purge", "/dashboard/config", "/dashboard/external", "/chat", "/chat/completions"}
SCHEMA = schemathesis.openapi.from_dict(document())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}"
)
def test_no_request_makes_the_server_fail_or_answer_what_is_not_described(operation, mode, server, keys):
    described = SCHEMA[f"/api{operation.path}"][operation.method]
    whose = "admin" if operation.key == "adminKey" and operation.path not in REFUSED else "data"
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.queries or "{" in operation.path):
        pytest.skip("nothing of this operation can be wrong")

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @given(case=described.as_strategy(generation_mode=mode))
    def invent(case):
        key = {"X-API-Key": keys[whose]}
        response = case.call(base_url=server.url, headers=key, timeout=PATIENCE_S)  # else 10 s
        case.validate_response(response, checks=CHECKS)

    invent()
