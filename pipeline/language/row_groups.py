"""Which metrics a program looks up with the same label values, so that one look can find all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.language.nodes import Capture, Delete, Index
from pipeline.language.scopes import CheckedProgram, MetricSymbol
from pipeline.language.source import SourceFile
from pipeline.language.traversal import walk


@dataclass(frozen=True, slots=True)
class RowPlace:
    """The place of a metric in the rows of its group, whose metrics are `members`; groups are numbered from 1."""

    group: int
    members: tuple[MetricSymbol, ...]

    def of(self, symbol: MetricSymbol) -> int:
        """Return the place of a member."""
        return self.members.index(symbol)


def group_metrics(checked: CheckedProgram, source: SourceFile) -> dict[MetricSymbol, RowPlace]:
    """Return the group of each metric that shares its label values with others.

    A metric of which series are deleted is in none: a line that has its row in hand would miss that.
    """
    targets = [node.target for node, _ in walk(checked.block) if isinstance(node, Delete)]
    deleted = {checked.metric_names[node.target] for node in targets if isinstance(node, Index)}
    users: dict[object, dict[MetricSymbol, None]] = {}
    for node, _ in walk(checked.block):
        if isinstance(node, Index) and node.target in checked.metric_names:
            symbol = checked.metric_names[node.target]
            if symbol not in deleted and symbol.node.limit <= 0:
                users.setdefault(describe_keys(checked, source, node), {})[symbol] = None
    return number_groups(checked, users.values())


def describe_keys(checked: CheckedProgram, source: SourceFile, node: Index) -> object:
    """Return what tells label values apart: how they are written, and which patterns they were captured by."""
    written = tuple(source.text[key.span.start : key.span.end] for key in node.keys)
    captures = [inner for key in node.keys for inner, _ in walk(key) if isinstance(inner, Capture)]
    return written, tuple(
        checked.fields.get(capture) or checked.capture_candidates.get(capture) for capture in captures
    )


def number_groups(checked: CheckedProgram, shared: Iterable[dict[MetricSymbol, None]]) -> dict[MetricSymbol, RowPlace]:
    """Return the groups; metrics that share label values with a third one are in one group as well."""
    group_of: dict[MetricSymbol, set[MetricSymbol]] = {}
    for symbols in shared:
        if len(symbols) > 1:
            joined = set(symbols).union(*(group_of.get(symbol, ()) for symbol in symbols))
            group_of.update(dict.fromkeys(joined, joined))
    places: dict[MetricSymbol, RowPlace] = {}
    number = 0
    for symbol in checked.metrics:
        if symbol in group_of and symbol not in places:
            number += 1
            members = tuple(other for other in checked.metrics if other in group_of[symbol])
            places.update(dict.fromkeys(members, RowPlace(number, members)))
    return places
