"""How generated code gets at metrics, and at what patterns captured."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.language import pyast as py
from pipeline.language.bindings import Bindings, Environment
from pipeline.language.nodes import Call, Capture, Expression, Index, Name, Node, StringLiteral
from pipeline.language.patterns import Group, SearchPlan, plan_search
from pipeline.language.row_groups import RowPlace
from pipeline.language.scopes import CheckedProgram, MetricSymbol, PatternUse, Use
from pipeline.language.slow_paths import NO_INT, UNTRIED
from pipeline.language.support import INT_MAX, INT_MIN, INT_SAFE_DIGITS, lower_text
from pipeline.language.traversal import walk
from pipeline.metrics import Rows, share_rows

INFINITY = 1e999
LOWER: dict[bool, Callable[[bytes], bytes]] = {True: bytes.lower, False: lower_text}
"""What puts a piece of a line into lower case, by whether all lines are ASCII."""
SURELY_64_BITS = 9e18
"""A Float below this is that of an Int within 64 bits."""
PLAIN_FUNCTIONS = frozenset({"int_text", "float_text", "tolower", "tolower_line"})
"""What may be called twice in a row: it remembers, or takes no time."""
NO_NUMBER = "the text of a capture group is not a number"


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: its code (or its outcome, if that is certain), and the patterns and decodes that surely matched."""

    code: ast.expr | bool
    if_true: frozenset[Use] = frozenset()
    if_false: frozenset[Use] = frozenset()


class MetricAccess:
    """Code that finds the series of metrics."""

    def __init__(self, checked: CheckedProgram, bindings: Bindings, places: Mapping[MetricSymbol, RowPlace]) -> None:
        self.checked = checked
        self.bindings = bindings
        self.places = places
        self.scalars: dict[MetricSymbol, str] = {}

    def symbol(self, node: Expression) -> MetricSymbol:
        """Return the metric that a name or an index stands for."""
        match node:
            case Name():
                return self.checked.metric_names[node]
            case Index(target=target):
                return self.checked.metric_names[target]
            case _:
                raise AssertionError(node)

    def member(self, symbol: MetricSymbol, member: str) -> str:
        """Make a method of the metric visible and return its name; `get` is that of its data."""
        index = symbol.index

        def make(environment: Environment) -> object:
            metric = environment.metrics[index]
            return metric.data.get if member == "get" else getattr(metric, member)

        return self.bindings.add(f"{member}_{self.name(symbol)}", make)

    def name(self, symbol: MetricSymbol) -> str:
        """Return an identifier for the metric: its own name where Python can have it and it is unique."""
        name = symbol.node.name
        same = [other for other in self.checked.metrics if other.node.name == name]
        if len(same) == 1 and re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
            return name
        return f"metric{symbol.index + 1}"

    def lookup(self, symbol: MetricSymbol, key: ast.expr) -> ast.expr:
        """Return code that finds the series `key` or creates it."""
        place = self.places.get(symbol)
        if place is not None and is_plain_key(key):
            return self.lookup_in_row(symbol, place, key)
        found = py.call(self.member(symbol, "get"), py.walrus("k", key))
        return py.either(found, py.call(self.member(symbol, "new"), py.name("k"), py.name("now")))

    def lookup_in_row(self, symbol: MetricSymbol, place: RowPlace, key: ast.expr) -> ast.expr:
        """Return the same for a metric that has rows together with others. The row is looked up once (`sharing`)."""
        indexes = [member.index for member in place.members]

        def share(environment: Environment) -> Rows:
            return share_rows(tuple(environment.metrics[index] for index in indexes))

        rows = self.bindings.add(f"row{place.group}", lambda environment: share(environment).__getitem__)
        column = place.of(symbol)
        finder = self.bindings.add(
            f"find_{self.name(symbol)}", lambda environment: share(environment).make_finder(column)
        )
        found = py.subscript(py.call(rows, key), column)
        row = py.call(rows, copy.deepcopy(key))
        return py.either(found, py.call(finder, row, copy.deepcopy(key), py.name("now")))

    def scalar(self, symbol: MetricSymbol) -> ast.expr:
        """Return code for the only series of a metric without labels.

        It is never deleted, so a local holds it: from the start where it exists from the start, else
        (a gauge) from when it is first looked at.
        """
        name = f"datum_{self.name(symbol)}"
        if symbol.node.kind in ("counter", "histogram"):
            index = symbol.index
            return py.name(self.bindings.add(name, lambda environment: environment.metrics[index].data[()]))
        self.scalars[symbol] = name
        return py.either(py.name(name), py.walrus(name, self.new_scalar(symbol)))

    def new_scalar(self, symbol: MetricSymbol) -> ast.expr:
        """Return code that creates the only series of a metric."""
        return py.call(self.member(symbol, "new"), py.make_tuple(), py.name("now"))


class GroupAccess:
    """Code that reads capture groups.

    Where a pattern has surely matched, a group is read from its match without a test. Elsewhere (in
    an `else`, right of `||`) the patterns are `uncertain`: their matches are forgotten before they
    are tried, and `read_group` looks for the last one tried.
    """

    def __init__(self, checked: CheckedProgram, bindings: Bindings) -> None:
        self.checked = checked
        self.bindings = bindings
        self.uncertain: set[Use] = set()
        self.plans: dict[PatternUse, SearchPlan] = {}

    def plan(self, use: PatternUse) -> SearchPlan:
        """Return how the pattern is searched, given the groups that the program reads."""
        if use not in self.plans:
            self.plans[use] = plan_search(use.regex, frozenset(use.wanted), in_line=self.searches_line(use))
        return self.plans[use]

    def searches_line(self, use: PatternUse) -> bool:
        """Whether a pattern is matched against the line or what others captured from it: no line feed is in there."""
        if use.subject is None:
            return True
        return isinstance(use.subject, Capture) and self.is_of_line(use.subject)

    def is_of_line(self, node: Capture) -> bool:
        """Whether the text of a group is a piece of the line, whichever pattern captured it."""
        return node not in self.checked.fields and all(
            self.searches_line(use) for use, _ in self.checked.capture_candidates[node]
        )

    def is_ascii_with_line(self, node: Expression) -> bool:
        """Whether the text of a value is ASCII wherever the line is: nothing in it comes from anywhere else."""
        return all(self.adds_nothing(part) for part, _ in walk(node))

    def adds_nothing(self, part: Node) -> bool:
        match part:
            case Capture():
                return self.is_of_line(part)
            case StringLiteral(value=text):
                return text.isascii()
            case Name():
                symbol = self.checked.metric_names.get(part)  # none is that of a pattern, which `subst` takes
                return symbol is None or symbol.node.kind != "text"
            case Call(name=name):
                return name != "getfilename"
            case _:
                return True

    def counts(self) -> dict[str, int]:
        """Return the number of groups in the match of each pattern, by the local that keeps it."""
        return {use.local: plan.group_count for use, plan in self.plans.items()}

    def text(self, node: Capture, known: frozenset[Use]) -> ast.expr:
        """Return code for the text of a group; empty if it took no part in the match."""
        use, number = self.checked.capture_candidates[node][-1]
        if use not in known:
            return py.call(self.bindings.function("read_group"), *self.candidates(node))
        text = self.item(use, number)
        if number and use.groups[number - 1].optional:
            return py.either(text, py.constant(b""))
        return text

    def defined(self, node: Capture, known: frozenset[Use]) -> ast.expr:
        """Return code for whether a group took part in the match."""
        use, number = self.checked.capture_candidates[node][-1]
        if use not in known:
            return py.call(self.bindings.function("is_defined"), *self.candidates(node))
        return py.compare(self.item(use, number), "is not", py.constant(None))

    def item(self, use: PatternUse, number: int) -> ast.expr:
        return py.subscript(py.name(use.local), self.plan(use).group_index[number])

    def candidates(self, node: Capture) -> list[ast.expr]:
        """Return the matches that a group may be read from, each with its index, for `read_group`."""
        arguments: list[ast.expr] = [py.constant(node.name)]
        for use, number in self.checked.capture_candidates[node]:
            self.uncertain.add(use)
            arguments += [py.name(use.local), py.constant(self.plan(use).group_index[number])]
        return arguments

    def lowered(self, node: Expression, code: ast.expr) -> ast.expr:
        """Return code for a text in lower case; a piece of a line that is ASCII needs no look at its characters."""
        if not isinstance(node, Capture) or not self.is_of_line(node):
            return py.call(self.bindings.function("tolower"), code)
        return py.call(self.bindings.add("tolower_line", lambda environment: LOWER[environment.ascii_lines]), code)

    def number(self, node: Capture, text: ast.expr, convert: Callable[[Capture, ast.expr], ast.expr]) -> ast.expr:
        """Return code for the number that the text of a group spells; a group that took no part has none.

        To find that out by `int` or `float` takes 500 ns, as their message shows the text.
        """
        match text:
            case ast.BoolOp(op=ast.Or(), values=[item, ast.Constant(value=b"")]):
                failure = py.call(self.bindings.function("fail_value"), py.constant(NO_NUMBER))
                return py.choose(item, convert(node, copy.deepcopy(item)), failure)
            case _:
                return convert(node, text)

    def int_of(self, node: Capture, text: ast.expr) -> ast.expr:
        """Return code for the Int that the text of a numeric group spells.

        Such a text consists of digits and signs only, so `int` accepts what the language does, but
        for the range. Few digits are within it.
        """
        number = py.call(self.bindings.function("int"), text)
        shapes = self.shapes(node)
        if all(shape.longest is not None and shape.longest <= INT_SAFE_DIGITS for shape in shapes):
            return number
        value = py.walrus("v", number)
        if any(shape.signed for shape in shapes):
            test = py.between(py.constant(INT_MIN), value, "<=", py.constant(INT_MAX))
        else:
            test = py.compare(value, "<=", py.constant(INT_MAX))
        return self.unless_failed(test, NO_INT)

    def float_of_digits(self, node: Capture, text: ast.expr) -> ast.expr:
        """Return code for the Float of the Int that the text of a group spells, which must be without a minus.

        It is the same number as by way of the Int, in half the time.
        """
        number = py.call(self.bindings.function("float"), text)
        if all(shape.longest is not None and shape.longest <= INT_SAFE_DIGITS for shape in self.shapes(node)):
            return number
        exact = py.call(self.bindings.function("exact_float"), copy.deepcopy(text))
        test = py.compare(py.walrus("v", number), "<", py.constant(SURELY_64_BITS))
        return py.choose(test, py.name("v"), exact)

    def float_of(self, node: Capture, text: ast.expr) -> ast.expr:
        """Return code for the Float that the text of a numeric group spells (digits, signs, dot and `e`)."""
        value = py.walrus("v", py.call(self.bindings.function("float"), text))
        if any(shape.signed for shape in self.shapes(node)):
            test = py.between(py.constant(-INFINITY), value, "<", py.constant(INFINITY))
        else:
            test = py.compare(value, "<", py.constant(INFINITY))
        return self.unless_failed(test, "the number of a capture group is too large for a Float")

    def shapes(self, node: Capture) -> list[Group]:
        """Return the groups that may be read."""
        return [use.groups[number - 1] for use, number in self.checked.capture_candidates[node]]

    def unless_failed(self, test: ast.expr, message: str) -> ast.expr:
        failure = py.call(self.bindings.function("fail_value"), py.constant(message))
        return py.choose(test, py.name("v"), failure)


def reset_match(use: Use) -> ast.stmt:
    """Return code that forgets the match, or the record, of an earlier line."""
    return py.assign(use.local, py.constant(UNTRIED))


def is_plain_key(key: ast.expr) -> bool:
    """Whether a key is made of literals, texts of groups and their conversions, so that it may be written twice."""
    plain = (ast.Tuple, ast.Constant, ast.Subscript, ast.Name, ast.Call, ast.BoolOp, ast.expr_context, ast.boolop)
    nodes = list(ast.walk(key))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    names = [function.id for function in calls if isinstance(function, ast.Name)]
    return all(isinstance(node, plain) for node in nodes) and PLAIN_FUNCTIONS.issuperset(names)
