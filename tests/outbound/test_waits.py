import random

import pytest

from recflow.outbound.messages import Answer
from recflow.outbound.waits import asked_wait, backoff, loading_step

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def asked(*, is_throttled=True, **headers):
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return asked_wait(Answer(429, pairs), NOW, is_throttled=is_throttled)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:10 GMT"}, None),  # ten seconds ago
        ({"retry_after": "0"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"x_ratelimit_reset_requests": "20ms"}, 0.02),
        ({"x_ratelimit_reset_requests": "6m0s"}, 360.0),
        ({"x_ratelimit_reset_requests": "1h2m3.5s"}, 3723.5),
        ({"x_ratelimit_reset": "12"}, 12.0),
        ({"x_ratelimit_reset": "1700000030"}, 30.0),  # a point in time
        ({"x_ratelimit_reset": "whenever"}, None),
        ({"x_ratelimit_reset_requests": "1s", "x_ratelimit_reset_tokens": "6m0s"}, 360.0),
        (
            {
                "x_ratelimit_reset_requests": "1s",
                "x_ratelimit_remaining_requests": "0",
                "x_ratelimit_reset_tokens": "6m0s",
                "x_ratelimit_remaining_tokens": "50000",
            },
            1.0,
        ),
        ({"retry_after": "3", "x_ratelimit_reset": "12"}, 3.0),
        ({}, None),
    ],
)
def test_asked_wait_is_read_from_every_header_that_carries_one(headers, seconds):
    found = asked(**headers)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_rate_headers_of_an_answer_that_does_not_throttle_mean_nothing():
    assert asked(is_throttled=False, x_ratelimit_reset="12") is None
    assert asked(is_throttled=False, retry_after="12") == 12.0


@pytest.mark.parametrize(("tries", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (40, 8.0)])
def test_backoff_doubles_up_to_eight_seconds_with_full_jitter(tries, longest):
    rng = random.Random(1)
    waits = [backoff(tries, rng) for _ in range(400)]
    assert 0.0 <= min(waits) < longest * 0.05
    assert longest * 0.95 < max(waits) <= longest


def test_loading_is_looked_at_every_two_to_five_seconds():
    rng = random.Random(1)
    waits = [loading_step(rng) for _ in range(400)]
    assert 2.0 <= min(waits) < 2.2
    assert 4.8 < max(waits) <= 5.0
