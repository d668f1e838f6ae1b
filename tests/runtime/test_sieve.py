"""One pass over a batch for many programs."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language import Probe
from pipeline.runtime.sieve import Sieve, SieveError, load_hyperscan

TEXTS = [b"abc", b"bca", b"a\n", b"ca\n", b"cab", b"aaa", b"abca", b"\xc3\xa4b"]


def sift(guards: list[list[bytes]], block: bytes) -> list[tuple[list[bytes], list[int]]]:
    return Sieve([[Probe(text) for text in guard] for guard in guards]).sift(block)


def test_each_program_gets_its_lines_with_what_they_hold() -> None:
    """In order, each line once, however often and whatever it holds."""
    block = b"no\nan apple\na pear and an apple, apple\npears\n\napple\n"
    assert sift([[b"apple", b"pear"], [b"pears"]], block) == [
        ([b"an apple", b"a pear and an apple, apple", b"pears", b"apple"], [1, 3, 2, 1]),
        ([b"pears"], [1]),
    ]


def test_equal_lines_are_lines_of_their_own() -> None:
    """Also one after the other."""
    assert sift([[b"abc"]], b"abc\nabc\n") == [([b"abc", b"abc"], [1, 1])]


def test_no_line_is_no_candidate() -> None:
    """Nothing of an earlier batch is left."""
    sieve = Sieve([[Probe(b"abc")]])
    assert sieve.sift(b"abc\n") == [([b"abc"], [1])]
    assert sieve.sift(b"ab\nc\n") == [([], [])]


def test_prefix_stands_at_the_beginning_of_a_line() -> None:
    """Beside texts, and in every line of the batch."""
    guard = [Probe(b"abc"), Probe(b"[0-9]{1,} [a-z]", is_prefix=True)]
    sieve = Sieve([guard])
    assert sieve.sift(b"12 a abc\nx 1 b\n1 z\nabc\n1\n a\n") == [([b"12 a abc", b"1 z", b"abc"], [3, 2, 1])]


def test_events_are_counted_per_program() -> None:
    """A text that two programs look for counts for both."""
    sieve = Sieve([[Probe(b"abc")], [Probe(b"abc"), Probe(b"xyz")]])
    sieve.sift(b"abc abc\nxyz\n")
    assert sieve.count_events() == [2, 3]


@given(
    st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, unique=True), min_size=1, max_size=4),
    st.lists(
        st.lists(st.sampled_from([b"abca", b"cab", b"\xc3\xa4b", b"a", b"b", b"c", b"\xff", b"\0"])).map(b"".join),
        min_size=1,
    ),
)
def test_candidates_are_the_lines_that_hold_a_text(guards: list[list[bytes]], lines: list[bytes]) -> None:
    """Texts that overlap, that many programs share, that hold any bytes."""
    expected = []
    for guard in guards:
        masks = [sum(1 << bit for bit, text in enumerate(guard) if text in line + b"\n") for line in lines]
        held = [(line, mask) for line, mask in zip(lines, masks, strict=True) if mask]
        expected.append(([line for line, _ in held], [mask for _, mask in held]))
    assert sift(guards, b"".join(line + b"\n" for line in lines)) == expected


def test_without_hyperscan_there_is_no_sieve(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are machines for which it has no wheel."""
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    load_hyperscan.cache_clear()
    try:
        with pytest.raises(SieveError, match="not installed"):
            Sieve([[Probe(b"abc")]])
    finally:
        load_hyperscan.cache_clear()


def test_what_hyperscan_refuses_is_told() -> None:
    """The error names the reason."""
    with pytest.raises(SieveError, match="refuses"):
        Sieve([[Probe(b"(", is_prefix=True)]])
