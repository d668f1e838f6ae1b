"""The tables of `syntax_errors.py`: habits from other languages, and what must follow what.

They apply only where the parser has already given up, so a metric may well be called `if`.
"""

from __future__ import annotations

import re

# Habits: what people write, with a message and a hint -------------------------------------------------

NO_NEGATION = "use `!~` or `!=`, or put the statements into an `else` block"
NESTED_ELSE = "write `else {`, and put the next condition into that block"
NO_LOOPS = "a program runs once for every line, from top to bottom"

# What can begin a line in other languages. What follows it tells it from a metric of that name.
OPENING_WORD = re.compile(
    r"(?:[^\S\n]|\})*(?P<word>else\s+if|elsif|elseif|elif|if|unless|while|foreach|for|not)\b(?=[^\S\n]*[\w\"$(/!~])"
)

OPENING_WORDS = {
    "else if": ("`else` takes a block, not a condition", NESTED_ELSE),
    "elsif": ("there is no `elsif`", NESTED_ELSE),
    "elseif": ("there is no `elseif`", NESTED_ELSE),
    "elif": ("there is no `elif`", NESTED_ELSE),
    "if": ("a condition has no `if` before it", "remove the `if`"),
    "unless": ("there is no `unless`", NO_NEGATION),
    "not": ("there is no `not`", NO_NEGATION),
    "while": ("there is no `while`", NO_LOOPS),
    "foreach": ("there is no `foreach`", NO_LOOPS),
    "for": ("there is no `for`", NO_LOOPS),
}

WORDS = {
    "and": ("there is no operator `and`", "write `&&`"),
    "or": ("there is no operator `or`", "write `||`"),
    "not": ("there is no `not`", NO_NEGATION),
    "is": ("there is no operator `is`", "write `==`"),
}

OPERATOR_RUN = re.compile(r"[-+*/%&|^~!=<>:]+")

# What to write instead; `{0}` stands for the metric before the operator.
OPERATORS = {
    **{f"{sign}=": f"{{0}} = {{0}} {sign} …" for sign in ("-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>")},
    ":=": "=",
    "===": "==",
    "!==": "!=",
    "<>": "!=",
    "=>": ">=",
    "=<": "<=",
    "=!": "!=",
    "~=": "=~",
    "~~": "=~",
}

CHARACTERS = {
    ";": ("unexpected `;`", "remove it: a statement ends with its line"),
    "'": ("text is written in double quotes", 'write `"…"`'),
    "`": ("text is written in double quotes", 'write `"…"`'),
    "?": ("there is no operator `? :`", "write a condition with an `else` block"),
    ":": ("unexpected `:`", ""),
    "!": ("there is no operator `!`", NO_NEGATION),
    "\\": ("unexpected `\\`", "to continue on the next line, end this one with an operator"),
    "_": ("a name cannot begin with `_`", "begin it with a letter"),
}

# What must follow what, by the type of the token ------------------------------------------------------

ATTRIBUTE_WORDS = ("by", "as", "buckets", "limit", "help", "unit")
DESCRIBING_WORDS = frozenset({"help", "unit"})
"""Attributes whose words are names where no text in quotes follows."""
KINDS = ("counter", "gauge", "timer", "text", "histogram")

# What each token must be followed by.
EXPECTED = {
    "HIDDEN": "a kind of metric",
    "KIND": "a name",
    "BY": "a label name",
    "AS": "a name in quotes",
    "BUCKETS": "a number",
    "LIMIT": "an integer",
    "DEF": "a name",
    "CONST": "a name",
    "DECORATOR": "`{`",
    "OTHERWISE": "`{`",
    "BEGIN": "`{`",
    "ELSE": "`{`",
    "DEL": "a metric",
    "AFTER": "a duration such as `1h30m`",
    "LOG_FILTER": "a name",
    "BUILTIN": "`(`",
}
EXPECTED_AFTER_NAME = {"CONST": "a pattern", "DEF": "`{`"}
EXPECTED_AFTER_COMMA = {
    "BY": "another label name",
    "BUCKETS": "another number",
    "LOG_FILTER": "another name",
    "EXEMPLAR": "another label",
}

NAMED_THINGS = {
    "KIND": "a metric's name",
    "BY": "a label's name",
    "DEF": "a decorator's name",
    "CONST": "a constant's name",
    "LOG_FILTER": "a log's name without quotes",
    "EXEMPLAR": "a label's name",
}

PATTERN_FLAGS = re.compile(r"[gimsUux]+")
STARTS_VALUE = re.compile(r'[\w"$(~/@]')

BINARY_OPERATOR = re.compile(r"&&|\|\||=~|!~|[<>=!]=|[-+*%<>&|^]|\*\*")
SIGNS = frozenset('+-*/%&|^~!=<>{}()[],.$@"')
CLOSING = {"(": ")", "[": "]", "{": "}"}
OPENING = {")": "(", "]": "[", "}": "{"}
