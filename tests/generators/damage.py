"""Lines as they should not be: cut short, run together, with a letter among the digits, with another header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

DIGIT = re.compile(r"\d")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYSLOG_TIME = re.compile(r"^[A-Z][a-z][a-z] [ \d]\d [\d:]{8}")


def damage_lines(lines: Iterable[str], rng: Random, share: float = 0.05) -> Iterator[str]:
    """Yield the lines, a `share` of them damaged. What is done to a time makes it one that no other line has."""
    for number, line in enumerate(lines):
        yield damage_line(line, number, rng) if rng.random() < share else line


def damage_line(line: str, number: int, rng: Random) -> str:
    place = rng.randrange(len(line) + 1)
    roll = rng.randrange(9)
    if roll == 0:
        return line[:place]
    if roll == 1:
        return line[place:]
    if roll == 2:
        return f"{line[:place]}ß{line[place:]}"
    if roll == 3:
        return f"{line[:place]} {line[place:]}"
    if roll == 4:
        return DIGIT.sub(lambda _: rng.choice(LETTERS), line, count=rng.randrange(1, 30))
    if roll == 5:
        return f"{line} {line}"
    if roll == 6:
        return f"{line}\r"
    if roll == 7:
        return ""
    return SYSLOG_TIME.sub(f"2026-02-21T13:20:00.{number:06}+01:00", line)
