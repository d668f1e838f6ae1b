"""`subst` with a pattern replaces as Go does."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings

from pipeline.language.patterns import parse_pattern, replacer
from tests.language.random_patterns import LONE_SURROGATE, any_subjects, patterns


@pytest.mark.parametrize(
    ("text", "replacement", "subject", "result"),
    [
        ("x*", b"-", b"axxbz", b"-a-b-z-"),
        ("", b"-", b"ab", b"-a-b-"),
        ("", b"-", b"", b"-"),
        ("", b"-", "äb".encode(), "-ä-b-".encode()),
        ("a", b"", b"banana", b"bnn"),
        (r"\d+", b"<$0>", b"a12b3", b"a<$0>b<$0>"),
        ("^a", b"x", b"aaa", b"xaa"),
        ("$", b"!", b"ab", b"ab!"),
        (r"\b", b"|", b"ab cd", b"|ab| |cd|"),
        ("aa", b"b", b"aaaaa", b"bba"),
        ("a|", b"-", b"ba", b"-b-"),
        (".", b".", b"\xff\xc3\xbc\xe4\xb8", b"...."),
        ("", b"-", b"\xffa", b"-\xff-a-"),
        ("[^a]+", b"", b"a\xe4\xb8a\xff", b"aa"),
        ("ü", b"ue", "für".encode(), b"fuer"),
        (r"\B", b"-", "ké€ b".encode(), "ké-€- b".encode()),
        (r"\B", b"-", b"k\xff\xe4 b", b"k\xff-\xe4- b"),
        (r"\\", b"\\g<0>\\1", b"a\\b", b"a\\g<0>\\1b"),
    ],
)
def test_matches_are_replaced(text: str, replacement: bytes, subject: bytes, result: bytes) -> None:
    """Literally; an empty match directly after a match stays."""
    assert replacer(parse_pattern(text))(subject, replacement) == result


def replace_like_go(pattern: str, subject: bytes) -> bytes:
    """Replace by the rules of Go's `ReplaceAllLiteral`, on characters."""
    text = subject.decode("utf-8", "surrogateescape")
    repaired = LONE_SURROGATE.sub("\ufffd", text)
    compiled = re2.compile(pattern, re2.ASCII)
    pieces: list[str] = []
    last = position = 0
    while position <= len(text) and (match := compiled.search(repaired, position)) is not None:
        start, end = match.span()
        pieces.append(text[last:start])
        if end > last or start == 0:
            pieces.append("<->")
        last = end
        position = max(end, position + 1)
    return "".join((*pieces, text[last:])).encode("utf-8", "surrogateescape")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(patterns().filter(lambda text: r"\B" not in text), any_subjects())
def test_replacing_is_exact_for_any_bytes(text: str, subject: bytes) -> None:
    """Compared with the rules of Go, applied to what RE2 finds in the characters."""
    assert replacer(parse_pattern(text))(subject, b"<->") == replace_like_go(text, subject)
