"""Syntax errors in and around exemplars: nobody has learned elsewhere how they are written."""

from __future__ import annotations

import re

from pipeline.language.automaton import Token
from pipeline.language.builder import refuse_letters, span_of
from pipeline.language.diagnostics import quote, suggest
from pipeline.language.source import Span
from pipeline.language.syntax_hints import CLOSING, STARTS_VALUE
from pipeline.language.syntax_trouble import Mistake, Place, Trouble

WORD = "exemplar"
LIST = frozenset({"EXEMPLAR", "COMMA"})
GOES_ON = re.compile(r'\w++[^\S\n]*["$(~.\w]')
"""A word with a value behind it."""

MISPLACED = "`exemplar` belongs to a statement that counts"
EXAMPLE = "write e.g. `exemplar trace_id = $trace`"
WHERE = "write it on the same line, behind `++`, `+=` or the assignment to a histogram"


def explain_exemplar(trouble: Trouble) -> Mistake | None:
    """A word that cannot stand in an exemplar, or an exemplar where there can be none."""
    if trouble.find(frozenset({"EXEMPLAR"})) is not None:
        return explain_label(trouble)
    goes_on = GOES_ON.match(trouble.source.text, trouble.span.start) is not None
    if trouble.name is not None and trouble.name.name == WORD and STARTS_VALUE.match(trouble.word):
        return Mistake(trouble.name.span, MISPLACED, WHERE)
    if trouble.place is not Place.VALUE or not trouble.word.isidentifier():
        return None
    if trouble.word == WORD:
        message, hint = (MISPLACED, WHERE) if goes_on else ("expected a value after `exemplar`, on this line", EXAMPLE)
        return Mistake(trouble.span, message, hint)
    misspelt = suggest(trouble.word, (WORD,)) if goes_on else ""
    return Mistake(trouble.span, f"unexpected {trouble.shown}", misspelt) if misspelt else None


def explain_label(trouble: Trouble) -> Mistake | None:
    """A word that cannot stand in an exemplar."""
    if trouble.place is not Place.VALUE:
        return None
    if trouble.word == WORD:
        return Mistake(trouble.span, "a statement has one exemplar only", "separate its labels by `,`")
    if trouble.word == "{":
        return Mistake(trouble.span, "an exemplar cannot stand before a block", WHERE)
    if trouble.word in {"=", ":"}:
        return explain_label_name(trouble)
    if not STARTS_VALUE.match(trouble.word):
        return None
    text = trouble.text(find_label(trouble))
    if text.isidentifier():
        return Mistake(trouble.span, f"expected `=` after `{text}`, not {trouble.shown}")
    return Mistake(trouble.span, f"expected an operator, `,` or a newline before {trouble.shown}")


def explain_label_name(trouble: Trouble) -> Mistake | None:
    """Something before an `=` that is no name of a label, or another sign than that behind one."""
    span = find_label(trouble)
    text = trouble.text(span)
    bracket = next(trouble.open_tokens(), "{")
    if isinstance(bracket, Token) and bracket != "{":
        message = f"the labels of an exemplar stand without `{bracket}` and `{CLOSING[bracket]}`"
        return Mistake(span_of(bracket), message, EXAMPLE)
    if text.isidentifier():
        return Mistake(trouble.span, f"expected `=` after `{text}`, not {trouble.shown}")
    if re.fullmatch(r"[A-Za-z][\w.:-]*", text):
        return Mistake(span, *refuse_letters(text))
    return None if "=" in text else Mistake(span, f"{quote(text)} is not the name of a label", EXAMPLE)


def find_label(trouble: Trouble) -> Span:
    """Return the place of what stands before the word, from the beginning of the label on."""
    begin = trouble.find(LIST)
    assert begin is not None
    text = trouble.source.text[begin.end : trouble.span.start]
    return Span(trouble.span.start - len(text.lstrip()), begin.end + len(text.rstrip()))
