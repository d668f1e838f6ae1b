"""Puts a syntax error into words: what is wrong, where, and what to write instead.

The parser stops at the first word that cannot stand where it stands. The functions in `EXPLANATIONS`
look at that word and at what was read before it, from the most special mistake to the most general
one; the first that knows what to say, says it. Names of terminals never get into a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pipeline.language.automaton import KEYWORDS, Repeated, Token, UnexpectedTokenError
from pipeline.language.builder import MATCHES, find_dotted_name, refuse_letters, span_of
from pipeline.language.builtins import BUILTINS
from pipeline.language.diagnostics import Note, suggest
from pipeline.language.nodes import FloatLiteral, Index, IntLiteral, MetricDeclaration, Name, PatternLiteral
from pipeline.language.reporting import Reporter
from pipeline.language.source import Span
from pipeline.language.syntax_decodes import explain_decode
from pipeline.language.syntax_exemplars import explain_exemplar
from pipeline.language.syntax_hints import (
    ATTRIBUTE_WORDS,
    BINARY_OPERATOR,
    CHARACTERS,
    CLOSING,
    DESCRIBING_WORDS,
    EXPECTED,
    EXPECTED_AFTER_COMMA,
    EXPECTED_AFTER_NAME,
    KINDS,
    NAMED_THINGS,
    OPENING,
    OPENING_WORD,
    OPENING_WORDS,
    OPERATOR_RUN,
    OPERATORS,
    PATTERN_FLAGS,
    SIGNS,
    STARTS_VALUE,
    WORDS,
)
from pipeline.language.syntax_trouble import (
    ASSIGNMENTS,
    EXPRESSIONS,
    Mistake,
    Place,
    Trouble,
    begins_line,
    find_open_block,
    locate_trouble,
    needs_block,
    rest_of_line,
    token_type,
    whole_line,
)


def report_syntax_error(reporter: Reporter, error: UnexpectedTokenError) -> None:
    """Report the first word that cannot stand where it stands."""
    trouble = locate_trouble(reporter.source, error)
    mistake = next(mistake for explain in EXPLANATIONS if (mistake := explain(trouble)))
    reporter.error(mistake.span, mistake.message, notes=mistake.notes, hint=mistake.hint)


# Words and signs of other languages -----------------------------------------------------------------


def explain_open_literal(trouble: Trouble) -> Mistake | None:
    """A string or a pattern that goes to the end of the line."""
    if trouble.word == '"':
        span = rest_of_line(trouble.source, trouble.span.start)
        return Mistake(
            span, "string is not closed on this line", 'end it with `"`; a quote inside a string is written `\\"`'
        )
    if trouble.place is Place.PATTERN:
        assert trouble.pattern_opening is not None
        span = rest_of_line(trouble.source, span_of(trouble.pattern_opening).start)
        return Mistake(
            span, "pattern is not closed on this line", "end it with `/`; a slash inside a pattern is written `\\/`"
        )
    return None


def explain_slash_in_pattern(trouble: Trouble) -> Mistake | None:
    """A slash that ends a pattern too early, as in `/a/b/ {`, or flags after the pattern."""
    pattern = trouble.top
    if not isinstance(pattern, PatternLiteral) or pattern.span.end != trouble.span.start or trouble.is_end:
        return None
    if PATTERN_FLAGS.fullmatch(trouble.word):
        return Mistake(trouble.span, "a pattern has no flags after it", "write them at its beginning, as in `/(?i)x/`")
    if "/" not in trouble.text(rest_of_line(trouble.source, trouble.span.start)):
        return None
    return Mistake(
        trouble.span, f"the pattern ends before {trouble.shown}", "a slash inside a pattern is written `\\/`"
    )


def explain_foreign_opening(trouble: Trouble) -> Mistake | None:
    """A line that begins like one of another language, with `if` for example."""
    text = trouble.source.text
    begin = text.rfind("\n", 0, trouble.span.start) + 1
    opening = OPENING_WORD.match(text, begin)
    if opening is None or opening.start("word") > trouble.span.start:
        return None
    word = " ".join(opening["word"].split())
    message, hint = OPENING_WORDS[word]
    return Mistake(Span(opening.start("word"), opening.end("word")), message, hint)


def explain_foreign_word(trouble: Trouble) -> Mistake | None:
    """A word in the place of an operator."""
    if trouble.place is Place.VALUE and trouble.word in WORDS:
        return Mistake(trouble.span, *WORDS[trouble.word])
    name = trouble.name
    if name is not None and name.name in WORDS:
        return Mistake(name.span, *WORDS[name.name])
    return None


def explain_foreign_operator(trouble: Trouble) -> Mistake | None:
    """An operator that this language does not have."""
    for run in OPERATOR_RUN.finditer(trouble.text(line := whole_line(trouble.source, trouble.span.start))):
        span = Span(line.start + run.start(), line.start + run.end())
        if span.start <= trouble.span.start < span.end and run[0] in OPERATORS:
            message = f"there is no operator `{run[0]}`"
            return Mistake(span, message, f"write `{OPERATORS[run[0]].format(read_target(trouble))}`")
    return None


def read_target(trouble: Trouble) -> str:
    """Return the text of the metric before an operator like `-=`."""
    target = trouble.stack[-2] if len(trouble.stack) > 1 else None
    return trouble.text(target.span) if isinstance(target, Name | Index) else "x"


def explain_character(trouble: Trouble) -> Mistake | None:
    """A character that begins no word."""
    char = trouble.word[:1]
    if quoted := re.compile(r"'([^'\n]*)'").match(trouble.source.text, trouble.span.start):
        return Mistake(Span(*quoted.span()), "text is written in double quotes", f'write `"{quoted[1]}"`')
    if char in CHARACTERS and trouble.word not in {"!=", "!~"}:
        return Mistake(trouble.span, *CHARACTERS[char])
    if not char or char in SIGNS or char.isalpha() or char.isdecimal():
        return None
    if char.isprintable():
        return Mistake(trouble.span, f"unexpected `{char}`")
    return Mistake(trouble.span, f"unexpected character U+{ord(char):04X}", "remove it")


# Names ----------------------------------------------------------------------------------------------


def explain_reserved_word(trouble: Trouble) -> Mistake | None:
    """A keyword, or the name of a builtin, in the place of a name."""
    if trouble.word in BUILTINS:
        noun = "builtin function"
    elif trouble.word in KEYWORDS:
        noun = "keyword"
    else:
        return None
    lead = trouble.lead if token_type(trouble.top) == "COMMA" else token_type(trouble.top)
    if trouble.place is Place.OPERAND:
        return Mistake(trouble.span, f"{trouble.shown} is a {noun} and cannot be a value")
    if lead not in NAMED_THINGS:
        return None
    hints = {
        "KIND": f'choose another name; `as "{trouble.word}"` exports the metric under this one',
        "BY": f'write it in quotes: `"{trouble.word}"`',
        "LOG_FILTER": f'write it in quotes: `"{trouble.word}"`',
    }
    message = f"{trouble.shown} is a {noun} and cannot be {NAMED_THINGS[lead]}"
    return Mistake(trouble.span, message, hints.get(lead, "choose another name"))


def explain_name(trouble: Trouble) -> Mistake | None:
    """A name that begins with a digit, or has other characters in it."""
    top = trouble.top
    if trouble.word.startswith(".") and (dotted := find_dotted_name(trouble.source.text, trouble.span.start)):
        message, hint = refuse_letters(trouble.text(dotted))
        is_part = trouble.lead not in NAMED_THINGS and not begins_line(trouble.source, dotted.start)
        if is_part and not trouble.text(dotted).startswith("$"):
            hint += f"; a field of a record is written `${trouble.text(dotted)}`"
        return Mistake(dotted, message, hint)
    if token_type(top) in NAMED_THINGS and trouble.word[:1].isdecimal():
        assert isinstance(top, Token)
        return Mistake(trouble.span, f"{NAMED_THINGS[top.type]} cannot begin with a digit", "begin it with a letter")
    if not isinstance(top, Token) or top.type != "NAME" or trouble.is_end:
        return None
    start = span_of(top).start
    name = re.compile(r"[\w.:-]+").match(trouble.source.text, start)
    if trouble.lead not in NAMED_THINGS or name is None or name.end() <= trouble.span.start:
        return None
    return Mistake(Span(start, name.end()), *refuse_letters(name[0]))


def explain_call(trouble: Trouble) -> Mistake | None:
    """A call of a function that does not exist, or `int x` in the place of a declaration."""
    top, name = trouble.top, trouble.name
    if name is not None and trouble.word == "(":
        hint = suggest(name.name, list(BUILTINS)) or f"the functions are {', '.join(BUILTINS)}"
        return Mistake(name.span, f"there is no function `{name.name}`", hint)
    if token_type(top) == "BUILTIN" and trouble.word[:1].isalpha():
        message = f"expected `(` after `{top}`, not {trouble.shown}"
        hint = (
            f"to declare a metric, write its kind: `gauge {trouble.word}`" if top in {"int", "float", "string"} else ""
        )
        return Mistake(trouble.span, message, hint)
    return None


# Values ---------------------------------------------------------------------------------------------


def explain_prefix(trouble: Trouble) -> Mistake | None:
    """A sign before a value that belongs after it, or does not exist."""
    value = re.compile(r"\s*([\w$]+)").match(trouble.source.text, trouble.span.end)
    if trouble.place not in {Place.OPERAND, Place.STATEMENT} or value is None:
        return None
    if trouble.word in {"++", "--"}:
        return Mistake(
            trouble.span,
            f"{trouble.shown} stands after a metric, not before it",
            f"write `{value[1]}{trouble.word}`",
        )
    if trouble.place is Place.OPERAND and trouble.word == "-":
        return Mistake(trouble.span, "only a number can have a minus before it", f"write `0 - {value[1]}`")
    if trouble.place is Place.OPERAND and trouble.word == "+":
        return Mistake(trouble.span, "a value has no plus before it", "remove it")
    return None


def explain_assignment(trouble: Trouble) -> Mistake | None:
    """An `=` inside of something, or something other than a newline after an assignment."""
    sign = trouble.find(ASSIGNMENTS)
    if trouble.place is not Place.VALUE:
        return None
    if trouble.word in {"=", "+="}:
        if sign is not None:
            return Mistake(trouble.span, "a statement has one assignment only", "write a line for each")
        return Mistake(trouble.span, f"{trouble.shown} cannot be part of an expression", "to compare, write `==`")
    if trouble.word == "{" and sign is not None:
        return Mistake(span_of(sign), "an assignment cannot be a condition", "to compare, write `==`")
    return None


def explain_brackets(trouble: Trouble) -> Mistake | None:
    """A bracket without its partner."""
    bracket = next(trouble.open_tokens(), "{")
    is_closed = trouble.is_end or trouble.word in {"{", "}", ")", "]"}
    if isinstance(bracket, Token) and bracket != "{" and is_closed and trouble.place is Place.VALUE:
        hint = f"end it with `{CLOSING[bracket]}`; inside, a newline may only stand after an operator"
        return Mistake(span_of(bracket), f"`{bracket}` is not closed on this line", hint)
    opening = OPENING.get(trouble.word)
    if opening is None or any(bracket == opening for bracket in trouble.open_tokens()):
        return None
    hint = "remove it" if trouble.place is Place.STATEMENT else f"remove it, or write the `{opening}`"
    return Mistake(trouble.span, f"there is no `{opening}` for this {trouble.shown}", hint)


def explain_statement_end(trouble: Trouble) -> Mistake | None:
    """A `}` on the line of a statement that ends with its line."""
    if trouble.word != "}" or trouble.place is not Place.VALUE or needs_block(trouble):
        return None
    return Mistake(trouble.span, "expected a newline before `}`", "write the `}` on a line of its own")


def explain_value_after_value(trouble: Trouble) -> Mistake | None:
    """Two values, and no operator between them."""
    name = trouble.name
    if trouble.place is not Place.VALUE or trouble.is_end:
        return None
    if re.match(r"-\d", trouble.word):
        hint = f"write `- {trouble.word[1:]}` to subtract"
        return Mistake(trouble.span, f"{trouble.shown} is a negative number here, not a subtraction", hint)
    if trouble.word in MATCHES:
        return Mistake(
            trouble.span, f"the left side of {trouble.shown} is more than one value", "put it in parentheses"
        )
    if name is not None and begins_line(trouble.source, name.span.start):
        return explain_unknown_statement(trouble, name)
    if needs_block(trouble):
        hint = "join the conditions with `&&`" if trouble.word == "decode" else "a condition is followed by a block"
        return Mistake(trouble.span, f"expected `{{` before {trouble.shown}", hint)
    if not STARTS_VALUE.match(trouble.word):
        return Mistake(trouble.span, f"unexpected {trouble.shown}")
    bracket = next(trouble.open_tokens(), "{")
    end = "a newline" if bracket == "{" else f"`{CLOSING[bracket]}`"
    return Mistake(trouble.span, f"expected an operator or {end} before {trouble.shown}")


def explain_after_declaration(trouble: Trouble) -> Mistake | None:
    """A value behind a metric's declaration: a missing comma, or a misspelt attribute."""
    below = trouble.stack[-2] if len(trouble.stack) > 1 and trouble.place is Place.VALUE else None
    if isinstance(below, Repeated):
        below = below.items[-1]
    value = trouble.top
    if not isinstance(below, MetricDeclaration) or not isinstance(value, EXPRESSIONS):
        return None
    text = trouble.text(value.span)
    if isinstance(value, IntLiteral | FloatLiteral) and below.buckets is not None:
        return Mistake(value.span, f"expected `,` before `{text}`", "bounds are separated by `,`")
    if text in DESCRIBING_WORDS:
        hint = f'write `{text} "{trouble.word}"`' if trouble.word.isidentifier() else ""
        return Mistake(trouble.span, f"expected a text in quotes after `{text}`, not {trouble.shown}", hint)
    return Mistake(value.span, f"unexpected `{text}` in a declaration", suggest(text, ATTRIBUTE_WORDS))


def explain_unknown_statement(trouble: Trouble, name: Name) -> Mistake:
    """A statement that begins with two words, of which the first is no keyword."""
    if name.name in DESCRIBING_WORDS and trouble.word.startswith('"'):
        return Mistake(name.span, f"`{name.name}` belongs to a metric's declaration", "write it on the same line")
    hint = suggest(name.name, sorted(KEYWORDS)) if len(name.name) > 2 else ""
    if not hint and trouble.word == "by":
        hint = f"to declare a metric, write its kind: `counter {name.name}`"
    if not hint and trouble.word.isidentifier() and trouble.word not in KEYWORDS:
        hint = f"to declare a metric, write its kind: `counter {trouble.word}`"
    if hint:
        return Mistake(name.span, f"there is no statement `{name.name}`", hint)
    return Mistake(trouble.span, f"unexpected {trouble.shown} after `{name.name}`")


# Parts of statements --------------------------------------------------------------------------------


def explain_else(trouble: Trouble) -> Mistake | None:
    """An `else` that no condition's block ends before, or with a condition of its own."""
    if token_type(trouble.top) == "ELSE" and not trouble.is_end:
        return Mistake(trouble.span, *OPENING_WORDS["else if"])
    if trouble.word != "else":
        return None
    before = trouble.source.text[: trouble.span.start]
    if not before.rstrip().endswith("}"):
        return Mistake(trouble.span, "there is no condition for this `else`", "write it after the block of a condition")
    if "\n" in before[len(before.rstrip()) :]:
        return Mistake(trouble.span, "`else` must stand on the line of the `}` before it", "write `} else {`")
    return Mistake(
        trouble.span,
        "the block before this `else` has no condition",
        "only a condition has an `else`, not `otherwise`, `begin`, `def` or a decorator",
    )


def explain_constant(trouble: Trouble) -> Mistake | None:
    """Something other than a pattern after `const X`."""
    if token_type(trouble.top) != "NAME" or trouble.lead != "CONST" or trouble.is_end:
        return None
    example = f"write `const {trouble.top} /…/`"
    if trouble.word == "=":
        return Mistake(trouble.span, "a constant is declared without `=`", example)
    if trouble.word.startswith('"'):
        return Mistake(trouble.span, "a constant is a pattern, not a string", f"write `/{trouble.word[1:-1]}/`")
    return Mistake(trouble.span, f"a constant is a pattern, not {trouble.shown}", example)


def explain_declaration(trouble: Trouble) -> Mistake | None:
    """Something in a metric's declaration that does not belong there."""
    if trouble.place is not Place.DECLARATION:
        return None
    if trouble.word == "=":
        return Mistake(trouble.span, "a metric is declared without a value", "it begins at 0; assign to it in a block")
    if trouble.word == ",":
        return Mistake(trouble.span, "a declaration declares one metric", "write one for each")
    if trouble.word in {"[", "("}:
        return Mistake(trouble.span, f"unexpected {trouble.shown} in a declaration", "labels are declared with `by`")
    return Mistake(trouble.span, f"unexpected {trouble.shown} in a declaration")


def explain_missing_part(trouble: Trouble) -> Mistake | None:
    """A word or a sign that needs something else after it."""
    expected = find_expected(trouble)
    if expected is None:
        return None
    assert isinstance(trouble.top, Token)
    found = "" if trouble.is_end else f", not {trouble.shown}"
    return Mistake(trouble.span, f"expected {expected} after `{trouble.top}`{found}", suggest_part(trouble, expected))


def find_expected(trouble: Trouble) -> str | None:
    """Return what must follow the word before."""
    kind = token_type(trouble.top)
    if trouble.place is Place.OPERAND:
        return "a value" if trouble.find(frozenset({"CONST"})) is None else "a pattern or a constant"
    if kind == "COMMA":
        return EXPECTED_AFTER_COMMA.get(trouble.lead)
    if kind == "NAME":
        return EXPECTED_AFTER_NAME.get(trouble.lead)
    return EXPECTED.get(kind)


def suggest_part(trouble: Trouble, expected: str) -> str:
    """Return what to do about something that is missing."""
    kind = token_type(trouble.top)
    if kind == "HIDDEN":
        return suggest(trouble.word, KINDS) or f"the kinds are {', '.join(KINDS)}"
    if kind == "AS" and trouble.word.isidentifier():
        return f'write `as "{trouble.word}"`'
    if expected == "`{`" and trouble.is_end:
        return "write `{` on the same line"
    if trouble.after_newline and trouble.is_end:
        return "it may stand on the next line, but not after an empty one"
    if trouble.is_end and trouble.place is Place.OPERAND and kind in {"COMMA", "LPAR", "LSQB"}:
        return "inside brackets, a newline may only stand after an operator"
    if trouble.is_end and kind == "COMMA":
        return "write the list on one line"
    return ""


def explain_file_end(trouble: Trouble) -> Mistake | None:
    """A file that ends inside a block."""
    opening = find_open_block(trouble) if trouble.is_file_end else None
    if opening is None:
        return None
    return Mistake(
        trouble.span,
        "expected `}` before the end of the file",
        "every block ends with `}`",
        (Note("the open block begins", opening),),
    )


def explain_anything(trouble: Trouble) -> Mistake:
    """What is left: in most cases a word that cannot begin a statement."""
    if trouble.word == "{" and len(trouble.stack) > 1 and isinstance(trouble.stack[-2], EXPRESSIONS):
        return Mistake(
            trouble.span, "`{` must stand on the line of its condition", "move it to the end of the line before"
        )
    if trouble.word == "{":
        return Mistake(trouble.span, "a block needs a condition before it", "write `//` to match every line")
    if trouble.word in ATTRIBUTE_WORDS:
        return Mistake(trouble.span, f"{trouble.shown} belongs to a metric's declaration", "write it on the same line")
    if trouble.word == "after":
        return Mistake(trouble.span, "`after` belongs to `del`", "write it on the same line")
    if BINARY_OPERATOR.fullmatch(trouble.word):
        return Mistake(trouble.span, f"{trouble.shown} cannot begin a line", "end the line before with it")
    if token_type(trouble.top) in {"NEXT", "STOP", "RBRACE"}:
        return Mistake(trouble.span, f"unexpected {trouble.shown} after `{trouble.top}`")
    where = " at the beginning of a statement" if trouble.place is Place.STATEMENT else ""
    return Mistake(trouble.span, f"unexpected {trouble.shown}{where}")


EXPLANATIONS: tuple[Callable[[Trouble], Mistake | None], ...] = (
    explain_open_literal,
    explain_foreign_opening,
    explain_foreign_operator,
    explain_slash_in_pattern,
    explain_foreign_word,
    explain_decode,
    explain_exemplar,
    explain_name,
    explain_character,
    explain_reserved_word,
    explain_call,
    explain_else,
    explain_prefix,
    explain_assignment,
    explain_brackets,
    explain_statement_end,
    explain_after_declaration,
    explain_value_after_value,
    explain_constant,
    explain_missing_part,
    explain_declaration,
    explain_file_end,
    explain_anything,
)
