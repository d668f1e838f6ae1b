"""The tables of the parser, as they stand in `grammar.json`.

`tests/grammar_tables.py` makes that file of `grammar.lark`; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLES_FILE = Path(__file__).with_name("grammar.json")


@dataclass(frozen=True, slots=True)
class Tables:
    """An LALR(1) automaton, and the lexer that asks it what can come next."""

    patterns: Mapping[str, str]
    """The terminals that are no words, in the order in which they are tried."""
    words: Mapping[str, str]
    """The terminal of each word that the grammar knows. Where one may stand, a NAME matches it."""
    ignored: Sequence[str]
    """The terminals that may stand anywhere, and mean nothing."""
    rules: Sequence[tuple[str, int, str]]
    """What each rule makes, of how many parts, and the method of `Builder` that does it.

    Without a method it is the only part, or, where the name begins with `_`, a part of a list."""
    rows: Sequence[Mapping[str, int]]
    """For each state, what follows from a terminal, or from what a rule has made.

    A state to go to, or the complement (`~`) of a rule that is complete. The first state is where a text begins."""


@cache
def load_tables() -> Tables:
    """Return the tables of `grammar.json`."""
    return Tables(**json.loads(TABLES_FILE.read_text("utf-8")))
