"""The names that generated code sees, and how each gets its value when a program is bound.

Generated code has no globals: each name is a parameter with a default, which Python reads as fast
as any local. One code object is bound twice, with patterns for ASCII lines and with patterns for
lines of any bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.decoders import SharedRecords
from pipeline.language import field_values, slow_paths, support
from pipeline.metrics import Metric, wrap_int64

FUNCTIONS: dict[str, object] = {
    "Exception": Exception,
    "bisect_left": bisect_left,
    "bytes": bytes,
    "bytes_of": b"%d".__mod__,
    "exact_float": slow_paths.exact_float,
    "fail_value": slow_paths.fail_value,
    "field_bool": field_values.field_bool,
    "field_float": field_values.field_float,
    "field_int": field_values.field_int,
    "field_number": field_values.field_number,
    "field_text": field_values.field_text,
    "field_time": field_values.field_time,
    "float": float,
    "int": int,
    "is_defined": slow_paths.is_defined,
    "last_record": slow_paths.last_record,
    "len": len,
    "order_fields": field_values.order_fields,
    "read_group": slow_paths.read_group,
    "step_value": slow_paths.step_value,
    "str": str,
    "type": type,
    "tolower": support.lower_text,
    "wrap_int64": wrap_int64,
    "zip": zip,
    **{
        name: getattr(support, name)
        for name in (
            "divide_float",
            "divide_int",
            "float_text",
            "format_float",
            "format_float_upper",
            "int_text",
            "modulo_float",
            "modulo_int",
            "order_numeric_first",
            "parse_float",
            "parse_int",
            "power_float",
            "power_int",
            "shift_left",
            "shift_right",
            "strtol",
            "substitute",
        )
    },
}
"""What generated code may call by name; everything else it sees is its own metrics and patterns."""

PURE_FUNCTIONS = frozenset(FUNCTIONS) - {"step_value", "zip"}
"""Those that change nothing and depend on nothing but their arguments."""


NO_RECORDS = SharedRecords(frozenset())
"""What a program shares that decodes for itself."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a program is bound to: its live metrics, which form its patterns take, what it shares with others."""

    metrics: Sequence[Metric]
    ascii_lines: bool
    on_failure: Callable[[Exception, bytes], None]
    records: SharedRecords = NO_RECORDS


Maker = Callable[[Environment], object]


@dataclass(slots=True)
class Bindings:
    """The names in use, in order, each with what makes its value."""

    makers: dict[str, Maker] = field(default_factory=dict)

    def function(self, name: str) -> str:
        """Make a function of the language's support visible and return its name."""
        value = FUNCTIONS[name]
        self.makers.setdefault(name, lambda _: value)
        return name

    def add(self, name: str, maker: Maker) -> str:
        """Make what `maker` returns visible under `name` and return the name."""
        self.makers.setdefault(name, maker)
        return name

    def values(self, environment: Environment) -> tuple[object, ...]:
        """Return the values of all names, in order."""
        return tuple(maker(environment) for maker in self.makers.values())
