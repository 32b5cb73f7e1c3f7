"""The benchmark of the LLM ranker prints its figures; no test may depend on what they are."""

from dashboard.bench import llm


def test_overhead_and_throughput_are_printed_beside_bare_calls(monkeypatch):
    monkeypatch.setattr(llm, "WARM", 4)
    said = []
    llm.run(
        said.append, latency_ms=1, busy_latency_ms=1, n_candidates=5, n_pairs=2, n_rankings=8, in_flight=4
    )
    labels = [line[:24].strip() for line in said]
    for label in ("bare httpx call", "ranking", "overhead", "bare httpx calls", "rankings"):
        assert label in labels
    assert said[-1].startswith("rankings / bare: ")
