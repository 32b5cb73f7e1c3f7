"""Answers as text: whatever charset a service declares."""

import pytest

from recflow.outbound.messages import Answer


@pytest.mark.parametrize("charset", ["punycode", "Punycode", "idna", "undefined"])
def test_a_charset_that_is_none_for_texts_does_not_count(charset):
    # By punycode this would be the letter before a minus sign, after minutes; by the others an error.
    answer = Answer(200, (("content-type", f"text/html; charset={charset}"),), b"A-" + 1_000_000 * b"9")
    assert answer.text == "A-" + 1_000_000 * "9"
