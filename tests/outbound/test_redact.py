"""Secrets in texts of other machines: how they are spelled, where texts are cut, and what comes in pieces."""

import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.outbound.redact import HIDDEN, PieceHider, hide, shown

KEY = 'k3y/9+"ü\\z'


@pytest.mark.parametrize("spelled", [KEY, quote(KEY), quote(KEY, safe=""), json.dumps(KEY)[1:-1]])
def test_a_secret_is_hidden_however_it_was_spelled(spelled):
    assert hide(f"a {spelled} b", (KEY,)) == f"a {HIDDEN} b"


def test_of_a_secret_within_another_nothing_is_left():
    assert hide("abcdef abc", ("abc", "abcdef")) == f"{HIDDEN} {HIDDEN}"


def test_a_text_is_cut_after_its_secrets_are_hidden():
    for filler in range(100):
        assert KEY[:2] not in shown("x" * filler + KEY * 30, (KEY,), limit=100)


@given(st.text("abcx", max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_pieces_add_up_to_the_text_without_its_secrets(text, cuts):
    secrets = ("abca", "bc", "aab")
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    hider = PieceHider(secrets)
    told = "".join(hider.feed(text[start:end]) for start, end in pairwise(places)) + hider.rest()
    assert told == hide(text, secrets)


def test_a_piece_that_begins_no_secret_is_told_at_once():
    hider = PieceHider(("abc",))
    assert [hider.feed(piece) for piece in ("hello", " a", "nd a", "b", "c!")] == [
        "hello",
        " ",
        "and ",
        "",
        f"{HIDDEN}!",
    ]
    assert PieceHider(()).feed("anything") == "anything"
