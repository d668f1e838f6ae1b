"""The builtin functions: a row each, with its parameters, its result and what it does.

A builtin is a function of `support` of the same name, called with its arguments converted to the
types of its parameters, unless its row says `special`: then the compiler writes the code itself,
because the function depends on more than its arguments (the pattern that was tried, the time
register, the type of an argument).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipeline.language.types import Type


class Parameter(Enum):
    """What a parameter takes; the value is how a signature shows it."""

    STRING = "text"
    EXACT_STRING = "string"
    INT = "number"
    ANY = "value"
    GROUP = "$group"
    LAYOUT = '"layout"'
    TEXT_OR_PATTERN = "text or pattern"


@dataclass(frozen=True, slots=True)
class Builtin:
    """One function of the language (spec section 9)."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    summary: str
    special: bool = False

    @property
    def signature(self) -> str:
        """The call as documents and messages show it."""
        return f"{self.name}({', '.join(parameter.value for parameter in self.parameters)})"


BUILTINS = {
    builtin.name: builtin
    for builtin in (
        Builtin(
            "bool",
            (Parameter.ANY,),
            Type.BOOL,
            "Takes the value as a condition: a number holds unless it is 0.",
            special=True,
        ),
        Builtin(
            "defined",
            (Parameter.GROUP,),
            Type.BOOL,
            "Whether the capture group took part in the match of its pattern, or the field is there.",
            special=True,
        ),
        Builtin("float", (Parameter.ANY,), Type.FLOAT, "The value as a Float; text is parsed.", special=True),
        Builtin(
            "getfilename", (), Type.STRING, "The origin of the line: a path, or the URL of a socket.", special=True
        ),
        Builtin("int", (Parameter.ANY,), Type.INT, "The value as an Int; text is parsed.", special=True),
        Builtin("len", (Parameter.STRING,), Type.INT, "The number of bytes of the text."),
        Builtin(
            "settime",
            (Parameter.INT,),
            Type.NONE,
            "Sets the time of everything that follows on this line, in seconds since 1970.",
            special=True,
        ),
        Builtin("string", (Parameter.ANY,), Type.STRING, "The value as text.", special=True),
        Builtin(
            "strptime",
            (Parameter.STRING, Parameter.LAYOUT),
            Type.NONE,
            "Parses the text by the layout and sets the time of everything that follows on this line.",
            special=True,
        ),
        Builtin(
            "strtol",
            (Parameter.STRING, Parameter.INT),
            Type.INT,
            "The integer that the text spells in the base (2 to 36).",
        ),
        Builtin(
            "subst",
            (Parameter.TEXT_OR_PATTERN, Parameter.STRING, Parameter.STRING),
            Type.STRING,
            "The third argument with every occurrence of the first replaced by the second.",
            special=True,
        ),
        Builtin(
            "timestamp",
            (),
            Type.INT,
            "The time that strptime or settime set on this line, else the clock; whole seconds since 1970.",
            special=True,
        ),
        Builtin(
            "tolower",
            (Parameter.EXACT_STRING,),
            Type.STRING,
            "The text with every character mapped to lower case.",
        ),
    )
}
