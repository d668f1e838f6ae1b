"""Syntax errors in and around `decode`: what may stand behind the word, and in which order."""

from __future__ import annotations

import re

from pipeline.decoders import DECODERS
from pipeline.language.automaton import KEYWORDS
from pipeline.language.builtins import BUILTINS
from pipeline.language.diagnostics import suggest
from pipeline.language.nodes import Decode
from pipeline.language.syntax_hints import STARTS_VALUE
from pipeline.language.syntax_trouble import Mistake, Place, Trouble, token_type

WORD = "decode"
PARTS = ("by", "from")
EXPECTED = {"COLUMNS": "the name of a column", "COLUMN_COMMA": "another column", "FROM": "a value"}


def explain_decode(trouble: Trouble) -> Mistake | None:
    """A word that cannot stand in a `decode`, or one that needs another before it."""
    if trouble.name is not None and trouble.name.name == WORD and trouble.word[:1] in {'"', "$"}:
        return explain_decoder(trouble)
    kind = token_type(trouble.top)
    if is_operand(trouble, kind):
        return Mistake(trouble.span, "a `decode` is no operand", "it is true or false: join it with `&&` or `||`")
    if kind in EXPECTED:
        return explain_part(trouble, kind)
    if trouble.word == "by" and trouble.find(frozenset({"FROM"})) is not None:
        return Mistake(trouble.span, "`by` stands before `from`", "write e.g. `decode csv by time, status from $body`")
    if (
        trouble.place is not Place.VALUE
        or trouble.find(frozenset({"DECODE"})) is None
        or kind not in {"NAME", "STRING"}
    ):
        return None
    if trouble.top == "from":
        hint = f"the decoders are {', '.join(sorted(DECODERS))}"
        return Mistake(trouble.span, f"expected a decoder before `from`, as in `decode json from {trouble.word}`", hint)
    if trouble.word.isidentifier():
        hint = suggest(trouble.word, PARTS)
        if trouble.find(frozenset({"COLUMNS"})) is not None and not hint:
            return Mistake(trouble.span, f"expected `,` before {trouble.shown}")
        return Mistake(trouble.span, f"unexpected {trouble.shown}", hint)
    if STARTS_VALUE.match(trouble.word):
        return Mistake(trouble.span, f"expected `from` before {trouble.shown}")
    return None


def is_operand(trouble: Trouble, kind: str) -> bool:
    """Whether a `decode` stands before an operator that is none of conditions; of `==` the parser has taken a half."""
    if kind == "EQUAL" and trouble.word == "=":
        return len(trouble.stack) > 1 and isinstance(trouble.stack[-2], Decode)
    in_decode = trouble.find(frozenset({"DECODE"})) is not None and kind in {"NAME", "STRING"}
    return in_decode and re.fullmatch(r"[-+*/%<>&|^=!~]+", trouble.word) is not None


def explain_decoder(trouble: Trouble) -> Mistake:
    """Something else than the name of a decoder behind `decode`."""
    if trouble.word.strip('"') in DECODERS:
        name = trouble.word.strip('"')
        return Mistake(trouble.span, "the name of a decoder stands without quotes", f"write `decode {name}`")
    message = f"expected a decoder after `decode`, not {trouble.shown}"
    return Mistake(trouble.span, message, f"write e.g. `decode json from {trouble.word}`")


def explain_part(trouble: Trouble, kind: str) -> Mistake:
    """Something else than what must follow `by`, a comma or `from`."""
    if kind != "FROM" and (trouble.word in KEYWORDS or trouble.word in BUILTINS):
        noun = "keyword" if trouble.word in KEYWORDS else "builtin function"
        message = f"{trouble.shown} is a {noun} and cannot be the name of a column"
        return Mistake(trouble.span, message, f'write it in quotes: `"{trouble.word}"`')
    found = "" if trouble.is_end else f", not {trouble.shown}"
    example = "write e.g. `decode json from $body`" if kind == "FROM" else "write e.g. `decode csv by time, status`"
    return Mistake(trouble.span, f"expected {EXPECTED[kind]} after `{trouble.top}`{found}", example)
