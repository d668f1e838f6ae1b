"""What a declaration says about its metric to people: the texts after `help` and `unit`.

They go into every page that is scraped, and mtail knows neither. A unit is more than a text: in OpenMetrics
the name of a metric ends in it, which is looked at here because only the author can mend it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.language.diagnostics import Note
from pipeline.language.nodes import MetricDeclaration, StringLiteral
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import MetricSymbol
from pipeline.metrics import Metric

MAX_HELP_BYTES = 1024
"""Mimir and Cortex refuse longer metadata unless told otherwise."""

MAX_UNIT_BYTES = 64

UNIT = re.compile("[A-Za-z0-9_]+")
"""What a name may hold in each format."""

NAME_MISFITS = re.compile("[^A-Za-z0-9_:]")

INVISIBLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""The categories of characters that break a line or that a terminal obeys, and of halves of characters."""


def check_description(node: MetricDeclaration, report: Reporter) -> None:
    """Refuse a help text or a unit that no page can show; warn of a name that does not end in the unit."""
    if node.help is not None:
        check_help(node.help, report)
    if node.unit is not None:
        check_unit(node, node.unit, report)


def check_help(literal: StringLiteral, report: Reporter) -> None:
    """Refuse a text that says nothing, too much, or something that cannot be seen."""
    size = len(literal.value.encode("utf-8", "replace"))
    hidden = next((char for char in literal.value if unicodedata.category(char) in INVISIBLE), "")
    if not literal.value.strip():
        report.error(literal.span, "the help text is empty", hint="say in a sentence what is counted, or leave it out")
    elif size > MAX_HELP_BYTES:
        report.error(
            literal.span,
            f"the help text has {size:,} bytes, and the limit is {MAX_HELP_BYTES:,}",
            hint="say in a sentence what is counted, and the rest in a comment",
        )
    elif hidden:
        hint = "write a space" if hidden.isspace() else "remove it"
        report.error(literal.span, f"the help text holds the invisible character U+{ord(hidden):04X}", hint=hint)


def check_unit(node: MetricDeclaration, literal: StringLiteral, report: Reporter) -> None:
    """Refuse what cannot be part of a name, and any unit of a text."""
    unit = literal.value
    if node.kind == "text":
        report.error(literal.span, "a text has no unit", hint=f"declare a number, such as `gauge {node.name}`")
    elif not unit.strip():
        report.error(literal.span, "the unit is empty", hint='write e.g. `unit "seconds"`, or leave it out')
    elif len(unit) > MAX_UNIT_BYTES:
        report.error(
            literal.span,
            f"the unit has {len(unit):,} characters, and the limit is {MAX_UNIT_BYTES}",
            hint="write one word, such as `bytes`",
        )
    elif not UNIT.fullmatch(unit):
        report.error(
            literal.span,
            "a unit has only ASCII letters, digits and `_`",
            hint="write the word, such as `bytes_per_second`",
        )
    elif not node.hidden:
        warn_name_without_unit(node, unit, report)


def warn_name_without_unit(node: MetricDeclaration, unit: str, report: Reporter) -> None:
    """Warn of a name that does not end in the unit; behind it a counter may have `_total`."""
    name = NAME_MISFITS.sub("_", node.exported or node.name)
    stem = name.removesuffix("_total")
    end = name[len(stem) :] if node.kind == "counter" else ""
    better = "…" if stem == unit else stem.removesuffix(f"_{unit}")
    better += f"_{unit}{end}"
    if better == name:
        return
    report.warn(
        node.name_span,
        f"the name of metric `{name}` does not end in its unit",
        hint=f"name it `{better}`: OpenMetrics shows the unit of no other",
    )


def share_descriptions(symbols: Sequence[MetricSymbol], metrics: Sequence[Metric], report: Reporter) -> None:
    """Give all metrics of one name the first help text and the first unit that one of them has."""
    helps: dict[str, StringLiteral] = {}
    units: dict[str, StringLiteral] = {}
    for symbol, metric in zip(symbols, metrics, strict=True):
        find_first(helps, metric.name, symbol.node.help, "help text", report)
        find_first(units, metric.name, symbol.node.unit, "unit", report)
    for metric in metrics:
        metric.help_text = helps[metric.name].value if metric.name in helps else ""
        metric.unit = units[metric.name].value if metric.name in units else ""


def find_first(
    known: dict[str, StringLiteral], name: str, literal: StringLiteral | None, noun: str, report: Reporter
) -> None:
    """Note the first text for `name`; warn of one that differs."""
    if literal is None:
        return
    first = known.setdefault(name, literal)
    if first.value != literal.value:
        report.warn(
            literal.span,
            f"metric `{name}` has another {noun} elsewhere, which counts",
            notes=(Note("the other one is", first.span),),
            hint="write the same in both places, or leave this one out",
        )
