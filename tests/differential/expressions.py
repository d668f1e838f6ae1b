"""Random expressions of a wanted type, from what is in scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.differential.pieces import FLOAT, INT, STRING, Chooser, Group, Pattern

HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricName:
    """A declared metric. A histogram's type is what it observes. `keys` are the types its labels were first given."""

    name: str
    kind: str
    type: str
    keys: tuple[str, ...]
    hidden: bool = False


@dataclass(slots=True)
class Scope:
    """What statements at one place may refer to. Inner patterns hide outer groups by number."""

    metrics: Sequence[MetricName]
    constants: dict[str, Pattern]
    groups: dict[str, str | None] = field(default_factory=dict)
    has_substitution: bool = False

    def enter(self, groups: Sequence[Group]) -> Scope:
        """Return the scope inside a conditional whose pattern has these groups."""
        inner = dict(self.groups)
        for number, group in enumerate(groups, start=1):
            inner[f"${number}"] = group.type
            if group.name:
                inner[f"${group.name}"] = group.type
        return Scope(self.metrics, self.constants, inner)

    def enter_decorated(self, groups: Sequence[Group]) -> Scope:
        """Return the scope where a decorator is used: this mtail knows its named groups by their names only."""
        inner = self.enter(groups)
        for number, group in enumerate(groups, start=1):
            if group.name:
                del inner.groups[f"${number}"]
        return inner

    def groups_of(self, type_name: str) -> list[str]:
        return [group for group, type_ in self.groups.items() if type_ == type_name]

    def readable(self, type_name: str) -> list[MetricName]:
        return [metric for metric in self.metrics if metric.type == type_name and metric.kind != HISTOGRAM]


INT_LITERALS = ("1", "2", "0", "5", "-1", "10", "63", "64", "1000000", "9223372036854775807", "-3")
SMALL_LITERALS = ("0", "1", "2", "3", "-1", "63", "64", "70")
FLOAT_LITERALS = ("0.5", "1.0", "2.5", "-1.5", "1e3", "0.00001", "1000000.0", "100000000000000000000000.0")
STRING_LITERALS = ("a", "", "foo", "5", "1.5", "007", "a\\tb", 'q\\"q', "größe", "GET", "nan", "b\\\\")
BASES = ("10", "16", "36", "8", "2")
# Not Int for Float: there this mtail fails, and the language widens.
MISFITS = {INT: (STRING, FLOAT), FLOAT: (STRING,), STRING: (INT, FLOAT)}
RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
BRACKETS = (True, False, False)


@dataclass(frozen=True, slots=True)
class Expressions:
    """Writes expressions. `depth` bounds the nesting; at 0 only leaves are left."""

    chooser: Chooser
    scope: Scope
    is_tame: bool = False

    def write(self, type_name: str, depth: int = 2) -> str:
        """Write a value of a type; now and then one of another type, which is converted, fails or is refused."""
        if not self.is_tame and self.chooser.chance(4):
            type_name = self.chooser.pick(MISFITS[type_name])
        return {INT: self.write_int, FLOAT: self.write_float, STRING: self.write_string}[type_name](depth)

    def tame(self) -> Expressions:
        """Return a writer that keeps to the types."""
        return replace(self, is_tame=True)

    def bracket(self, text: str) -> str:
        return f"({text})" if self.chooser.pick(BRACKETS) else text

    def choose(self, forms: Sequence[Callable[[], str]]) -> str:
        return self.chooser.pick(forms)()

    # Metrics and labels

    def write_metric(self, metric: MetricName, depth: int) -> str:
        if not metric.keys:
            return metric.name
        keys = [self.write_key(key, depth) for key in metric.keys]
        return metric.name + (f"[{', '.join(keys)}]" if self.chooser.chance(60) else f"[{']['.join(keys)}]")

    def write_key(self, type_name: str, depth: int) -> str:
        """A label: mostly text or a group, of any type, as the language converts it."""
        anything = list(self.scope.groups)
        if anything and self.chooser.chance(60):
            return self.chooser.pick(anything)
        if self.chooser.chance(60) or depth <= 0:
            return f'"{self.chooser.pick(STRING_LITERALS[:5])}"' if type_name == STRING else self.write_leaf(type_name)
        return self.write(type_name, 1)

    def write_leaf(self, type_name: str) -> str:
        groups = self.scope.groups_of(type_name)
        metrics = [metric for metric in self.scope.readable(type_name) if not metric.keys]
        if groups and self.chooser.chance(60):
            return self.chooser.pick(groups)
        if metrics and self.chooser.chance(40):
            return self.chooser.pick(metrics).name
        if type_name == STRING:
            return f'"{self.chooser.pick(STRING_LITERALS)}"'
        return self.chooser.pick(INT_LITERALS if type_name == INT else FLOAT_LITERALS)

    def read_metric(self, type_name: str, depth: int) -> str:
        metrics = self.scope.readable(type_name)
        return self.write_metric(self.chooser.pick(metrics), depth - 1) if metrics else self.write_leaf(type_name)

    # Int

    def write_int(self, depth: int) -> str:
        if depth <= 0:
            return self.write_leaf(INT)
        return self.choose(
            (
                lambda: self.write_leaf(INT),
                lambda: self.read_metric(INT, depth),
                lambda: self.write_arithmetic(depth),
                lambda: self.write_bitwise(depth),
                lambda: f"len({self.write_text(depth - 1)})",
                lambda: f"strtol({self.write_text(depth - 1)}, {self.chooser.pick(BASES)})",
                lambda: f"int({self.write_convertible(depth - 1)})",
                lambda: f"({self.write_int(depth - 1)})",
                self.write_step,
                lambda: "timestamp()",
            )
        )

    def write_arithmetic(self, depth: int) -> str:
        operator = self.chooser.pick(("+", "-", "*", "/", "%", "**"))
        if operator == "%":
            # This mtail folds an Int literal by a Float literal to zero.
            return self.bracket(f"{self.tame().write_int(depth - 1)} % {self.tame().write_int(depth - 1)}")
        right = self.chooser.pick(SMALL_LITERALS[1:4]) if operator == "**" else self.write(INT, depth - 1)
        return self.bracket(f"{self.write(INT, depth - 1)} {operator} {right}")

    def write_bitwise(self, depth: int) -> str:
        operator = self.chooser.pick(("&", "|", "^", "<<", ">>"))
        shift = operator in ("<<", ">>") and self.chooser.chance(80)
        right = self.chooser.pick(SMALL_LITERALS) if shift else self.write(INT, depth - 1)
        return self.bracket(f"{self.write(INT, depth - 1)} {operator} {right}")

    def write_step(self) -> str:
        """`m++` as an expression; only where it is evaluated once whatever stands around it."""
        metrics = [metric for metric in self.scope.readable(INT) if not metric.keys]
        if not metrics:
            return self.write_leaf(INT)
        return self.chooser.pick(metrics).name + self.chooser.pick(("++", "--"))

    # Float

    def write_float(self, depth: int) -> str:
        if depth <= 0:
            return self.write_leaf(FLOAT)
        return self.choose(
            (
                lambda: self.write_leaf(FLOAT),
                lambda: self.read_metric(FLOAT, depth),
                lambda: f"float({self.write_convertible(depth - 1)})",
                lambda: f"float({self.write_leaf(INT)})",
                lambda: self.write_float_arithmetic(depth),
                lambda: f"({self.write_float(depth - 1)})",
            )
        )

    def write_float_arithmetic(self, depth: int) -> str:
        """A Float with a Float or an Int; divided by what is not zero, so that no infinity is stored."""
        operator = self.chooser.pick(("+", "-", "*", "/"))
        left = self.write(FLOAT, depth - 1)
        if operator == "/":
            return self.bracket(f"{left} / {self.chooser.pick(('4', '0.5', '1000.0', '-3'))}")
        right = self.write_float(depth - 1) if self.chooser.chance(60) else self.write_leaf(INT)
        pair = (left, right) if self.chooser.chance(70) else (right, left)
        return self.bracket(f"{pair[0]} {operator} {pair[1]}")

    # String

    def write_string(self, depth: int) -> str:
        if depth <= 0:
            return self.write_leaf(STRING)
        return self.choose(
            (
                lambda: self.write_leaf(STRING),
                lambda: self.read_metric(STRING, depth),
                lambda: self.write_concatenation(depth),
                lambda: f"tolower({self.write(STRING, depth - 1)})",
                lambda: f"string({self.write(self.chooser.pick((INT, FLOAT, STRING)), depth - 1)})",
                lambda: self.write_substitution(depth),
                lambda: "getfilename()",
            )
        )

    def write_concatenation(self, depth: int) -> str:
        """Text beside a value of any type, which is converted."""
        other = self.write(self.chooser.pick((STRING, INT, FLOAT)), 0)
        text = self.write(STRING, depth - 1)
        return self.bracket(f"{text} + {other}" if self.chooser.chance(70) else f"{other} + {text}")

    def write_substitution(self, depth: int) -> str:
        old = self.chooser.pick(("a", "o", "foo", "", "5", "ö"))
        new = self.chooser.pick(("-", "", "<$0>", "$1", "é"))
        return f'subst("{old}", "{new}", {self.write_text(depth - 1)})'

    def write_text(self, depth: int) -> str:
        """An argument that is taken as text: a String mostly, or an Int, which is written out."""
        return self.write_string(depth) if self.chooser.chance(75) else self.write_leaf(INT)

    def write_convertible(self, depth: int) -> str:
        """An argument of `int()` or `float()`: text that may or may not be a number."""
        return self.write_string(depth) if self.chooser.chance(60) else self.write_leaf(INT)

    # Conditions

    def write_condition(self, depth: int = 2) -> str:
        if depth <= 0:
            return self.write_relation(1)
        return self.choose(
            (
                lambda: self.write_relation(depth),
                lambda: self.write_relation(depth),
                lambda: f"{self.write_relation(1)} && {self.write_condition(depth - 1)}",
                lambda: f"{self.write_relation(1)} || {self.write_condition(depth - 1)}",
                lambda: f"({self.write_condition(depth - 1)}) || {self.write_relation(1)}",
                lambda: f"~{self.write_leaf(INT)}",
                lambda: self.write_truth(),
            )
        )

    def write_truth(self) -> str:
        """Arithmetic as a condition: true unless zero. A literal alone is none, so a group or metric takes part."""
        groups = self.scope.groups_of(INT) + [m.name for m in self.scope.readable(INT) if not m.keys]
        if not groups:
            return self.write_relation(0)
        operator = self.chooser.pick(("+", "-", "*", "&", "|", "^"))
        return f"{self.chooser.pick(groups)} {operator} {self.chooser.pick(('1', '5', '-1'))}"

    def write_relation(self, depth: int) -> str:
        operator = self.chooser.pick(RELATIONS)
        form = self.chooser.number(0, 4)
        writer = self.tame()
        if form <= 1:
            return f"{writer.write_int(depth - 1)} {operator} {writer.write_int(depth - 1)}"
        if form == 2:
            right = writer.write_float(depth - 1) if self.chooser.chance(60) else self.write_leaf(INT)
            return f"{writer.write_float(depth - 1)} {operator} {right}"
        return f"{self.write_comparable_text()} {operator} {self.write_leaf(self.chooser.pick((STRING, INT, FLOAT)))}"

    def write_comparable_text(self) -> str:
        """The left side of a comparison of texts: what makes it one of texts, not of numbers first."""
        groups = self.scope.groups_of(STRING)
        texts = [metric.name for metric in self.scope.readable(STRING) if metric.kind == "text" and not metric.keys]
        leaf = self.chooser.pick([*groups, *texts, f'"{self.chooser.pick(STRING_LITERALS)}"'])
        return leaf if self.chooser.chance(75) else f"({leaf} + {self.write_leaf(STRING)})"
