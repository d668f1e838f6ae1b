"""How generated code decodes, and reads the fields of records.

A record is a table in a local, so that a field of one name is a plain look into it. Where the value is of the type
that is mostly there, no function is called; every other value goes through `field_values`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

from pipeline.decoders import DecodeKey, DecoderOptions, Reader, make_clock, make_finder, make_reader
from pipeline.language import pyast as py
from pipeline.language.bindings import Bindings
from pipeline.language.codegen_access import GroupAccess
from pipeline.language.layouts import Times
from pipeline.language.nodes import Binary, Capture, Expression
from pipeline.language.scopes import CheckedProgram, DecodeUse, Use
from pipeline.language.slow_paths import UNTRIED
from pipeline.language.types import Type

CONVERSIONS = {
    Type.STRING: "field_text",
    Type.INT: "field_int",
    Type.FLOAT: "field_float",
    Type.FIELD: "field_number",
    Type.BOOL: "field_bool",
}
"""What makes of a field what its use demands; a comparison with a number takes the field as it is."""


class FieldAccess:
    """Code that decodes, and that reads fields."""

    def __init__(self, checked: CheckedProgram, bindings: Bindings, groups: GroupAccess, times: Times) -> None:
        self.checked = checked
        self.bindings = bindings
        self.groups = groups
        self.times = times
        self.readers: dict[DecodeKey, str] = {}
        self.line_decodes: Counter[str] = Counter()
        """How often the code decodes the line, by the name of what decodes."""
        self.repeated: frozenset[str] = frozenset()
        """What decodes the line in several places, and so keeps the record of the line at hand."""
        self.finders: dict[tuple[str, ...], str] = {}

    # Decodes

    def options(self, use: DecodeUse) -> DecoderOptions:
        """Return what the program and the operator say about a decode."""
        return DecoderOptions(
            columns=use.columns,
            delimiter=use.delimiter,
            zone=self.times.zone,
            use_current_year=self.times.use_current_year,
        )

    def decode_line(self, use: DecodeUse) -> ast.expr:
        """Return code that decodes the line, or reads the record that another place has left on this line."""
        name = self.reader(use)
        self.line_decodes[name] += 1
        code = py.call(name, py.name("line"))
        if name not in self.repeated:
            return code
        kept = record_name(name)
        tried = py.compare(py.name(kept), "is not", py.constant(UNTRIED))
        return py.choose(tried, py.name(kept), py.walrus(kept, code))

    def reset(self) -> list[ast.stmt]:
        """Return code that forgets the records of the line before."""
        return [py.assign(record_name(name), py.constant(UNTRIED)) for name in sorted(self.repeated)]

    def find_repeated(self) -> frozenset[str]:
        """Return what decodes the line in several places of the code that was generated."""
        return frozenset(name for name, count in self.line_decodes.items() if count > 1)

    def reader(self, use: DecodeUse) -> str:
        """Make visible what decodes, and return its name: one for all decodes that are written alike."""
        key = use.decoder.name, self.options(use)
        name = self.readers.setdefault(key, f"decode{len(self.readers) + 1}")

        def make_own() -> Reader:
            return make_reader(use.decoder, key[1])

        if use.subject is not None:
            return self.bindings.add(f"{name}_text", lambda _: make_own())
        return self.bindings.add(name, lambda environment: environment.records.reader(key, make_own))

    def clock(self, use: DecodeUse) -> str:
        """Make visible what reads the time of a record, and return its name."""
        options = self.options(use)
        return self.bindings.add(f"clock{use.index + 1}", lambda _: make_clock(use.decoder, options))

    # Fields

    def raw(self, node: Capture, known: frozenset[Use]) -> ast.expr:
        """Return code for a field as it is in the record; None if it is absent."""
        uses = self.checked.fields[node]
        record = py.name(uses[-1].local)
        if uses[-1] not in known:
            self.groups.uncertain.update(uses)
            records = (py.name(use.local) for use in uses)
            record = py.call(self.bindings.function("last_record"), py.constant(node.name), *records)
        path = read_path(node)
        if len(path) == 1:
            return py.call(py.attribute(record, "get"), py.constant(path[0]))
        name = self.finders.setdefault(path, f"field{len(self.finders) + 1}")
        return py.call(self.bindings.add(name, lambda _: make_finder(path)), record)

    def defined(self, node: Expression, known: frozenset[Use]) -> ast.expr:
        """Return code for whether a field is there, or a capture group took part in the match."""
        assert isinstance(node, Capture)
        if node in self.checked.fields:
            return py.compare(self.raw(node, known), "is not", py.constant(None))
        return self.groups.defined(node, known)

    def comparison(self, node: Binary, known: frozenset[Use], make_value: Callable[[Expression], ast.expr]) -> ast.expr:
        """Return code that compares a field with a number, whole or not, or with another field."""
        sides = (node.left, node.right)
        if all(side in self.checked.fields for side in sides):
            fields = (side for side in sides if isinstance(side, Capture))
            named = [part for side in fields for part in (py.constant(f"${side.name}"), self.raw(side, known))]
            left, right = py.call(self.bindings.function("order_fields"), *named), py.constant(0)
        else:
            left, right = (
                self.value(side, Type.FIELD, known)
                if isinstance(side, Capture) and side in self.checked.fields
                else make_value(side)
                for side in sides
            )
        if node.operator in ("<=", ">="):  # not a number is neither less nor greater
            return py.negate(py.compare(left, ">" if node.operator == "<=" else "<", right))
        return py.compare(left, node.operator, right)

    def convert(self, function: str, node: Capture, known: frozenset[Use]) -> ast.expr:
        """Return code that calls a function of `field_values`."""
        return py.call(self.bindings.function(function), py.constant(f"${node.name}"), self.raw(node, known))

    def value(self, node: Capture, want: Type, known: frozenset[Use]) -> ast.expr:
        """Return code for a field as what its use demands, a `FIELD` being a number, whole or not."""
        texts = {use.decoder.texts for use in self.checked.fields[node]}
        match want:
            case Type.STRING if texts == {str}:
                text = py.call(py.attribute(py.name("v"), "encode"))
                return self.unless_other(node, "str", text, want, known)
            case Type.STRING if texts == {bytes}:
                return self.unless_other(node, "bytes", py.name("v"), want, known)
            case Type.FIELD if texts != {bytes}:
                return self.unless_other(node, "int", py.name("v"), want, known)
            case Type.FLOAT if texts != {bytes}:
                return self.unless_other(node, "float", py.name("v"), want, known)
            case _:
                return self.convert(CONVERSIONS[want], node, known)

    def unless_other(self, node: Capture, usual: str, value: ast.expr, want: Type, known: frozenset[Use]) -> ast.expr:
        """Return code for a field that mostly is of the `usual` type; then it is what `value` makes of the local `v`.

        To look at the type takes 25 ns, to call a function that does so 60 ns.
        """
        kind = py.call(self.bindings.function("type"), py.walrus("v", self.raw(node, known)))
        test = py.compare(kind, "is", py.name(self.bindings.function(usual)))
        other = py.call(self.bindings.function(CONVERSIONS[want]), py.constant(f"${node.name}"), py.name("v"))
        return py.choose(test, value, other)


def record_name(reader: str) -> str:
    """Return the local that keeps what `reader` has made of the line at hand."""
    return f"{reader}_record"


def read_path(node: Capture) -> tuple[str, ...]:
    """Return the names on the way to a field; a column is named by its number, without zeros before it."""
    if node.may_be_group and node.name.isdecimal():
        return (str(int(node.name)),)
    return node.path
