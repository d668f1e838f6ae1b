"""Where patterns are used: their text pasted together, parsed, and their groups declared.

A pattern is a literal, a constant, or a `+` of these; which it is depends on names, so the checker
decides (spec sections 3.4, 5.3 and 5.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.language.diagnostics import Note
from pipeline.language.missing_names import MissingNames
from pipeline.language.nodes import (
    Binary,
    Call,
    Capture,
    Decode,
    Expression,
    FloatLiteral,
    Index,
    IntLiteral,
    Name,
    PatternLiteral,
    Postfix,
    StringLiteral,
    Unary,
)
from pipeline.language.patterns import PatternError, Regex, capture_groups, parse_pattern
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import CaptureSymbol, CheckedProgram, PatternUse, Scope
from pipeline.language.source import Span


class PatternChecker:
    """Checks patterns and declares their capture groups in the scope it is given."""

    def __init__(
        self, report: Reporter, checked: CheckedProgram, missing: MissingNames, max_regexp_length: int
    ) -> None:
        self.report = report
        self.checked = checked
        self.missing = missing
        self.max_regexp_length = max_regexp_length
        self.may_be_skipped = False
        self.refused_texts: set[str] = set()

    @contextmanager
    def perhaps_tried(self, skipped: bool) -> Iterator[None]:
        """Within, patterns may be left untried (right of `||`): earlier groups stay readable."""
        before = self.may_be_skipped
        self.may_be_skipped = before or skipped
        yield
        self.may_be_skipped = before

    def is_pattern(self, node: Expression, scope: Scope) -> bool:
        """Whether the expression is a pattern: a literal, a constant, or a `+` of them."""
        match node:
            case PatternLiteral():
                return True
            case Name(name=name):
                return scope.find_metric(name) is None and scope.find_const(name) is not None
            case Binary(operator="+", left=left, right=right):
                if contains_literal(left) or contains_literal(right):
                    return True
                return self.is_pattern(left, scope) and self.is_pattern(right, scope)
            case _:
                return False

    def check_line(self, node: Expression, scope: Scope) -> None:
        """Check a pattern that is matched against the line."""
        self.declare(node, self.paste(node, scope), scope, None)

    def check_match(self, node: Binary, scope: Scope) -> None:
        """Check the right side of `=~` or `!~`: here texts and integers in quotes count too."""
        self.declare(node.right, self.paste(node.right, scope, literals=True), scope, node.left)

    def check_replaced(self, call: Call, node: Expression, scope: Scope) -> None:
        """Check the pattern given to `subst`, which declares no groups."""
        text = self.paste(node, scope)
        regex = None if text is None else self.parse(node, text)
        if regex is not None:
            self.checked.replaced_patterns[call] = regex

    def paste(self, node: Expression, scope: Scope, *, literals: bool = False) -> str | None:
        """Return the text of a pattern, or None after a mistake."""
        match node:
            case PatternLiteral(text=text):
                return text
            case StringLiteral(value=value) if literals:
                return value
            case IntLiteral(value=number) if literals:
                return str(number)
            case Name():
                return self.paste_name(node, scope)
            case Binary(operator="+", left=left, right=right):
                first = self.paste(left, scope, literals=literals)
                second = self.paste(right, scope, literals=literals)
                return None if first is None or second is None else first + second
            case (
                Index()
                | Capture()
                | Call()
                | FloatLiteral()
                | StringLiteral()
                | IntLiteral()
                | Unary()
                | Postfix()
                | Binary()
                | Decode()
            ):
                self.report.error(
                    node.span,
                    f"`{self.report.text_of(node.span)}` cannot be part of a pattern",
                    hint="a pattern consists of literals between slashes and of constants (`const NAME /…/`)",
                )
                return None

    def paste_name(self, node: Name, scope: Scope) -> str | None:
        if (metric := scope.find_metric(node.name)) is not None:
            metric.used = True
            self.report.error(
                node.span,
                f"metric `{node.name}` cannot be part of a pattern",
                notes=(Note("declared", metric.name_span),),
                hint="a pattern consists of literals between slashes and of constants (`const NAME /…/`)",
            )
            return None
        const = scope.find_const(node.name)
        if const is None:
            self.missing.refuse_constant(node, scope)
            return None
        const.used = True
        return const.text

    def parse(self, node: Expression, text: str) -> Regex | None:
        """Return the parsed pattern, or None after a mistake; that of a constant is told once."""
        if isinstance(node, Name) and text in self.refused_texts:
            return None
        size = len(text.encode())
        if size > self.max_regexp_length:
            self.refused_texts.add(text)
            self.report.error(
                node.span,
                f"the pattern has {size:,} bytes, and the limit is {self.max_regexp_length:,}",
                hint="raise the limit with `--max_regexp_length`",
            )
            return None
        try:
            return parse_pattern(text)
        except PatternError as error:
            self.refused_texts.add(text)
            if isinstance(node, PatternLiteral):
                self.report.error(locate(node, error.start, error.end), error.message, hint=error.help)
            else:
                note = Note(f"the whole pattern is `/{text}/`")
                self.report.error(node.span, error.message, notes=(note,), hint=error.help)
            return None

    def declare(self, node: Expression, text: str | None, scope: Scope, subject: Expression | None) -> None:
        """Parse the pattern and make its groups readable in `scope`."""
        regex = None if text is None else self.parse(node, text)
        if text is None or regex is None:
            scope.incomplete = True
            return
        groups = capture_groups(regex)
        use = PatternUse(node, text, regex, groups, subject, len(self.checked.patterns))
        self.checked.patterns[node] = use
        if not text:
            return
        self.add_numbered(use, 0, scope)
        for group in groups:
            if group.name is not None and not group.name.isdecimal():
                self.add_named(use, group.number, group.name, scope)
            self.add_numbered(use, group.number, scope)

    def add_numbered(self, use: PatternUse, number: int, scope: Scope) -> None:
        """Let `$number` read the pattern; what an earlier one had under it stays if this may be skipped."""
        earlier = scope.captures.get(str(number))
        kept = earlier.candidates if earlier is not None and self.may_be_skipped else []
        scope.captures[str(number)] = CaptureSymbol([*kept, (use, number)], named=False)

    def add_named(self, use: PatternUse, number: int, name: str, scope: Scope) -> None:
        same = scope.captures.get(name)
        if same is not None:
            self.report.error(
                find_group(use, number),
                f"two capture groups are named `{name}`",
                notes=(Note("the other one is", find_group(*same.candidates[0])),),
                hint="give each group a name of its own",
            )
            return
        scope.captures[name] = CaptureSymbol([(use, number)], named=True)
        taken = scope.captures.get(str(number))
        if taken is not None and number and taken.candidates[-1][0] is not use:
            self.report.error(
                find_group(use, number),
                f"the capture group `{name}` has the number {number}, which an earlier pattern of this condition uses",
                notes=(Note("the earlier pattern is", taken.candidates[-1][0].span),),
                hint="leave the group without a name, or nest the second pattern in the block of the first",
            )


def contains_literal(node: Expression) -> bool:
    """Whether a pattern literal is among the operands of a chain of `+`."""
    while isinstance(node, Binary) and node.operator == "+":
        if contains_literal(node.right):
            return True
        node = node.left
    return isinstance(node, PatternLiteral)


def find_group(use: PatternUse, number: int) -> Span:
    """Return where a named group begins; the whole pattern if that is in a constant."""
    name = use.groups[number - 1].name or ""
    same = [group.number for group in use.groups if group.name == name]
    places = find_openings(use.node, name)
    return places[same.index(number)] if len(places) == len(same) else use.span


def find_openings(node: Expression, name: str) -> list[Span]:
    """Return where a pattern's own literals open capture groups called `name`."""
    match node:
        case Binary(left=left, right=right):
            return find_openings(left, name) + find_openings(right, name)
        case PatternLiteral(text=text):
            opening = rf"\(\?P?<{re.escape(name)}>"
            return [locate(node, found.start(), found.end()) for found in re.finditer(opening, text)]
        case _:
            return []


def locate(node: PatternLiteral, start: int, end: int) -> Span:
    """Return the place of a stretch of the pattern's text: in its source each slash has a backslash before it."""
    begin, stop = (
        node.span.start + 1 + offset + node.text.count("/", 0, offset) for offset in (start, max(end, start + 1))
    )
    return Span(begin, stop)
