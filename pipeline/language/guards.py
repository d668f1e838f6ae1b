"""What a line must hold for a program to have any effect on it: the sieve's question, asked of a checked program.

The answer may be wider than the truth and never narrower: a line without one of the texts changes
no metric, creates no series and fails nowhere, but for one thing. A `strptime` that is reached by
more lines than any effect is does not count, so that its failure on a line that is sieved out is
not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from pipeline.language.field_spelling import spell_name, spell_value
from pipeline.language.nodes import (
    Assignment,
    Begin,
    Binary,
    Block,
    Call,
    Capture,
    Conditional,
    ConstDeclaration,
    Decode,
    DecoratorDefinition,
    DecoratorUse,
    Delete,
    ExemplarStatement,
    Expression,
    ExpressionStatement,
    IntLiteral,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    Node,
    Statement,
    Stop,
    StringLiteral,
)
from pipeline.language.patterns import MAX_PLANS, Regex, find_prefix, prefers_prefix, required_literals, required_suffix
from pipeline.language.scopes import CheckedProgram, DecodeUse, PatternUse, Use
from pipeline.language.source import Span
from pipeline.language.traversal import walk
from pipeline.language.types import Type, known_type

MIN_LITERAL_BYTES = 3
"""A shorter text is in nearly every line."""

LONG_LITERAL_BYTES = 5
"""A text of so many bytes is as good as any longer one: how rare it is, the log decides."""

MAX_PROBES = 1000
"""Of one program. A database of as many is built in some 10 ms; no program that people write comes near."""

MAX_EXPANSIONS = 1000
"""A program whose decorators write out more blocks is not worth the walk: it runs on every line."""

HARMLESS_CALLS = {"getfilename": Type.STRING, "len": Type.INT, "timestamp": Type.INT, "tolower": Type.STRING}
"""Builtins that cannot fail on texts that cannot, and what they return."""

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})


@dataclass(frozen=True, slots=True, order=True)
class Probe:
    """What the sieve looks for: a text anywhere in the line, or a regular expression over bytes at its beginning.

    A text may end in the line feed: it then stands at the end of the line.
    """

    text: bytes
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """The probes of which one must be in a line; None when the program may have an effect on any line.

    `span` is then an effect that a line need hold nothing certain to reach. `reads` are the indexes of the metrics
    without labels that every line reads: the first to do so creates their series, so the guard holds only
    once they all exist. `absent` is a field in `span` that may be absent, and would be a guard if it were asked for.
    """

    probes: frozenset[Probe] | None
    span: Span | None = None
    reads: frozenset[int] = frozenset()
    absent: str = ""


NO_LINE = Guard(frozenset())
ANY_LINE = Guard(None)


def both(outer: Guard, inner: Guard) -> Guard:
    """Return a guard of what happens only if both let a line through: the one that seems to let fewer through.

    Of two that look for long enough texts it is the inner one, as the outer one often is for a whole application.
    """
    return inner if strength(inner) >= strength(outer) else outer


def strength(guard: Guard) -> int:
    """Return how rare the probes of a guard seem, from 0 for any line to `LONG_LITERAL_BYTES` + 1 for no line."""
    if guard.probes is None:
        return 0
    if not guard.probes:
        return LONG_LITERAL_BYTES + 1
    return min(
        LONG_LITERAL_BYTES, *(MIN_LITERAL_BYTES if probe.is_prefix else len(probe.text) for probe in guard.probes)
    )


def either(*guards: Guard) -> Guard:
    """Return the guard of what happens if one of several lets a line through."""
    probes: set[Probe] = set()
    for guard in guards:
        if guard.probes is None:
            return guard
        probes |= guard.probes
    return Guard(frozenset(probes)) if len(probes) <= MAX_PROBES else ANY_LINE


@dataclass(frozen=True, slots=True)
class PresentField:
    """That a field is there: to take it as text cannot fail then."""

    use: DecodeUse
    path: tuple[str, ...]


Fact: TypeAlias = Use | PresentField
"""What surely holds at a place: a pattern has matched, something was decoded, a field is there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A condition: what makes it true, what makes it false, what gives its evaluation an effect.

    `matched_if_true` and `matched_if_false` are what surely holds then.
    """

    if_true: Guard = ANY_LINE
    if_false: Guard = ANY_LINE
    effect: Guard = NO_LINE
    matched_if_true: frozenset[Fact] = frozenset()
    matched_if_false: frozenset[Fact] = frozenset()


def derive_guard(checked: CheckedProgram) -> Guard:
    """Return the guard of a program, `begin` blocks apart."""
    finder = GuardFinder(checked)
    guard = finder.of_block(checked.block.statements, frozenset())
    return guard if guard.probes is None else replace(guard, reads=frozenset(finder.reads))


class GuardFinder:
    """Walks over the statements as the generator does: decorators are followed where they are used.

    `known` holds what is sure where the walk stands: the groups of patterns that have matched can be read.
    """

    def __init__(self, checked: CheckedProgram) -> None:
        self.checked = checked
        self.bodies: list[Block] = []
        self.reads: set[int] = set()
        self.expansions = 0

    def of_block(self, statements: Sequence[Statement], known: frozenset[Fact]) -> Guard:
        return either(*(self.of_statement(statement, known) for statement in statements))

    def of_statement(self, node: Statement, known: frozenset[Fact]) -> Guard:
        match node:
            case Block(statements=statements):
                return self.of_block(statements, known)
            case Conditional():
                return self.of_conditional(node, known)
            case ExpressionStatement(expression=expression):
                return self.of_evaluation(expression, known)
            case Assignment() | ExemplarStatement() | Delete():
                return self.any_line(node, known)
            case DecoratorUse(block=block):
                return self.of_decorator(node, block, known)
            case Next():
                return self.of_next(known)
            case Stop() | MetricDeclaration() | ConstDeclaration() | DecoratorDefinition() | Begin() | LogFilter():
                return NO_LINE

    def of_conditional(self, node: Conditional, known: frozenset[Fact]) -> Guard:
        test = Outcome() if node.condition is None else self.of_condition(node.condition, known)
        block = both(test.if_true, self.of_block(node.block.statements, known | test.matched_if_true))
        if node.else_block is None:
            return either(test.effect, block)
        other = self.of_block(node.else_block.statements, known | test.matched_if_false)
        return either(test.effect, block, both(test.if_false, other))

    def of_decorator(self, node: DecoratorUse, block: Block, known: frozenset[Fact]) -> Guard:
        self.expansions += 1
        if self.expansions > MAX_EXPANSIONS:
            return Guard(None, node.span)
        self.bodies.append(block)
        guard = self.of_block(self.checked.decorators[node].node.block.statements, known)
        self.bodies.pop()
        return guard

    def of_next(self, known: frozenset[Fact]) -> Guard:
        body = self.bodies.pop()
        guard = self.of_block(body.statements, known)
        self.bodies.append(body)
        return guard

    # Expressions

    def of_condition(self, node: Expression, known: frozenset[Fact]) -> Outcome:
        use = self.checked.patterns.get(node)
        if use is not None:
            return self.of_search(use, known)
        if isinstance(node, Decode):
            return self.of_decode(self.checked.decodes[node], known)
        if isinstance(node, Call) and node.name == "defined" and node.arguments[0] in self.checked.fields:
            return self.of_defined(node.arguments[0], known)
        if isinstance(node, Binary):
            match node.operator:
                case "&&":
                    return self.of_conjunction(node, known)
                case "||":
                    return self.of_disjunction(node, known)
                case "=~":
                    return self.of_search(self.checked.patterns[node.right], known)
                case "!~":
                    found = self.of_search(self.checked.patterns[node.right], known)
                    return Outcome(found.if_false, found.if_true, found.effect, frozenset(), found.matched_if_true)
                case "==" if (text := compared_text(self.checked, node, known)) is not None:
                    return Outcome(guard_of((Probe(text),)))
                case "==" if probes := compared_probes(self.checked, node):
                    return Outcome(guard_of(probes), effect=self.of_evaluation(node, known))
        return Outcome(effect=self.of_evaluation(node, known))

    def of_conjunction(self, node: Binary, known: frozenset[Fact]) -> Outcome:
        left = self.of_condition(node.left, known)
        right = self.of_condition(node.right, known | left.matched_if_true)
        return Outcome(
            both(left.if_true, right.if_true),
            either(left.if_false, right.if_false),
            either(left.effect, both(left.if_true, right.effect)),
            left.matched_if_true | right.matched_if_true,
            left.matched_if_false & right.matched_if_false,
        )

    def of_disjunction(self, node: Binary, known: frozenset[Fact]) -> Outcome:
        left = self.of_condition(node.left, known)
        right = self.of_condition(node.right, known | left.matched_if_false)
        return Outcome(
            either(left.if_true, right.if_true),
            both(left.if_false, right.if_false),
            either(left.effect, both(left.if_false, right.effect)),
            left.matched_if_true & right.matched_if_true,
            left.matched_if_false | right.matched_if_false,
        )

    def of_search(self, use: PatternUse, known: frozenset[Fact]) -> Outcome:
        found = guard_of(needed_probes(self.checked, use, known))
        effect = NO_LINE if use.subject is None else self.of_evaluation(use.subject, known)
        return Outcome(found, ANY_LINE, effect, frozenset[Fact]({use}))

    def of_decode(self, use: DecodeUse, known: frozenset[Fact]) -> Outcome:
        """Return the outcome of a decode, of which no certain text is needed. To set the time is no effect."""
        effect = NO_LINE if use.subject is None else self.of_evaluation(use.subject, known)
        return Outcome(effect=effect, matched_if_true=frozenset[Fact]({use}))

    def of_defined(self, node: Expression, known: frozenset[Fact]) -> Outcome:
        """Return the outcome of the question whether a field is there. It fails where nothing was decoded."""
        assert isinstance(node, Capture)
        use = self.checked.fields[node][-1]
        effect = NO_LINE if use in known else Guard(None, node.span)
        found = guard_of(tuple(map(Probe, spell_name(use, node.path))))
        return Outcome(found, ANY_LINE, effect, frozenset[Fact]({PresentField(use, node.path)}))

    def of_evaluation(self, node: Expression, known: frozenset[Fact]) -> Guard:
        """Return the guard of the effects that the evaluation of an expression has by itself."""
        if isinstance(node, Call) and node.name == "strptime":
            node = node.arguments[0]
        if isinstance(node, Call) and node.name == "settime" and isinstance(time := node.arguments[0], Name):
            return NO_LINE if self.harmless_type(time, known) is Type.INT else Guard(None, node.span)
        return self.any_line(node, known) if self.harmless_type(node, known) is None else NO_LINE

    def any_line(self, node: Node, known: frozenset[Fact]) -> Guard:
        """Return the guard of an effect."""
        fields = (part for part, _ in walk(node) if isinstance(part, Capture) and part in self.checked.fields)
        missing = (part for part in fields if not self.is_present(part, known))
        asked = (part.name for part in missing if spell_name(self.checked.fields[part][-1], part.path))
        return Guard(None, node.span, absent=next(asked, ""))

    def is_present(self, node: Capture, known: frozenset[Fact]) -> bool:
        """Whether a field is surely there."""
        use = self.checked.fields[node][-1]
        is_sure = len(node.path) == 1 and node.path[0] in use.decoder.sure
        return use in known and (is_sure or PresentField(use, node.path) in known)

    def harmless_type(self, node: Expression, known: frozenset[Fact]) -> Type | None:
        """Return the type of a value whose evaluation changes nothing and cannot fail; None if it is no such one."""
        if node in self.checked.conversions:
            return None
        match node:
            case IntLiteral():
                return Type.INT
            case StringLiteral():
                return Type.STRING
            case Capture() if node in self.checked.fields:
                return Type.STRING if self.is_present(node, known) else None
            case Call(name="defined", arguments=(Capture() as field,)) if field in self.checked.fields:
                return Type.BOOL if self.checked.fields[field][-1] in known else None
            case Capture():
                return Type.STRING if is_sure_text(self.checked, node, known) else None
            case Name() if not known:
                return self.read_type(node)
            case Call(name=name, arguments=arguments) if name in HARMLESS_CALLS:
                takes_text = all(self.harmless_type(argument, known) is Type.STRING for argument in arguments)
                return HARMLESS_CALLS[name] if takes_text else None
            case Binary(operator=operator, left=left, right=right) if operator in COMPARISONS:
                types = {self.harmless_type(side, known) for side in (left, right)}
                compares = types in ({Type.INT}, {Type.STRING}) and types == {known_type(self.checked.joins[node])}
                return Type.BOOL if compares else None
            case _:
                return None

    def read_type(self, node: Name) -> Type | None:
        """Return the type of a metric without labels, where every line reads it; None if it cannot be read."""
        symbol = self.checked.metric_names[node]
        if symbol.node.kind == "histogram":
            return None
        self.reads.add(symbol.index)
        return known_type(symbol.value_type) or Type.INT


def guard_of(probes: Sequence[Probe]) -> Guard:
    """Return the guard of a condition that holds only on lines with one of `probes`; of any line without probes."""
    return Guard(frozenset(probes)) if probes else ANY_LINE


def needed_probes(checked: CheckedProgram, use: PatternUse, known: frozenset[Fact]) -> tuple[Probe, ...]:
    """Return probes of which one is in every line that the pattern matches; none if no useful ones are known.

    A pattern may also be matched against what another one captured from the line.
    """
    if use.subject is not None and use.subject in checked.fields:
        assert isinstance(use.subject, Capture)
        return tuple(map(Probe, spell_value(checked, use.subject, required_literals(use.regex))))
    if use.subject is not None and not is_part_of_line(checked, use.subject, known):
        return ()
    return find_probes(use.regex, of_line=use.subject is None)


@lru_cache(maxsize=MAX_PLANS)
def find_probes(regex: Regex, *, of_line: bool) -> tuple[Probe, ...]:
    """Return the probes of a pattern; only one for the whole line says how lines begin and end.

    They are asked for by the guard and by each function that is made of the program.
    """
    prefix = find_prefix(regex) if of_line else None
    beginning = () if prefix is None else (Probe(prefix, is_prefix=True),)
    if beginning and prefers_prefix(regex):
        return beginning
    texts = required_literals(regex)
    if texts and all(map(is_useful, texts)):
        return tuple(map(Probe, texts))
    suffix = required_suffix(regex) if of_line else b""
    if beginning or not suffix or not is_findable(suffix):
        return beginning
    return (Probe(suffix + b"\n"),)


def compared_text(checked: CheckedProgram, node: Binary, known: frozenset[Fact]) -> bytes | None:
    """Return the useful text that makes `$group == "text"` true, if `node` is such a comparison."""
    for group, text in ((node.left, node.right), (node.right, node.left)):
        if isinstance(text, StringLiteral) and text not in checked.conversions and group not in checked.conversions:
            value = text.value.encode()
            if is_useful(value) and is_part_of_line(checked, group, known):
                return value
    return None


def compared_probes(checked: CheckedProgram, node: Binary) -> tuple[Probe, ...]:
    """Return probes of which one is in every line on which `$field == "text"` is true; none if none are known."""
    for field, text in ((node.left, node.right), (node.right, node.left)):
        if isinstance(text, StringLiteral) and text not in checked.conversions:
            return tuple(map(Probe, spell_value(checked, field, [text.value.encode()])))
    return ()


def is_useful(literal: bytes) -> bool:
    """Whether a text is worth looking for, and can be looked for."""
    return len(literal) >= MIN_LITERAL_BYTES and is_findable(literal)


def is_findable(literal: bytes) -> bool:
    """Whether a text can be looked for.

    U+FFFD also stands for invalid bytes, a line feed is in no line, and Hyperscan's binding reads a
    text only up to a NUL.
    """
    return b"\n" not in literal and b"\0" not in literal and "\ufffd" not in literal.decode("utf-8", "replace")


def is_part_of_line(checked: CheckedProgram, node: Expression, known: frozenset[Fact]) -> bool:
    """Whether an expression is a group whose text, wherever it is read, is a piece of the line."""
    if node in checked.fields:
        return False
    if not isinstance(node, Capture) or not is_sure_text(checked, node, known):
        return False
    subject = checked.capture_candidates[node][-1][0].subject
    return subject is None or is_part_of_line(checked, subject, known)


def is_sure_text(checked: CheckedProgram, node: Capture, known: frozenset[Fact]) -> bool:
    """Whether a group is read as text and its pattern has surely matched."""
    use, _ = checked.capture_candidates[node][-1]
    return use in known and known_type(checked.types[node]) not in (Type.INT, Type.FLOAT)


@dataclass(frozen=True, slots=True)
class Hits:
    """Which bit of a line's mask stands for which probe; the generated code tests it in place of a search."""

    bits: dict[Probe, int]

    def mask(self, checked: CheckedProgram, use: PatternUse, known: frozenset[Fact]) -> int:
        """Return the bits of which a line that the pattern matches has one; 0 where that is not known.

        A field that is matched must be read in any case, as it may be absent.
        """
        if use.subject in checked.fields:
            return 0
        return self.mask_of(needed_probes(checked, use, known))

    def comparison_mask(self, checked: CheckedProgram, node: Binary, known: frozenset[Fact]) -> int:
        """Return the bit of a line on which the comparison is true; 0 where that is not known."""
        text = compared_text(checked, node, known) if node.operator == "==" else None
        return 0 if text is None else self.mask_of((Probe(text),))

    def mask_of(self, probes: Sequence[Probe]) -> int:
        """Return the bits of `probes`, or 0 if the sieve does not look for all of them."""
        if not all(probe in self.bits for probe in probes):
            return 0
        return sum(1 << self.bits[probe] for probe in set(probes))


NO_HITS = Hits({})
