import weakref

import numpy as np

from recflow.engine.memo import Memo
from recflow.engine.values import Candidates


def candidates(n):
    return Candidates(np.zeros(n, np.int32), np.zeros(n))


def test_what_was_used_least_goes_first_when_the_memory_is_full():
    memo = Memo(max_bytes=2 * (1024 + 120))
    memo.keep("a", candidates(10))
    memo.keep("b", candidates(10))
    memo.find("a")
    memo.keep("c", candidates(10))
    assert memo.find("a") is not None
    assert memo.find("b") is None
    assert memo.find("c") is not None


def test_a_result_is_good_for_its_time_only():
    now = [0.0]
    memo = Memo(clock=lambda: now[0])
    memo.keep("a", candidates(1), keep_s=5)
    now[0] = 4.9
    assert memo.find("a") is not None
    now[0] = 5.1
    assert memo.find("a") is None
    assert len(memo) == 0


def test_zero_seconds_keeps_nothing_and_what_does_not_fit_is_not_kept():
    memo = Memo(max_bytes=2000)
    memo.keep("a", candidates(1), keep_s=0)
    memo.keep("b", candidates(1000))
    assert len(memo) == 0


def test_keeping_again_replaces_and_does_not_leak_bytes():
    memo = Memo(max_bytes=3000)
    for _ in range(50):
        memo.keep("a", candidates(10))
    memo.keep("b", candidates(10))
    assert memo.find("a") is not None


def test_what_is_past_goes_although_nobody_asks_for_it():
    now = [0.0]
    memo = Memo(clock=lambda: now[0])
    old = candidates(1)
    held = weakref.ref(old)
    memo.keep("old", old, keep_s=30)
    memo.keep("young", candidates(1), keep_s=600)
    del old
    now[0] = 60.0
    memo.keep("new", candidates(1))
    assert held() is None
    assert memo.find("young") is not None
    assert len(memo) == 2
