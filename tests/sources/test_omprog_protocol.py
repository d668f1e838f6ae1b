"""What omprog says, what follows, and what it hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import omprog
from pipeline.sources.framing import LineFramer
from pipeline.sources.omprog import BEGIN, COMMIT, DEFERRED, MAX_HELD_BYTES, OK, REFUSED, Dialogue, Turn

BATCHES = st.lists(st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=6), max_size=4)
"""What rsyslog sends; messages may be the same."""

LINES = st.lists(st.sampled_from([b"a", b"b", b"", b"OK", BEGIN, COMMIT, b" " + COMMIT]), max_size=30)


class Fate(Enum):
    """What becomes of us when we hear a line."""

    LIVE = auto()
    DIE_BEFORE = auto()
    """Nothing was done yet."""
    DIE_AFTER = auto()
    """Lines that were due are counted and saved."""


def join(*lines: bytes) -> bytes:
    """Return lines as omprog writes them."""
    return b"".join(line + b"\n" for line in lines)


def sort_messages(lines: list[bytes]) -> list[bytes]:
    """Return lines without those that may be marks, sorted."""
    return sorted(line for line in lines if line not in (BEGIN, COMMIT))


def begin_dialogue() -> Dialogue:
    """Return one past the first transaction after the start, which it has refused and then taken."""
    dialogue = Dialogue()
    assert dialogue.hear(join(BEGIN, b"first", COMMIT)).answers == OK + DEFERRED + REFUSED
    assert dialogue.hear(join(BEGIN, b"first", COMMIT)).answers == OK + DEFERRED + OK
    return dialogue


def test_message_is_due_at_once_and_confirmed() -> None:
    """Without transactions; an empty one is a message too."""
    dialogue = Dialogue()
    assert dialogue.hear(join(b"a")) == Turn(join(b"a"), OK)
    assert dialogue.hear(join(b"")) == Turn(join(b""), OK)


def test_messages_of_one_read_are_due_together() -> None:
    """omprog waits for each answer; others may not."""
    assert Dialogue().hear(join(b"a", b"b")) == Turn(join(b"a", b"b"), OK + OK)


def test_marks_are_lines_where_there_are_no_transactions() -> None:
    """A stranger may log the text of a mark."""
    dialogue = Dialogue()
    dialogue.hear(join(b"a"))
    assert dialogue.hear(join(BEGIN, COMMIT)) == Turn(join(BEGIN, COMMIT), OK + OK)


def test_lines_of_a_transaction_are_due_at_its_end() -> None:
    """Together; and one without lines brings nothing."""
    dialogue = begin_dialogue()
    assert dialogue.hear(join(BEGIN)) == Turn(b"", OK)
    assert dialogue.hear(join(b"a")) == Turn(b"", DEFERRED)
    assert dialogue.hear(join(b"b")) == Turn(b"", DEFERRED)
    assert dialogue.hear(join(COMMIT)) == Turn(join(b"a", b"b"), OK)
    assert dialogue.hear(join(BEGIN, COMMIT)) == Turn(b"", OK + OK)


def test_first_transaction_is_refused() -> None:
    """What was said of it to an earlier run is not said again unless it fails. When it comes whole, it is taken."""
    dialogue = Dialogue()
    assert dialogue.hear(join(BEGIN, b"b", b"c", COMMIT)) == Turn(b"", OK + DEFERRED * 2 + REFUSED)
    for line in (b"a", b"b", b"c"):
        assert dialogue.hear(join(BEGIN, line, COMMIT)) == Turn(b"", OK + DEFERRED + REFUSED)
    whole = Turn(join(b"a", b"b", b"c"), OK + DEFERRED * 3 + OK)
    assert dialogue.hear(join(BEGIN, b"a", b"b", b"c", COMMIT)) == whole
    assert dialogue.hear(join(BEGIN, b"d", COMMIT)) == Turn(join(b"d"), OK + DEFERRED + OK)


def test_transaction_that_comes_again_at_once_is_taken() -> None:
    """It is all that there is to come."""
    dialogue = Dialogue()
    assert dialogue.hear(join(BEGIN, b"a", COMMIT)) == Turn(b"", OK + DEFERRED + REFUSED)
    assert dialogue.hear(join(BEGIN, b"a", COMMIT)) == Turn(join(b"a"), OK + DEFERRED + OK)


class Rsyslog:
    """Sends batches as action.c of rsyslog does, and starts us again whenever we die."""

    def __init__(self, fates: Iterator[Fate]) -> None:
        self.fates = fates
        self.dialogue = Dialogue()
        self.counted: list[bytes] = []

    def ask(self, line: bytes) -> bytes:
        """Return the answer to a line; nothing if we died before it was given."""
        fate = next(self.fates, Fate.LIVE)
        if fate is not Fate.DIE_BEFORE:
            block, answer = self.dialogue.hear(join(line))
            self.counted += block.split(b"\n")[:-1]
        if fate is Fate.LIVE:
            return answer
        self.dialogue = Dialogue()
        return b""

    def try_commit(self, messages: list[bytes]) -> bool:
        """Send a transaction; return whether its end was confirmed."""
        self.begin()
        for message in messages:
            while self.ask(message) != DEFERRED:
                self.begin()
        return self.ask(COMMIT) == OK

    def begin(self) -> None:
        """Send the mark until it is confirmed."""
        while self.ask(BEGIN) != OK:
            pass

    def send(self, batch: list[bytes]) -> None:
        """Send a batch, and what was refused again and again."""
        if self.try_commit(batch):
            return
        left = [message for message in batch if not self.try_commit([message])] if len(batch) > 1 else batch
        while left and not self.try_commit(left):
            pass


@pytest.mark.slow
@given(BATCHES, st.lists(st.sampled_from([Fate.LIVE, Fate.LIVE, Fate.DIE_BEFORE]), max_size=60))
def test_death_before_an_answer_neither_loses_nor_doubles(batches: list[list[bytes]], fates: list[Fate]) -> None:
    """However often we die, and wherever in a transaction."""
    rsyslog = Rsyslog(iter(fates))
    for batch in batches:
        rsyslog.send(batch)
    assert sorted(rsyslog.counted) == sorted(message for batch in batches for message in batch)


@pytest.mark.slow
@given(BATCHES, st.lists(st.sampled_from(Fate), max_size=60))
def test_death_after_the_work_doubles_but_does_not_lose(batches: list[list[bytes]], fates: list[Fate]) -> None:
    """When it was done and the answer did not go out, rsyslog cannot know."""
    rsyslog = Rsyslog(iter(fates))
    for batch in batches:
        rsyslog.send(batch)
    assert Counter(rsyslog.counted) >= Counter(message for batch in batches for message in batch)


def test_beginning_within_a_transaction_is_a_line() -> None:
    """rsyslog never sends one there, so that a stranger has logged it."""
    assert begin_dialogue().hear(join(BEGIN, BEGIN, COMMIT)) == Turn(join(BEGIN), OK + DEFERRED + OK)


def test_end_that_a_stranger_logs_loses_nothing() -> None:
    """It ends the transaction early; what follows counts, and the real end finds nothing to do."""
    dialogue = begin_dialogue()
    turn = dialogue.hear(join(BEGIN, b"a", COMMIT, b"b", COMMIT))
    assert turn == Turn(join(b"a", b"b"), OK + DEFERRED + OK + OK + OK)


def test_transaction_over_the_limit_is_due_before_its_end() -> None:
    """So that no batch of rsyslog, however large, fills the memory; the rest is due at the end."""
    dialogue = begin_dialogue()
    line = b"x" * (MAX_HELD_BYTES // 2)
    dialogue.hear(join(BEGIN))
    assert dialogue.hear(join(line)).block == b""
    assert dialogue.hear(join(line)) == Turn(join(line, line), DEFERRED)
    assert dialogue.hear(join(line)).block == b""
    assert dialogue.hear(join(b"rest", COMMIT)) == Turn(join(line, b"rest"), DEFERRED + OK)


def test_limit_is_of_one_transaction() -> None:
    """What earlier ones held does not count."""
    dialogue = begin_dialogue()
    line = b"x" * (MAX_HELD_BYTES // 2)
    for _ in range(3):
        assert dialogue.hear(join(BEGIN, line)).block == b""
        assert dialogue.hear(join(COMMIT)).block == join(line)


def test_end_gives_what_is_held() -> None:
    """Once, and nothing outside a transaction."""
    dialogue = Dialogue()
    assert dialogue.end() == b""
    dialogue.hear(join(BEGIN, b"a", b"b"))
    assert dialogue.end() == join(b"a", b"b")
    assert dialogue.end() == b""


@given(LINES, st.data())
def test_chunks_do_not_show(lines: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut into reads, the lines that are due and the answers are the same."""
    text = join(*lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    framer, dialogue = LineFramer(1000), Dialogue()
    turns = [
        dialogue.hear(framer.feed(text[start:end], end - start))
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
    ]
    whole = Dialogue().hear(text)
    assert b"".join(turn.block for turn in turns) == whole.block
    assert b"".join(turn.answers for turn in turns) == whole.answers


@given(LINES)
def test_each_line_has_one_answer_and_none_is_lost(lines: list[bytes]) -> None:
    """What is neither due nor held at the end is a mark, or was refused."""
    dialogue = Dialogue()
    due: list[bytes] = []
    deferred: list[bytes] = []
    refused: list[bytes] = []
    for line in lines:
        block, answer = dialogue.hear(join(line))
        assert answer in (OK, DEFERRED, REFUSED)
        due += block.split(b"\n")[:-1]
        if answer == REFUSED:
            refused += deferred
        deferred = [*deferred, line] if answer == DEFERRED else []
    due += dialogue.end().split(b"\n")[:-1]
    assert sort_messages(due + refused) == sort_messages(lines)


def test_limit_is_a_batch_of_rsyslog() -> None:
    """128 messages of 8 KiB, its defaults, are held."""
    dialogue = begin_dialogue()
    dialogue.hear(join(BEGIN))
    block = join(*[b"x" * (8 * 1024 - 1)] * 128)
    assert len(block) == omprog.MAX_HELD_BYTES
    assert dialogue.hear(block) == Turn(b"", DEFERRED * 128)
