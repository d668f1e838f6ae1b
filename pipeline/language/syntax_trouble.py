"""Where the parser gave up: the word that cannot stand there, and what was read before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import get_args

from pipeline.language.automaton import Repeated, Token, UnexpectedTokenError
from pipeline.language.builder import LOGICAL, MATCHES, RELATIONS, span_of
from pipeline.language.diagnostics import Note, quote
from pipeline.language.nodes import Binary, Block, Decode, ExemplarLabel, Expression, Name, Node, PatternLiteral
from pipeline.language.source import SourceFile, Span
from pipeline.language.traversal import walk

OPERATORS = frozenset({"LOGICAL", "MATCH", "BITWISE", "RELATION", "SHIFT", "PLUS", "MINUS", "TIMES", "SLASH", "TILDE"})
CONDITION_OPERATORS = frozenset({"LOGICAL", "MATCH", "RELATION"})
ASSIGNMENTS = frozenset({"EQUAL", "ADD_ASSIGN"})
OPENINGS = frozenset({"LPAR", "LSQB", "LBRACE"})
CLOSINGS = frozenset({"RPAR", "RSQB", "RBRACE"})
NAMING = frozenset({"DEF", "CONST", "KIND", "BY", "LOG_FILTER"})
LIST_PARTS = frozenset({"NAME", "STRING", "NUMBER", "COMMA", "COLUMN_COMMA"})
DECLARATIONS = frozenset({"KIND", "BY", "AS", "BUCKETS", "LIMIT", "HELP", "UNIT"})

WORD = re.compile(
    r"""
      "(?:[^"\\\n]|\\[^\n])*"
    | -?\d+(?:\.\d*)?(?:[eE][+-]?\d*)?[smhd]?
    | \$(?:"(?:[^"\\\n]|\\[^\n])*"|\w+)(?:\.(?:\w+|"(?:[^"\\\n]|\\[^\n])*"))*
    | @?\w+
    | && | \|\| | =~ | !~ | <= | >= | == | != | << | >> | \*\* | \+\+ | -- | \+=
    | .
    """,
    re.VERBOSE | re.DOTALL,
)

EXPRESSIONS = get_args(Expression)
NODES = get_args(Node)
SKIPPED = (Repeated, ExemplarLabel, *EXPRESSIONS)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What to tell about the trouble."""

    span: Span
    message: str
    hint: str = ""
    notes: tuple[Note, ...] = ()


class Place(Enum):
    """What the word stands behind."""

    STATEMENT = "the end of a statement, or nothing"
    DECLARATION = "a metric's declaration, which could go on"
    VALUE = "a complete value"
    OPERAND = "a sign that needs a value after it"
    PATTERN = "the slash that opens a pattern"
    PART = "a word that needs something else after it"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The first word that cannot stand where it stands; at the end of a line or of the file there is none.

    `stack` holds what the parser has read, without a newline after an operator; `after_newline` says
    that there was one.
    """

    source: SourceFile
    span: Span
    word: str
    is_file_end: bool
    stack: tuple[object, ...]
    after_newline: bool

    @property
    def is_end(self) -> bool:
        """Whether the line or the file ends where it cannot."""
        return not self.word

    @property
    def shown(self) -> str:
        """The word as a message shows it."""
        return quote(self.word)

    @property
    def top(self) -> object:
        """What was read last: a node, a token, or None at the beginning of the file."""
        return self.stack[-1] if self.stack else None

    @property
    def lead(self) -> str:
        """The type of the token that begins the list or declaration which the top is part of."""
        for value in reversed(self.stack):
            kind = token_type(value)
            if kind not in LIST_PARTS and not isinstance(value, SKIPPED):
                return kind
        return ""

    @property
    def place(self) -> Place:
        top, kind, lead = self.top, token_type(self.top), self.lead
        if isinstance(top, EXPRESSIONS) or (isinstance(top, list) and token_type(self.stack[-2]) in OPENINGS):
            return Place.VALUE
        if not isinstance(top, Token) or kind in {"NL", "LBRACE", "RBRACE", "NEXT", "STOP"}:
            return Place.STATEMENT
        if self.pattern_opening:
            return Place.PATTERN
        if kind == "SLASH" and not isinstance(self.stack[-2], EXPRESSIONS):
            return Place.VALUE
        if kind in OPERATORS | ASSIGNMENTS | {"LPAR", "LSQB"} or (kind == "COMMA" and lead in {"LPAR", "LSQB"}):
            return Place.OPERAND
        if kind in {"NAME", "STRING", "NUMBER"} and lead in DECLARATIONS:
            return Place.DECLARATION
        if kind in {"NAME", "STRING", "NUMBER"} and lead in {"AFTER", "LOG_FILTER"}:
            return Place.STATEMENT
        if kind in {"CAPTURE", "STRING", "NUMBER", "RPAR", "RSQB", "STEP"} or (kind == "NAME" and lead not in NAMING):
            return Place.VALUE
        return Place.PART

    @property
    def name(self) -> Name | None:
        """The name that was read last, where it is a value."""
        if isinstance(self.top, Name):
            return self.top
        is_value = token_type(self.top) == "NAME" and self.place is Place.VALUE
        return Name(span_of(self.top), str(self.top)) if is_value and isinstance(self.top, Token) else None

    @property
    def pattern_opening(self) -> Token | None:
        """The slash of the pattern that the word would be part of."""
        below = len(self.stack)
        while below and token_type(self.stack[below - 1]) in {"SLASH", "PATTERN_TEXT"}:
            below -= 1
        divides = below > 0 and isinstance(self.stack[below - 1], EXPRESSIONS)
        opening: Token | None = None
        for token in self.stack[below + divides :]:
            if opening is None and isinstance(token, Token):
                opening = token
            elif token_type(token) == "SLASH":
                opening = None
        return opening

    def find(self, types: frozenset[str]) -> Token | None:
        """Return the last token of one of `types` in the statement that was being read."""
        for value in reversed(self.stack):
            if isinstance(value, Token):
                if value.type in types:
                    return value
                if value.type == "LBRACE":
                    return None
        return None

    def open_tokens(self) -> Iterator[Token]:
        """Yield the brackets and braces that are not closed yet, the innermost first."""
        closed = 0
        for value in reversed(self.stack):
            if token_type(value) in CLOSINGS:
                closed += 1
            elif isinstance(value, Token) and value.type in OPENINGS:
                if closed == 0:
                    yield value
                closed = max(closed - 1, 0)

    def text(self, span: Span) -> str:
        return self.source.text[span.start : span.end]


def token_type(value: object) -> str:
    return value.type if isinstance(value, Token) else ""


def locate_trouble(source: SourceFile, error: UnexpectedTokenError) -> Trouble:
    """Find the word that the parser stopped at. The token may be longer, or shorter."""
    is_file_end = error.token.type == "$END"
    start = min(error.token.start, len(source.text))
    stack = error.stack
    after_newline = len(stack) > 1 and token_type(stack[-1]) == "NL" and expects_operand(stack[:-1])
    if after_newline:
        stack = stack[:-1]
    word = "" if is_file_end or start == len(source.text) else read_word(source.text, start)
    if word:
        span = Span(start, start + len(word))
    else:
        start = len(source.text[:start].rstrip())
        span = Span(start, start)
    return Trouble(source, span, word, is_file_end, tuple(stack), after_newline)


def expects_operand(stack: Sequence[object]) -> bool:
    """Return whether a newline on top of `stack` is one of those that may stand inside a statement."""
    kind = token_type(stack[-1])
    if kind == "NAME":
        return len(stack) > 1 and token_type(stack[-2]) == "CONST"
    return kind in OPERATORS | ASSIGNMENTS


def read_word(text: str, start: int) -> str:
    """Return the word at `start`, or nothing if the line ends there, perhaps with a comment."""
    match = WORD.match(text, start)
    word = match[0] if match else ""
    return "" if word in ("\n", "#") else word


def whole_line(source: SourceFile, offset: int) -> Span:
    begin = source.text.rfind("\n", 0, offset) + 1
    end = source.text.find("\n", offset)
    return Span(begin, len(source.text) if end < 0 else end)


def rest_of_line(source: SourceFile, offset: int) -> Span:
    """Return the place from `offset` to the last sign of its line."""
    line = whole_line(source, offset)
    return Span(offset, offset + len(source.text[offset : line.end].rstrip()))


def find_open_block(trouble: Trouble) -> Span | None:
    """Return the `{` that most likely lacks its `}`.

    That is the innermost one, unless the indentation tells of another inside it: where a `}` stands
    further to the left than the line of its `{`, it was meant for a block around that one.
    """
    opening = next((span_of(brace) for brace in trouble.open_tokens() if brace == "{"), None)
    for block in complete_blocks(trouble.stack):
        first, last = (whole_line(trouble.source, offset) for offset in (block.span.start, block.span.end - 1))
        closing = trouble.text(last)
        is_inside = opening is not None and block.span.start > opening.start and closing.lstrip().startswith("}")
        if is_inside and indentation(closing) < indentation(trouble.text(first)):
            return Span(block.span.start, block.span.start + 1)
    return opening


def complete_blocks(stack: Sequence[object]) -> Iterator[Block]:
    """Yield the blocks that were read, in the order of the text."""
    for value in stack:
        for root in value.items if isinstance(value, Repeated) else (value,):
            if isinstance(root, NODES):
                yield from (node for node, _ in walk(root) if isinstance(node, Block))


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def begins_line(source: SourceFile, offset: int) -> bool:
    """Return whether nothing stands before `offset` on its line."""
    return not source.text[whole_line(source, offset).start : offset].strip()


def needs_block(trouble: Trouble) -> bool:
    """Return whether what was read can only be meant as a condition."""
    if trouble.find(ASSIGNMENTS) is not None or next(trouble.open_tokens(), "{") != "{":
        return False
    top = trouble.top
    is_pattern = isinstance(top, PatternLiteral) or token_type(top) == "SLASH"
    is_condition = isinstance(top, Binary) and top.operator in LOGICAL | MATCHES | RELATIONS
    is_condition = is_condition or isinstance(top, Decode) or trouble.find(frozenset({"DECODE"})) is not None
    return is_pattern or is_condition or trouble.find(CONDITION_OPERATORS) is not None
