"""Programs with something wrong: tokens of a valid one left out, doubled, swapped or replaced."""

from __future__ import annotations

import re

from tests.differential.pieces import Chooser

TOKENS = re.compile(
    r"""
      "(?:[^"\\\n]|\\.)*"            # text
    | (?<![\w)\]])\s?/(?:[^/\\\n]|\\.)+/   # pattern, where an operand may stand
    | //
    | \$?\w+ | @\w+ | -?\d+(?:\.\d+)?
    | \+\+ | -- | \+= | [=!<>]= | =~ | !~ | << | >> | \*\* | && | \|\|
    | \n | [ ]+ | .
    """,
    re.VERBOSE,
)
REPLACEMENTS = (
    *("{", "}", "(", ")", "[", "]", ",", "\n", "+", "-", "*", "/", "&&", "||", "=~", "!~", "==", "=", "+=", "++"),
    *("1", "-1", "0", "1.5", '"a"', "/a(b)/", "$1", "$2", "$0", "x", "C0", "c0", "g1", "t0[0]", "5m"),
    *("counter", "text", "by", "as", "hidden", "const", "def", "del", "after", "next", "stop", "else", "otherwise"),
    *("len", "strtol", "tolower", "timestamp()", "settime", "getfilename()", "limit", "buckets", "@d1", "~", "%", "^"),
)


OPERATORS = ("+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "==", "!=", "<", ">=", "&&", "||", "=", "+=")
KINDS = ("counter", "gauge", "timer", "text", "histogram")


def replace_alike(chooser: Chooser, token: str, tokens: list[str]) -> str:
    """Return another token of the same sort, so that the grammar still holds and the checker has to judge."""
    if token in OPERATORS:
        return chooser.pick(OPERATORS)
    if token in KINDS:
        return chooser.pick(KINDS)
    alike = [other for other in tokens if other[0] == token[0] or (other.isidentifier() and token.isidentifier())]
    return chooser.pick([other for other in alike if other not in KINDS] or [token])


def mutate(chooser: Chooser, program: str) -> str:
    """Return the program with one or two of its tokens changed."""
    tokens = TOKENS.findall(program)
    for _ in range(chooser.pick((1, 1, 2))):
        places = [index for index, token in enumerate(tokens) if token.strip(" ")]
        place = chooser.pick(places)
        form = chooser.number(0, 8)
        if form > 3:
            tokens[place] = replace_alike(chooser, tokens[place], tokens)
        elif form == 0:
            tokens[place] = " "
        elif form == 1:
            tokens.insert(place, f"{tokens[place]} ")
        elif form == 2:
            other = chooser.pick(places)
            tokens[place], tokens[other] = tokens[other], tokens[place]
        else:
            tokens[place] = f" {chooser.pick(REPLACEMENTS)} "
    return "".join(tokens)
