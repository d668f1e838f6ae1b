"""What becomes of a program, in words: how its patterns are searched, and what a line must hold to matter. Pure."""

from __future__ import annotations

import re

from pipeline.language import CompiledProgram, Guard, Probe

ESCAPED_BYTE = re.compile(r"\\x([0-9a-f]{2})")
GROUP_OF_NONE = re.compile(
    r"\(\?:(\[(?:[^]\\]|\\.)*\]|\\.|[^()\\])\)"  # of one atom
    r"|\(\?:((?:[^()|\\]|\\.|\(\?:(?:[^()\\]|\\.)*\))*)\)(?![+*?{])"  # of a sequence that nothing repeats
)
MEANS_MORE = frozenset(r"\^$.|?*+()[]{}/")
"""Characters that are written with a backslash in an expression."""


def describe_patterns(compiled: CompiledProgram) -> str:
    """Return for each pattern of a program its place, its text, its engine and why that one, in order of place."""
    blocks = []
    for pattern in sorted(compiled.patterns, key=lambda pattern: pattern.span.start):
        place = compiled.source.position(pattern.span.start)
        blocks.append(f"{place.line}:{place.column}  /{pattern.text}/\n    engine {pattern.engine}: {pattern.reason}\n")
    return "\n".join(blocks) or "It has no pattern.\n"


def describe_guard(compiled: CompiledProgram) -> str:
    """Return what a line must hold to matter to a program: what the sieve looks for."""
    guard = compiled.guard
    if guard.probes:
        rows = [f"    {show_probe(probe)}\n" for probe in sorted(guard.probes)]
        return "Lines that matter hold one of:\n" + "".join(rows)
    if guard.probes is not None:
        return "No line matters: the program has no effect.\n"
    if guard.span is None:
        return "Every line may matter: there are more texts to look for than are worth it.\n"
    place = compiled.source.position(guard.span.start)
    return (
        f"Every line may matter: {place.line}:{place.column} has an effect that a line need hold no certain text"
        " to reach.\n" + describe_absent(guard)
    )


def describe_absent(guard: Guard) -> str:
    """Return what would let the sieve stand before a program that reads a field; nothing where that is not why."""
    if not guard.absent:
        return ""
    return (
        f"If `${guard.absent}` is absent there, that is a runtime error. With `defined(${guard.absent})` behind the"
        " `decode`, in the same condition, it is reached by lines alone that hold this name.\n"
    )


def show_probe(probe: Probe) -> str:
    """Return a text in quotes, an expression for the beginning of a line between slashes."""
    if probe.is_prefix:
        return f"/^{tidy_expression(probe.text.decode())}/ at the beginning"
    text = probe.text.removesuffix(b"\n").decode("utf-8", "backslashreplace")
    shown = "".join(show_char(char) for char in text)
    return f'"{shown}" at the end' if probe.text.endswith(b"\n") else f'"{shown}"'


def show_char(char: str) -> str:
    """Return a character as it is written in a quoted text."""
    if char in '\\"':
        return f"\\{char}"
    return char if char.isprintable() else ascii(char)[1:-1]


def tidy_expression(text: str) -> str:
    """Return a printed expression over bytes as a person would write it."""
    text = text.replace("{0,1}", "?").replace("{0,}", "*").replace("{1,}", "+").replace("{1}", "")
    text = ESCAPED_BYTE.sub(tidy_byte, text)
    while (tidier := GROUP_OF_NONE.sub(lambda group: group[1] or group[2] or "", text)) != text:
        text = tidier
    return text


def tidy_byte(escaped: re.Match[str]) -> str:
    """Return a printable byte as its character."""
    char = chr(int(escaped[1], 16))
    if not " " <= char <= "~":
        return escaped[0]
    return f"\\{char}" if char in MEANS_MORE else char
