"""Exemplars: whether a statement has something to give an example of, and what its labels may be.

mtail knows none. What a label holds depends on the line, so its length is looked at when there is one; that
of the names is known here.
"""

from __future__ import annotations

import re

from pipeline.language.diagnostics import Note
from pipeline.language.inference import ExpressionChecker
from pipeline.language.nodes import Assignment, ExemplarLabel, ExemplarStatement, Expression, Index, Name, Postfix
from pipeline.language.scopes import MetricSymbol
from pipeline.language.types import Type, known_type
from pipeline.metrics import MAX_EXEMPLAR_CHARACTERS

LABEL_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
"""What a label may be called in each format that has exemplars."""

WRITE_TEXT = "write a text or a number, such as a capture group"
WHERE_EXEMPLARS_ARE = "write it behind `++` or `+=` of a counter, or an assignment to a histogram"


def check_exemplar(node: ExemplarStatement, expressions: ExpressionChecker) -> None:
    """Check what stands behind a statement, which has been checked itself."""
    metric = find_counted(node, expressions)
    if metric is not None:
        metric.has_exemplars = True
        expressions.later.append(lambda: refuse_text(node, metric, expressions))
    check_names(node, expressions)
    for label in node.labels:
        check_value(label, expressions)


def find_counted(node: ExemplarStatement, expressions: ExpressionChecker) -> MetricSymbol | None:
    """Return the metric in which the statement counts or observes; None after a mistake."""
    change = node.change
    match change if isinstance(change, Assignment) else change.expression:
        case Assignment(operator=operator, target=target) | Postfix(operator=operator, operand=target):
            metric = find_metric(target, expressions)
        case _:
            expressions.report.error(
                node.exemplar_span, "this statement counts nothing, so it has no exemplar", hint=WHERE_EXEMPLARS_ARE
            )
            return None
    if metric is None:
        return None
    kind, name = metric.node.kind, expressions.report.text_of(target.span)
    notes = (Note("declared", metric.name_span),)
    if kind not in ("counter", "histogram"):
        message = f"a {kind} has no exemplars, only counters and histograms have"
        expressions.report.error(node.exemplar_span, message, notes=notes, hint="leave the exemplar out")
    elif kind == "counter" and operator == "=":
        message = "setting a counter has no exemplar, because it does not say how much was counted"
        hint = f"write `{name} += …` with what this line counts, or leave the exemplar out"
        expressions.report.error(node.exemplar_span, message, hint=hint)
    elif operator == "--":
        message = "`--` counts nothing, so it has no exemplar"
        expressions.report.error(node.exemplar_span, message, hint="leave the exemplar out")
    else:
        return metric
    return None


def find_metric(target: Expression, expressions: ExpressionChecker) -> MetricSymbol | None:
    """Return the metric that a target names; None if it was refused."""
    match target:
        case Index(target=name) | (Name() as name):
            return expressions.checked.metric_names.get(name)
        case _:
            return None


def refuse_text(node: ExemplarStatement, metric: MetricSymbol, expressions: ExpressionChecker) -> None:
    """Refuse an exemplar of a counter that joins texts, which is known when the types are."""
    if metric.node.kind == "counter" and known_type(metric.value_type) is Type.STRING:
        expressions.report.error(
            node.exemplar_span,
            f"metric `{metric.node.name}` holds text, which has no exemplars",
            notes=(Note("declared", metric.name_span),),
            hint="leave the exemplar out, or count a number",
        )


def check_names(node: ExemplarStatement, expressions: ExpressionChecker) -> None:
    """Refuse labels that no format can write, or whose names leave no room for values."""
    first: dict[str, ExemplarLabel] = {}
    for label in node.labels:
        if not LABEL_NAME.fullmatch(label.name):
            message = "a label of an exemplar has only ASCII letters, digits and `_`"
            expressions.report.error(label.name_span, message, hint="choose another name, e.g. `trace_id`")
        other = first.setdefault(label.name, label)
        if other is not label:
            expressions.report.error(
                label.span,
                f"the exemplar has two labels `{label.name}`",
                notes=(Note("the first one is", other.span),),
                hint=f"write e.g. `span_id = {expressions.report.text_of(label.value.span)}`",
            )
    size = sum(map(len, first))
    if size >= MAX_EXEMPLAR_CHARACTERS:
        message = f"the names of the labels have {size} characters, and {MAX_EXEMPLAR_CHARACTERS} is the limit"
        hint = "choose shorter names: values count as well"
        expressions.report.error(node.exemplar_span, message, hint=hint)


def check_value(label: ExemplarLabel, expressions: ExpressionChecker) -> None:
    """Check the value of a label: any that can be written as text."""
    if expressions.patterns.is_pattern(label.value, expressions.scope):
        expressions.refuse_pattern(label.value)
    elif known_type(expressions.check(label.value)) is Type.BOOL:
        expressions.report.error(label.value.span, "a Bool cannot be the value of a label", hint=WRITE_TEXT)
