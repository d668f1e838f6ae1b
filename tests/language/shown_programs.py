"""Programs parsed, and their nodes shown on one line: with parentheses around every operation."""

from __future__ import annotations

from pipeline.language.diagnostics import ProgramError
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
    FloatLiteral,
    Index,
    IntLiteral,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    PatternLiteral,
    Postfix,
    Statement,
    Stop,
    StringLiteral,
    Unary,
)
from pipeline.language.parser import parse
from pipeline.language.source import SourceFile


def parse_text(text: str) -> Block:
    return parse(SourceFile("a.mtail", text))


def show_program(text: str) -> list[str]:
    return [show_statement(statement) for statement in parse_text(text).statements]


def show_statement(statement: Statement) -> str:
    """Return the statement with parentheses around every operation, on one line."""
    match statement:
        case ExpressionStatement(expression=expression):
            return show(expression)
        case Assignment(operator=operator, target=target, value=value):
            return f"{show(target)} {operator} {show(value)}"
        case ExemplarStatement(change=change, labels=labels):
            shown = ", ".join(f"{label.name}={show(label.value)}" for label in labels)
            return f"{show_statement(change)} exemplar {shown}"
        case Conditional(condition=condition, block=block, else_block=else_block):
            opening = "otherwise" if condition is None else show(condition)
            return f"{opening} {show_block(block)}" + (f" else {show_block(else_block)}" if else_block else "")
        case MetricDeclaration():
            return show_metric(statement)
        case ConstDeclaration(name=name, pattern=pattern):
            return f"const {name} {show(pattern)}"
        case DecoratorDefinition(name=name, block=block):
            return f"def {name} {show_block(block)}"
        case DecoratorUse(name=name, block=block):
            return f"@{name} {show_block(block)}"
        case Delete(target=target, after_nanoseconds=after):
            return f"del {show(target)}" + (f" after {after}" if after is not None else "")
        case Begin(block=block):
            return f"begin {show_block(block)}"
        case LogFilter(names=names):
            return f"log_filter {', '.join(names)}"
        case Next() | Stop():
            return type(statement).__name__.lower()
        case Block():
            return show_block(statement)


def show_block(block: Block) -> str:
    return "{" + "; ".join(show_statement(statement) for statement in block.statements) + "}"


def show_metric(metric: MetricDeclaration) -> str:
    parts = ["hidden"] if metric.hidden else []
    parts += [metric.kind, metric.name]
    if metric.labels:
        parts += ["by", ", ".join(label.name for label in metric.labels)]
    if metric.exported is not None:
        parts += ["as", metric.exported]
    if metric.buckets is not None:
        parts += ["buckets", ", ".join(repr(bound) for bound in metric.buckets)]
    if metric.limit:
        parts += ["limit", str(metric.limit)]
    if metric.help is not None:
        parts += ["help", show(metric.help)]
    if metric.unit is not None:
        parts += ["unit", show(metric.unit)]
    return " ".join(parts)


def show(expression: Expression) -> str:
    match expression:
        case IntLiteral(value=value) | FloatLiteral(value=value):
            return repr(value)
        case StringLiteral(value=text):
            return f'"{text}"'
        case PatternLiteral(text=text):
            return f"/{text}/"
        case Name(name=name):
            return name
        case Capture(name=name):
            return f"${name}"
        case Index(target=target, keys=keys):
            return f"{target.name}[{', '.join(map(show, keys))}]"
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(map(show, arguments))})"
        case Unary(operator=operator, operand=operand):
            return f"({operator}{show(operand)})"
        case Binary(operator=operator, left=left, right=right):
            return f"({show(left)} {operator} {show(right)})"
        case Postfix(operator=operator, operand=operand):
            return f"({show(operand)}{operator})"
        case Decode():
            return show_decode(expression)


def show_decode(decode: Decode) -> str:
    parts = ["decode", decode.decoder]
    if decode.delimiter is not None:
        parts.append(show(decode.delimiter))
    if decode.columns:
        parts += ["by", ", ".join(column.name for column in decode.columns)]
    if decode.subject is not None:
        parts += ["from", show(decode.subject)]
    return f"({' '.join(parts)})"


def is_valid(text: str) -> bool:
    try:
        parse_text(text)
    except ProgramError:
        return False
    return True
