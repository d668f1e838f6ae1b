"""The text of a program on its way through the tables of the parser: tokens, then rules.

It does with the tables what Lark does (the tests compare the two). Lark itself would take longer to
import than a program takes to compile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

from pipeline.language.builtins import BUILTINS
from pipeline.language.tables import Tables, load_tables

KEYWORDS = frozenset(
    (
        *("after", "as", "begin", "buckets", "by", "const", "counter", "def", "del", "else"),
        *("gauge", "hidden", "histogram", "limit", "log_filter", "next", "otherwise", "stop", "text", "timer"),
    )
)

UNKNOWN = "UNKNOWN"
"""The type of a sign that begins no token which could stand there; no state takes it."""

Matcher: TypeAlias = Callable[[str, int], "re.Match[str] | None"]
Action: TypeAlias = Callable[[list[Any]], Any]


class Token(str):
    """A piece of the text: its terminal in the grammar, and where it starts."""

    __slots__ = ("start", "type")

    start: int
    type: str

    def __new__(cls, type_: str, text: str, start: int) -> Token:
        """Return the token that is `text`."""
        token = super().__new__(cls, text)
        token.type = type_
        token.start = start
        return token

    @property
    def end(self) -> int:
        """Where the text behind it starts."""
        return self.start + len(self)


class Repeated:
    """What the repeats in a rule (`*`) have matched so far. The rule gets the items, without this around them."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items


class UnexpectedTokenError(Exception):
    """`token` cannot stand where it stands; `stack` is what was read before it."""

    def __init__(self, token: Token, stack: list[Any]) -> None:
        super().__init__(token)
        self.token = token
        self.stack = stack


class Scanner:
    """Finds the tokens of texts: the state of the automaton says what is looked for."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.matchers = {name: re.compile(pattern).match for name, pattern in tables.patterns.items()}
        self.candidates: dict[int, list[tuple[str, Matcher]]] = {}

    def read(self, text: str, start: int, state: int) -> Token:
        """Return the next token from `start` on; at the end of the text it is `$END`."""
        while start < len(text):
            name, end = self.match(text, start, state)
            if name not in self.tables.ignored:
                token = text[start:end]
                return Token(self.classify(token, state) if name == "NAME" else name, token, start)
            start = end
        return Token("$END", "", start)

    def match(self, text: str, start: int, state: int) -> tuple[str, int]:
        """Return the first terminal that matches at `start`, and where it ends."""
        for name, matcher in self.find_candidates(state):
            found = matcher(text, start)
            if found is not None:
                return name, found.end()
        return UNKNOWN, start + 1

    def find_candidates(self, state: int) -> list[tuple[str, Matcher]]:
        """Return what may stand in `state`."""
        if state not in self.candidates:
            names = {*self.tables.rows[state], *self.tables.ignored}
            self.candidates[state] = [item for item in self.matchers.items() if item[0] in names]
        return self.candidates[state]

    def classify(self, name: str, state: int) -> str:
        """Return the type of what looks like a name: a keyword only where one of this text may stand."""
        word = self.tables.words.get(name, "")
        return word if word in self.tables.rows[state] else find_reserved(name)


def find_reserved(name: str) -> str:
    """Return the type of a name where it is no keyword. No state takes RESERVED: no keyword is a name elsewhere."""
    if name in BUILTINS:
        return "BUILTIN"
    return "RESERVED" if name in KEYWORDS else "NAME"


class Automaton:
    """What was read of one text, and what the rules have made of it."""

    def __init__(self, tables: Tables, builder: object) -> None:
        self.rows = tables.rows
        self.rules = [(origin, size, find_action(origin, method, builder)) for origin, size, method in tables.rules]
        self.states = [0]
        self.stack: list[Any] = []

    def feed(self, token: Token) -> None:
        """Complete the rules that end before `token`, and put it on the stack; `UnexpectedTokenError` if it cannot."""
        while (action := self.rows[self.states[-1]].get(token.type)) is not None:
            if action >= 0:
                self.states.append(action)
                self.stack.append(token)
                return
            self.reduce(*self.rules[~action])
        raise UnexpectedTokenError(token, self.stack)

    def reduce(self, origin: str, size: int, action: Action) -> None:
        """Replace the parts of a complete rule, on top of the stack, by what it makes of them."""
        rest = len(self.stack) - size
        parts = self.stack[rest:]
        del self.stack[rest:], self.states[rest + 1 :]
        self.stack.append(action(join_repeated(parts)))
        self.states.append(self.rows[self.states[-1]][origin])


def find_action(origin: str, method: str, builder: object) -> Action:
    """Return what makes something of the parts of a rule."""
    if method:
        action: Action = getattr(builder, method)
        return action
    return Repeated if origin.startswith("_") else itemgetter(0)


def join_repeated(parts: list[Any]) -> list[Any]:
    """Return the parts, with the items in the place of what is repeated. The list that comes first grows in place."""
    joined = parts.pop(0).items if parts and isinstance(parts[0], Repeated) else []
    for part in parts:
        if isinstance(part, Repeated):
            joined += part.items
        else:
            joined.append(part)
    return joined


@cache
def load_scanner() -> Scanner:
    """Return the scanner; one serves all programs."""
    return Scanner(load_tables())


def read_program(text: str, builder: object) -> object:
    """Return what `builder` makes of the whole text; `UnexpectedTokenError` at the first token that cannot stand."""
    scanner = load_scanner()
    automaton = Automaton(scanner.tables, builder)
    token = scanner.read(text, 0, automaton.states[-1])
    while token.type != "$END":
        automaton.feed(token)
        token = scanner.read(text, token.end, automaton.states[-1])
    automaton.feed(token)
    return automaton.stack[0]
