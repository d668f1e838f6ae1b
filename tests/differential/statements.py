"""Random programs: declarations, then statements that match, compare, count, convert and delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.differential.expressions import HISTOGRAM, STRING_LITERALS, Expressions, MetricName, Scope
from tests.differential.pieces import FLOAT, INT, STRING, WORDS, Chooser, Pattern, make_pattern

KINDS: tuple[tuple[str, str], ...] = (
    ("counter", INT),
    ("gauge", INT),
    ("gauge", FLOAT),
    ("text", STRING),
    ("counter", FLOAT),
    ("timer", INT),
    ("timer", FLOAT),
    ("gauge", STRING),
    (HISTOGRAM, INT),
    (HISTOGRAM, FLOAT),
)
BOUNDS = ("1, 2, 4", "0, 1, 2, 4, 8", "-1, 0, 10", "0.5, 1.5, 1e3", "0.00001, 1000000", "5, 100")
LAYOUTS = (
    ("Jan _2 15:04:05 2006", ("Feb 21 13:20:00 2026", "Feb  1 03:04:05 2011", "Dec 31 23:59:59 1999")),
    ("2006-01-02T15:04:05Z07:00", ("2026-02-21T13:20:00+01:00", "2026-02-21T13:20:00.5Z", "2024-02-29T00:00:00Z")),
    ("02/Jan/2006:15:04:05 -0700", ("21/Feb/2026:13:20:00 +0000", "01/Mar/2026:00:00:00 -0930")),
    ("2006/01/02 15:04:05", ("2026/02/21 13:20:00", "1969/12/31 23:59:59", "2026/02/21 13:20:00,25")),
    ("Jan _2 15:04:05", ("Feb 21 13:20:00", "Jan  1 00:00:00")),
    ("Mon, 02 Jan 06 3:04PM", ("Sat, 21 Feb 26 1:20PM", "Wed, 01 Jan 70 12:00AM")),
)
UNPARSABLE = ("Feb 31 13:20:{} 2026", "2026-13-{}", "{}/Foo/2026:13:20:00 +0000", "{}", "2026/02/21 13:20:00 {}")
DURATIONS = ("1h", "90m", "1h30m", "0s", "-1h", "100ms", "1.5h")


@dataclass(slots=True)
class ProgramWriter:
    """Writes one program, and remembers the patterns its lines should match."""

    chooser: Chooser
    patterns: list[Pattern] = field(default_factory=list)
    names: int = 0

    def write(self) -> str:
        metrics = [self.make_metric(number) for number in range(self.chooser.number(2, 5))]
        constants = {f"C{n}": self.make_pattern(f"c{n}_") for n in range(self.chooser.number(0, 2))}
        lines = [self.declare(metric) for metric in metrics]
        lines += [f"const {name} /{pattern.text}/" for name, pattern in constants.items()]
        scope = Scope(metrics, constants)
        body = self.write_first_values(scope)
        body += [line for _ in range(self.chooser.number(2, 4)) for line in self.write_statement(scope, 2, top=True)]
        body += [line for metric in metrics for line in self.use_metric(metric, scope)]
        body += [line for name in constants for line in self.write_block(name, scope.enter(constants[name].groups), 1)]
        return "\n".join([*lines, *body]) + "\n"

    # Declarations

    def make_metric(self, number: int) -> MetricName:
        kind, type_name = self.chooser.pick(KINDS)
        keys = tuple(self.chooser.pick((STRING, STRING, INT)) for _ in range(self.chooser.pick((0, 1, 1, 2))))
        return MetricName(f"{kind[0]}{number}", kind, type_name, keys, hidden=self.chooser.chance(10))

    def declare(self, metric: MetricName) -> str:
        words = ["hidden"] * metric.hidden + [metric.kind, metric.name]
        attributes = []
        if metric.keys:
            attributes.append("by " + ", ".join(f"k{number}" for number in range(len(metric.keys))))
        if self.chooser.chance(15):
            attributes.append(f'as "exported_{metric.name}"')
        if metric.kind == HISTOGRAM:
            attributes.append(f"buckets {self.chooser.pick(BOUNDS)}")
        if self.chooser.chance(10):
            # Far more than there are lines: this mtail enforces it late, if ever.
            attributes.append("limit 1000")
        if self.chooser.chance(30):
            attributes.reverse()
        return " ".join([*words, *attributes])

    def make_pattern(self, prefix: str = "") -> Pattern:
        self.names += 1
        pattern = make_pattern(self.chooser, prefix or f"n{self.names}_")
        self.patterns.append(pattern)
        return pattern

    # Statements: each is a list of lines

    def write_statements(self, scope: Scope, depth: int) -> list[str]:
        return [line for _ in range(self.chooser.number(1, 3)) for line in self.write_statement(scope, depth)]

    def write_statement(self, scope: Scope, depth: int, *, top: bool = False) -> list[str]:
        nested: tuple[Callable[[], list[str]], ...] = (
            lambda: self.write_match(scope, depth),
            lambda: self.write_match(scope, depth),
            lambda: self.write_condition(scope, depth),
            lambda: self.write_operand_match(scope, depth),
            lambda: self.write_constant_use(scope, depth),
            lambda: self.write_decorated(scope, depth),
            lambda: self.write_time(scope, depth),
        )
        flat: tuple[Callable[[], list[str]], ...] = (
            lambda: self.write_change(scope),
            lambda: self.write_change(scope),
            lambda: self.write_change(scope),
            lambda: self.write_delete(scope),
            lambda: [f"settime({Expressions(self.chooser, scope).write(INT, 1)})"],
            lambda: ["stop"] if self.chooser.chance(30) else self.write_change(scope),
            lambda: [Expressions(self.chooser, scope).write_leaf(STRING)],
            lambda: self.write_pattern_substitution(scope),
        )
        if top:
            return self.chooser.pick(nested)()
        return self.chooser.pick(flat if depth <= 0 or self.chooser.chance(60) else nested)()

    def write_block(self, condition: str, inner: Scope, depth: int) -> list[str]:
        """A conditional; perhaps with `else`, or followed by `otherwise`."""
        lines = [f"{condition} {{", *indent(self.write_statements(inner, depth - 1))]
        ending = self.chooser.number(0, 9)
        if ending == 8:
            lines += ["} else {", *indent(self.write_statements(inner, depth - 1))]
        lines.append("}")
        if ending == 9:
            lines += ["otherwise {", *indent(self.write_statements(Scope(inner.metrics, inner.constants), 0)), "}"]
        return lines

    def write_match(self, scope: Scope, depth: int) -> list[str]:
        """A pattern against the line, in one piece or joined of several, perhaps with more conditions."""
        pattern = self.make_pattern()
        text = f"/{pattern.text}/"
        if self.chooser.chance(20):
            text = f"// +\n  /{pattern.text}/"
        inner = scope.enter(pattern.groups)
        if self.chooser.chance(20):
            operator = self.chooser.pick(("&&", "||"))
            text += f" {operator} {Expressions(self.chooser, inner).write_condition(1)}"
        return self.write_block(text, inner, depth)

    def write_constant_use(self, scope: Scope, depth: int) -> list[str]:
        if not scope.constants:
            return self.write_match(scope, depth)
        name = self.chooser.pick(sorted(scope.constants))
        pattern = scope.constants[name]
        inner = scope.enter(pattern.groups)
        text = self.chooser.pick((f"// + {name}", name, f"/^/ + {name}", f"// + {name} + /.*/"))
        return self.write_block(text, inner, depth)

    def write_condition(self, scope: Scope, depth: int) -> list[str]:
        return self.write_block(Expressions(self.chooser, scope).write_condition(), scope, depth)

    def write_operand_match(self, scope: Scope, depth: int) -> list[str]:
        """`=~` or `!~` between something that has a text and a pattern or a text."""
        operand = self.write_operand(scope)
        if self.chooser.chance(25):
            word = self.chooser.pick(WORDS[:4])
            return self.write_block(f'{operand} =~ "{word}"', scope, depth)
        pattern = self.make_pattern()
        operator = self.chooser.pick(("=~", "=~", "!~"))
        return self.write_block(f"{operand} {operator} /{pattern.text}/", scope.enter(pattern.groups), depth)

    def write_operand(self, scope: Scope) -> str:
        """A primary: what may stand beside `=~`."""
        groups = [group for group, type_name in scope.groups.items() if type_name is not None]
        texts = [metric.name for metric in scope.readable(STRING) if not metric.keys]
        return self.chooser.pick([*groups, *texts, f'"{self.chooser.pick(STRING_LITERALS)}"', "getfilename()"])

    def write_decorated(self, scope: Scope, depth: int) -> list[str]:
        """A decorator, defined and used at once, perhaps twice."""
        self.names += 1
        name = f"d{self.names}"
        pattern = self.make_pattern()
        inner = scope.enter(pattern.groups)
        lines = [f"def {name} {{", f"  /{pattern.text}/ {{"]
        if self.chooser.chance(40):
            lines += indent(indent(self.write_change(inner)))
        lines.append("    next")
        if self.chooser.chance(40):
            lines += indent(indent(self.write_change(inner)))
        lines += ["  }", "}"]
        body = scope.enter_decorated(pattern.groups)
        for _ in range(self.chooser.number(1, 2)):
            lines += [f"@{name} {{", *indent(self.write_statements(body, depth - 1)), "}"]
        return lines

    def write_time(self, scope: Scope, depth: int) -> list[str]:
        """A time in the line, read by its layout. A text that does not parse comes once only: see the rules."""
        layout, examples = self.chooser.pick(LAYOUTS)
        self.names += 1
        name = f"t{self.names}"
        self.patterns.append(Pattern("", (), lambda sampling: f"time{name}={self.sample_time(sampling, examples)};"))
        inner = scope.enter(())
        inner.groups.update({f"${name}": STRING, "$1": STRING})
        parse = [f'strptime(${name}, "{layout}")']
        return [f"/time{name}=(?P<{name}>[^;]*);/ {{", *indent([*parse, *self.write_statements(inner, 0)]), "}"]

    def sample_time(self, sampling: Chooser, examples: tuple[str, ...]) -> str:
        if sampling.chance(85):
            return sampling.pick(examples)
        self.names += 1
        return sampling.pick(UNPARSABLE).format(self.names + 40)

    def write_change(self, scope: Scope) -> list[str]:
        metric = self.chooser.pick(scope.metrics)
        return [self.change_metric(metric, scope)]

    def change_metric(self, metric: MetricName, scope: Scope) -> str:
        writer = Expressions(self.chooser, scope)
        target = writer.write_metric(metric, 2)
        if metric.type == INT and metric.kind != HISTOGRAM and self.chooser.chance(40):
            return target + self.chooser.pick(("++", "++", "--"))
        operator = "=" if metric.kind == HISTOGRAM or self.chooser.chance(60) else "+="
        if operator == "+=" and metric.type != INT:
            # The index of a Float or a String would be evaluated twice, so it must have no effect.
            target = Expressions(self.chooser, scope).write_metric(metric, 0)
        if metric.type == INT and self.chooser.chance(8):
            # Text is converted when it is stored.
            return f"{target} {operator} {writer.write_leaf(INT)}"
        return f"{target} {operator} {writer.write(metric.type)}"

    def write_delete(self, scope: Scope) -> list[str]:
        metrics = [metric for metric in scope.metrics if metric.keys]
        if not metrics:
            return self.write_change(scope)
        target = Expressions(self.chooser, scope).write_metric(self.chooser.pick(metrics), 1)
        return [f"del {target}" + (f" after {self.chooser.pick(DURATIONS)}" if self.chooser.chance(40) else "")]

    def write_pattern_substitution(self, scope: Scope) -> list[str]:
        """`subst` with a pattern, in a scope of its own: this mtail gives its groups to the block."""
        texts = [metric for metric in scope.metrics if metric.type == STRING]
        if not texts:
            return self.write_change(scope)
        target = Expressions(self.chooser, Scope(scope.metrics, {})).write_metric(texts[0], 0)
        pattern = self.chooser.pick(("\\d+", "[a-z]", "x*", "o", "^", "ö|o", "\\b", "\\s+$"))
        argument = Expressions(self.chooser, scope).write_leaf(STRING)
        return ["// {", f'  {target} = subst(/{pattern}/, "<$0>", {argument})', "}"]

    def write_first_values(self, scope: Scope) -> list[str]:
        """Mostly, settle the types of all metrics first: an expression can read none whose type is open."""
        settled = list(scope.metrics)
        if self.chooser.chance(15):
            # A number's type would be settled by what it first stands beside; then mtail refuses an Int for a Float.
            settled = [metric for metric in settled if metric.type != STRING]
        self.patterns.append(Pattern("", (), lambda _: "init"))
        return ["/^init/ {", *indent([self.change_plain(metric, scope) for metric in settled]), "}"]

    def use_metric(self, metric: MetricName, scope: Scope) -> list[str]:
        """Give every metric its type and a use: an unused one is an error."""
        if self.chooser.chance(50):
            return [self.change_plain(metric, scope)]
        pattern = self.make_pattern()
        inner = scope.enter(pattern.groups)
        return [f"/{pattern.text}/ {{", *indent([self.change_metric(metric, inner)]), "}"]

    def change_plain(self, metric: MetricName, scope: Scope) -> str:
        target = Expressions(self.chooser, scope).write_metric(metric, 0)
        literal = {INT: "3", FLOAT: "0.25", STRING: '"s"'}[metric.type]
        return f"{target} = {literal}"


def indent(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def write_lines(chooser: Chooser, patterns: list[Pattern], count: int) -> list[str]:
    """Lines most of which match one pattern or more, some of them damaged."""
    lines = []
    for _ in range(count):
        texts = [chooser.pick(patterns).sample(chooser) for _ in range(chooser.pick((1, 1, 1, 2)))] if patterns else []
        line = " ".join(texts)
        if chooser.chance(12):
            line = damage(chooser, line)
        lines.append(line.replace("\n", ""))
    return lines


def damage(chooser: Chooser, line: str) -> str:
    """Cut, double or prepend: what a line looks like that no pattern foresaw."""
    place = chooser.number(0, len(line))
    return chooser.pick((line[:place], line[place:], f"{line[:place]}é{line[place:]}", f"x {line}", "", "\t", "a\x00b"))
