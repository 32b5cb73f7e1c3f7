"""What the measurement of serving makes of wrk's words; the measurement itself is run by hand."""

from __future__ import annotations

import pytest

from dashboard.bench.serve import BenchFailed, Figures, read_wrk

SAID = """Running 4s test @ http://127.0.0.1:8088
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    14.97ms   37.82ms 447.56ms   94.63%
  Latency Distribution
     50%    4.12ms
     75%    6.00ms
     90%    9.50ms
     99%    1.20s
  33455 requests in 4.00s, 10.85MB read
{more}Requests/sec:   8362.69
"""


def test_rate_and_shares_are_read_in_their_units():
    assert read_wrk(SAID.format(more="")) == Figures(8362.69, 4.12, 1200.0, 0)


def test_refusals_and_broken_connections_are_errors():
    more = "  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 30\n"
    assert read_wrk(SAID.format(more=more)).errors == 37  # 1 + 2 + 0 + 4 + 30


def test_words_that_are_no_figures_are_refused():
    with pytest.raises(BenchFailed, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:1 Connection refused")
