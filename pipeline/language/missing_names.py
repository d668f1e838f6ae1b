"""What is said about a name or a capture group that has no meaning where it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

from pipeline.decoders import DECODERS
from pipeline.language.diagnostics import Note, find_close
from pipeline.language.nodes import (
    Block,
    Capture,
    ConstDeclaration,
    DecoratorDefinition,
    DecoratorUse,
    MetricDeclaration,
    Name,
)
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import ConstSymbol, DecodeUse, DecoratorSymbol, MetricSymbol, Scope, Symbol
from pipeline.language.source import Span
from pipeline.language.traversal import walk

Declaration: TypeAlias = MetricDeclaration | ConstDeclaration | DecoratorDefinition


class MissingNames:
    """Looks for what may be meant: a declaration in another place, or a similar name.

    What is found is noted in `excused`: that a message is about it already, so that it is never used
    is not a mistake of its own.
    """

    def __init__(self, report: Reporter, program: Block) -> None:
        self.report = report
        self.program = program
        self.excused: set[str] = set()
        self.told: set[str | tuple[str, Scope]] = set()

    @cached_property
    def declarations(self) -> list[Declaration]:
        """All declarations of the program, in textual order."""
        return [node for node, _ in walk(self.program) if isinstance(node, Declaration)]

    def refuse_metric(self, node: Name, scope: Scope) -> None:
        """Report a name that is no metric, where a value or a metric is expected."""
        if scope.find_decorator(node.name) is not None:
            self.excused.add(node.name)
            self.report.error(
                node.span,
                f"`{node.name}` is a decorator, not a metric",
                hint=f"write `@{node.name}` to use it, or declare a metric under another name",
            )
            return
        if scope.find_capture(node.name) is not None:
            hint = f"write `${node.name}` for the capture group"
        else:
            hint = self.suggest(node.name, scope, MetricSymbol, ConstSymbol)
        field = Capture(node.span, node.name, (node.name,))
        if any(use.claims(field) for use in scope.visible_decodes()):
            dashed = find_dashed_name(self.report.source.text, node.span)
            if dashed:
                hint = f'write `$"{dashed}"` for the field of this name'
            hint = hint or f"write `${node.name}` for the field, or declare a metric of this name first"
        self.refuse(
            node.span,
            f"`{node.name}` is not declared",
            self.find_declarations(node.name, MetricDeclaration, ConstDeclaration),
            hint or f"declare it first, e.g. `counter {node.name}`",
        )

    def refuse_constant(self, node: Name, scope: Scope) -> None:
        """Report a name that is no constant, where a pattern is expected."""
        found = self.find_declarations(node.name, ConstDeclaration)
        own = next((other for other in found if other.span.start <= node.span.start < other.span.end), None)
        if own is not None:
            self.excused.add(node.name)
            self.report.error(
                node.span,
                f"the constant `{node.name}` is used in its own definition",
                notes=(Note("the definition is", own.name_span),),
                hint="write the pattern that is meant in its place",
            )
            return
        self.refuse(
            node.span,
            f"the constant `{node.name}` is not defined",
            found,
            self.suggest(node.name, scope, ConstSymbol) or suggest_definition(node.name),
        )

    def refuse_decorator(self, node: DecoratorUse, scope: Scope) -> None:
        """Report the use of a decorator that there is not."""
        self.refuse(
            node.name_span,
            f"the decorator `@{node.name}` is not defined",
            self.find_declarations(node.name, DecoratorDefinition),
            self.suggest(node.name, scope, DecoratorSymbol, sigil="@")
            or f"define it above with `def {node.name} {{ … next … }}`",
        )

    def refuse_capture(self, node: Capture, scope: Scope) -> None:
        """Report a capture group that no pattern in scope has, once in a block.

        It is not told where a mistake in a pattern explains it.
        """
        if scope.lacks_groups() or any((node.name, outer) in self.told for outer in scope.outward()):
            return
        self.told.add((node.name, scope))
        uses = scope.visible_decodes()
        if uses or not node.may_be_group:
            message, hint = describe_missing_field(node, uses, scope)
            self.report.error(node.span, message, hint=hint)
            return
        known = set(scope.visible_captures())
        named = sorted(name for name in known if not name.isdecimal())
        close = find_close(node.name, named)
        if close:
            hint = f"did you mean `${close}`?"
        elif known - {"0"}:
            numbers = sorted(map(int, known.difference(named)))
            hint = "the groups in scope are " + ", ".join(f"`${name}`" for name in [*numbers, *named])
        elif known:
            opening = "(" if node.name.isdecimal() else f"(?P<{node.name}>"
            hint = f"capture it with `{opening}…)` in the pattern, or move the statement to where it is captured"
        else:
            hint = "put the statement inside the block of the pattern that captures it"
        self.report.error(node.span, f"no pattern in scope has a capture group `${node.name}`", hint=hint)

    def refuse(self, span: Span, message: str, elsewhere: list[Declaration], hint: str) -> None:
        """Report a name that is unknown here, once; a declaration elsewhere says more than the hint."""
        if message in self.told:
            return
        self.told.add(message)
        notes: tuple[Note, ...] = ()
        if elsewhere:
            other = elsewhere[0]
            self.excused.add(other.name)
            declared = isinstance(other, MetricDeclaration)
            noun, participle = ("declaration", "declared") if declared else ("definition", "defined")
            if other.name_span.start > span.start:
                place, hint = "further down", f"move the {noun} above this"
            else:
                place, hint = "within another block", f"move the {noun} out of that block"
            notes = (Note(f"it is {participle} {place},", other.name_span),)
        self.report.error(span, message, notes=notes, hint=hint)

    def find_declarations(self, name: str, *kinds: type[Declaration]) -> list[Declaration]:
        """Return the declarations of `name`, wherever they are."""
        return [node for node in self.declarations if node.name == name and isinstance(node, kinds)]

    def suggest(self, name: str, scope: Scope, *kinds: type[Symbol], sigil: str = "") -> str:
        """Return "did you mean …" for the visible name nearest to `name`, or nothing."""
        visible = [known for known, symbol in scope.visible_symbols() if isinstance(symbol, kinds)]
        close = find_close(name, visible)
        if not close:
            return ""
        self.excused.add(close)
        return f"did you mean `{sigil}{close}`?"


def find_dashed_name(text: str, part: Span) -> str:
    """Return the whole of a name with dashes behind a `$` that `part` is a part of; empty if it is of none."""
    before = re.search(r"\$(\w[\w-]*-)\Z", text[: part.start])
    after = re.compile(r"[\w-]*\w").match(text, part.start)
    return before[1] + after[0] if before and after else ""


def suggest_definition(name: str) -> str:
    """Return what to do about a name that stands where a condition is due."""
    if name == "decode":
        return f"write a decoder behind it: {', '.join(f'`decode {decoder}`' for decoder in sorted(DECODERS))}"
    return f"define it above, e.g. `const {name} /…/`"


def describe_missing_field(node: Capture, uses: Sequence[DecodeUse], scope: Scope) -> tuple[str, str]:
    """Return a message and a hint about a capture that no decode in scope has, innermost first, and no pattern."""
    if not uses:
        return f"no `decode` in scope has a field `${node.name}`", "put the statement inside the block of the `decode`"
    use = uses[0]
    message = f"`decode {use.decoder.name}` has no field `${node.name}`"
    fields = list(use.decoder.fields or use.columns)
    close = find_close(node.path[0], [*fields, *(name for name in scope.visible_captures() if not name.isdecimal())])
    if close:
        return message, f"did you mean `{write_field(close)}`?"
    if fields:
        return message, f"its fields are {', '.join(f'`{write_field(field)}`' for field in fields)}"
    if use.decoder.has_columns:
        return message, f"name the columns, e.g. `decode {use.decoder.name} by time, status`, or read them by number"
    if not node.name:
        return message, "write its name behind the `$`"
    return message, f'a number is that of a capture group; a field of this name is written `$"{node.name}"`'


def write_field(name: str) -> str:
    """Return how a program reads the field of one name."""
    return f"${name}" if re.fullmatch(r"\w+", name) else f'$"{name}"'
