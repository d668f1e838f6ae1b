"""What a line must hold for a field to be there, or to have a text: the sieve's question, asked of records.

A text of a field stands in what was decoded as it is, or escaped. So a run of characters that cannot be escaped in
another way than the decoder says stands there, or one of the escapes does. The answer holds for values that are no
texts, too: a number may be written in many ways, so that a run must have a letter that no number has; and in tables and
lists, as compact JSON, what a run must not hold stands between all texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.language.nodes import Capture, Expression
from pipeline.language.scopes import CheckedProgram, DecodeUse

MIN_RUN_BYTES = 3
"""A shorter text is in nearly every line."""

RUN = re.compile(r"[ !#-+\-.0-9;-Z^-z|~]+")
"""Printable ASCII, without quotes, slashes, braces, brackets, colons and commas."""

NO_NUMBER = re.compile(r"[A-DF-Za-df-z]")


def find_run(text: str, *, of_value: bool) -> bytes | None:
    """Return the longest piece of a text that can be looked for; None if there is none worth it."""
    runs = [run for run in RUN.findall(text) if not of_value or NO_NUMBER.search(run)]
    best = max(runs, key=len, default="")
    return best.encode() if len(best) >= MIN_RUN_BYTES else None


def spell_name(use: DecodeUse, path: Sequence[str]) -> tuple[bytes, ...]:
    """Return texts of which one is in every line that has the field; none if no useful ones are known."""
    if not use.decoder.spells_names or use.subject is not None:
        return ()
    # A number may be the place in a list.
    runs = [run for name in path if not name.isdecimal() and (run := find_run(name, of_value=False))]
    return (max(runs, key=len), *use.decoder.escapes) if runs else ()


def spell_value(checked: CheckedProgram, node: Expression, texts: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return texts of which one is in every line that has a field with one of `texts` in it; none if none are known."""
    if not isinstance(node, Capture) or node not in checked.fields:
        return ()
    (use, *others) = checked.fields[node]
    if others or use.subject is not None or not use.decoder.spells_values or node.path[0] in use.decoder.derived:
        return ()
    runs = [find_run(text.decode("utf-8", "replace"), of_value=True) for text in texts]
    found = [run for run in runs if run is not None]
    return (*found, *use.decoder.escapes) if found and len(found) == len(runs) else ()
