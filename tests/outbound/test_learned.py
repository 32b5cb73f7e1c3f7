"""What one process learns of an endpoint all others go by, and a reset reaches them all."""

import sqlite3

import pytest

from recflow.outbound.learned import REFUSED_FOR_S, Learned

NOW = 1_700_000_000.0


@pytest.fixture
def processes(tmp_path):
    """Two that share a file; each has its own connection."""
    both = [Learned(tmp_path / "learned.sqlite3") for _ in range(2)]
    yield both
    for one in both:
        one.close()


def test_what_one_process_learned_the_other_knows_at_once(processes):
    web, jobs = processes
    assert web.refusals("http://x m", NOW) == {}
    jobs.remember("http://x m", "temperature", None, NOW)
    web.remember("http://x m", "max_tokens", "max_completion_tokens", NOW)
    for one in processes:
        assert one.refusals("http://x m", NOW) == {
            "temperature": None,
            "max_tokens": "max_completion_tokens",
        }
        assert one.refusals("http://x other", NOW) == {}


def test_what_one_process_forgets_the_other_forgets(processes):
    web, jobs = processes
    jobs.remember("a", "temperature", None, NOW)
    jobs.remember("b", "temperature", None, NOW)
    web.forget("a")
    assert [jobs.refusals(endpoint, NOW) for endpoint in "ab"] == [{}, {"temperature": None}]


def test_every_start_is_counted_whoever_makes_it(processes):
    web, jobs = processes
    web.start_anew("gpt")
    jobs.start_anew("gpt")
    assert [one.starts("gpt") for one in processes] == [2, 2]
    assert web.starts("other") == 0


def test_a_refused_parameter_is_tried_again_after_a_day(processes):
    web, jobs = processes
    jobs.remember("a", "temperature", None, NOW)
    assert web.refusals("a", NOW + REFUSED_FOR_S - 1) == {"temperature": None}
    assert web.refusals("a", NOW + REFUSED_FOR_S) == {}


def test_it_is_still_known_after_a_restart(tmp_path):
    for known in ({}, {"temperature": None}):
        started = Learned(tmp_path / "learned.sqlite3")
        assert started.refusals("a", NOW) == known
        started.remember("a", "temperature", None, NOW)
        started.close()


def test_a_file_that_cannot_be_used_costs_the_sharing_and_no_call(tmp_path, caplog):
    (tmp_path / "learned.sqlite3").write_text("This is no database, and long enough to tell. " * 40)
    alone = Learned(tmp_path / "learned.sqlite3")
    alone.remember("a", "temperature", None, NOW)
    alone.start_anew("gpt")
    assert (alone.refusals("a", NOW), alone.starts("gpt")) == ({"temperature": None}, 1)
    alone.close()
    assert "not shared between processes" in caplog.text


def test_a_write_that_fails_is_known_here_and_complained_of_once(processes, tmp_path, caplog):
    web, _ = processes
    web._rows.execute("PRAGMA busy_timeout=0")
    with sqlite3.connect(tmp_path / "learned.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        web.remember("a", "temperature", None, NOW)
        web.remember("a", "seed", None, NOW)
        other.execute("ROLLBACK")
    other.close()
    assert web.refusals("a", NOW) == {"temperature": None, "seed": None}
    assert caplog.text.count("not shared between processes") == 1
