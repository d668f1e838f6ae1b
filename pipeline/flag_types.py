"""The types of flags: how a value is spelled on a command line, in the environment and in a file of settings.

Numbers, Booleans and durations are spelled as mtail's, which are Go's.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import Path

import click

from pipeline.push_settings import NO_GROUPING
from pipeline.settings import parse_duration

BOOLEAN_WORDS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
MAX_INTEGER = 2**63 - 1


class FlagType(click.ParamType[object]):
    """A type of flags. `config_types` are the TOML types that a file of settings may use for it."""

    config_types: tuple[type, ...] = (str,)
    is_secret = False
    """Values of it stand in no log and in no message."""
    metavar = ""
    expectation = ""

    @abstractmethod
    def parse(self, text: str) -> object:
        """Return what `text` spells; `ValueError` if it spells nothing."""

    def spell(self, value: object) -> str:
        """Return the text that spells `value`, for help."""
        return str(value)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Parse text; anything else was parsed before (a default, a value from a file)."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f"{value!r} is not {self.expectation}.", param, ctx)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Take the whole variable as one value; a comma, not a blank, parts it further."""
        return [rv]


class TextType(FlagType):
    """Any text."""

    name = "text"
    metavar = "TEXT"
    expectation = "a text"

    def parse(self, text: str) -> object:
        """Return `text`."""
        return text


class AccountType(FlagType):
    """A user or a group, by name or number."""

    name = "account"
    metavar = "NAME"
    expectation = "a name or a number"
    config_types = (str, int)

    def parse(self, text: str) -> object:
        """Return `text`; whether there is such a one is found out later."""
        return text

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Take a number of a file of settings for its text."""
        return super().convert(str(value) if isinstance(value, int) else value, param, ctx)


class PathType(FlagType):
    """A path; it need not exist."""

    name = "path"
    metavar = "PATH"
    expectation = "a path"

    def parse(self, text: str) -> object:
        """Return the path; an empty one or one with a NUL names nothing."""
        if not text or "\0" in text:
            raise ValueError(text)
        return Path(text)


class BooleanType(FlagType):
    """True or false."""

    name = "boolean"
    metavar = "BOOLEAN"
    expectation = "a Boolean: write true or false"
    config_types = (bool,)

    def parse(self, text: str) -> object:
        """Return the Boolean that Go's ParseBool reads."""
        if text not in BOOLEAN_WORDS:
            raise ValueError(text)
        return BOOLEAN_WORDS[text]

    def spell(self, value: object) -> str:
        """Return it in lower case."""
        return str(value).lower()


class IntegerType(FlagType):
    """A whole number, decimal, `0x…`, `0o…`, `0b…` or octal with a leading 0."""

    name = "integer"
    metavar = "N"
    expectation = "a whole number"
    config_types = (int,)

    def parse(self, text: str) -> object:
        """Return the number."""
        octal = re.fullmatch(r"([+-]?)0_?([0-7_]+)", text)
        number = int(octal[1] + octal[2], 8) if octal else int(text.strip(), 0)
        if abs(number) > MAX_INTEGER:
            raise ValueError(text)
        return number


class DurationType(FlagType):
    """A Go duration, as seconds."""

    name = "duration"
    metavar = "DURATION"
    expectation = "a duration: write for example 250ms, 10s or 1h30m"

    def parse(self, text: str) -> object:
        """Return the seconds."""
        return parse_duration(text)

    def spell(self, value: object) -> str:
        """Return it in the largest unit that gives a whole number."""
        seconds = float(str(value))
        for unit, size in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
            if seconds >= size and seconds % size == 0:
                return f"{seconds / size:.0f}{unit}"
        return f"{seconds * 1000:g}ms"


class ModeType(FlagType):
    """The permissions of a file, in octal."""

    name = "mode"
    metavar = "MODE"
    expectation = "a mode: write it in octal, for example 0660"
    config_types = (str, int)

    def parse(self, text: str) -> object:
        """Return the mode."""
        if not re.fullmatch(r"(0o)?[0-7]{1,4}", text):
            raise ValueError(text)
        return int(text.removeprefix("0o"), 8)

    def spell(self, value: object) -> str:
        """Return it in octal, with the leading zero that chmod(1) users know."""
        return f"{value:04o}"


class SourcesType(FlagType):
    """Comma-separated sources, as a tuple; in a file of settings an array, where a comma is a comma."""

    name = "sources"
    metavar = "SOURCE"
    expectation = "a source"
    config_types: tuple[type, ...] = (str, list)

    def parse(self, text: str) -> object:
        """Return the items of one value; empty ones are left out."""
        return tuple(self.parse_item(part) for part in text.split(",") if part)

    def parse_item(self, text: str) -> object:
        """Return what one item spells; `ValueError` if it spells nothing."""
        if not text or "\0" in text:
            raise ValueError(text)
        return text


class NamesType(SourcesType):
    """Comma-separated names, as a tuple; in a file of settings an array too."""

    name = "names"
    metavar = "NAME"
    expectation = "a name"


class BindingsType(SourcesType):
    """Comma-separated pairs `PROGRAM=SOURCE`; in a file of settings a table of sources by programs, or an array."""

    name = "bindings"
    metavar = "PROGRAM=SOURCE"
    expectation = "a program and a source: write PROGRAM=SOURCE"
    config_types = (str, list, dict)

    def parse_item(self, text: str) -> object:
        """Return a pair of a program and a source."""
        program, _, source = text.partition("=")
        if not program or not source or "\0" in text:
            raise ValueError(text)
        return program, source


class LabelsType(SourcesType):
    """Comma-separated pairs `NAME=VALUE`; in a file of settings an array of them too."""

    name = "labels"
    metavar = "NAME=VALUE"
    expectation = "a label: write NAME=VALUE"

    def parse_item(self, text: str) -> object:
        """Return a pair of a name and a value."""
        name, _, value = text.partition("=")
        if not name or not value:
            raise ValueError(text)
        return name, value


class FieldsType(SourcesType):
    """One pair `NAME=VALUE`, whose value may have commas; in a file of settings an array of them too."""

    name = "fields"
    metavar = "NAME=VALUE"
    expectation = "a field: write NAME=VALUE"

    def parse(self, text: str) -> object:
        """Return the pair, as the only one."""
        return (self.parse_item(text),)

    def parse_item(self, text: str) -> object:
        """Return a pair of a name and a value, which may be empty."""
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ValueError(text)
        return name, value


class HeadersType(LabelsType):
    """Comma-separated headers `NAME=VALUE`. They are secrets: what is wrong with one is told by its settings class."""

    name = "headers"
    expectation = "a header: write NAME=VALUE"
    is_secret = True

    def parse_item(self, text: str) -> object:
        """Return a pair of a name and a value, whatever they are."""
        name, _, value = text.partition("=")
        return name.strip(), value.strip()


class GroupingType(SourcesType):
    """Comma-separated pairs `NAME=VALUE`, kept as texts, or `none`; in a file of settings an array of them too."""

    name = "grouping"
    metavar = "NAME=VALUE"
    expectation = "a label: write NAME=VALUE, or none"

    def parse_item(self, text: str) -> object:
        """Return the text, whose value may be empty."""
        name, equals, _ = text.partition("=")
        if text != NO_GROUPING and not (name and equals):
            raise ValueError(text)
        return text


class LifetimesType(SourcesType):
    """Comma-separated pairs `METRIC=DURATION`; in a file of settings an array of them too."""

    name = "lifetimes"
    metavar = "METRIC=DURATION"
    expectation = "a metric and a duration: write for example session_*=24h"

    def parse_item(self, text: str) -> object:
        """Return a pair of a name or a pattern, and seconds."""
        metric, _, duration = text.rpartition("=")
        if not metric:
            raise ValueError(text)
        return metric, parse_duration(duration)


class ChoiceType(FlagType):
    """One of a few words."""

    name = "choice"

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.metavar = "|".join(words)
        self.expectation = "one of " + ", ".join(words)

    def parse(self, text: str) -> object:
        """Return the word."""
        if text not in self.words:
            raise ValueError(text)
        return text


TEXT = TextType()
ACCOUNT = AccountType()
PATH = PathType()
BOOLEAN = BooleanType()
INTEGER = IntegerType()
DURATION = DurationType()
MODE = ModeType()
SOURCES = SourcesType()
NAMES = NamesType()
BINDINGS = BindingsType()
LABELS = LabelsType()
FIELDS = FieldsType()
LIFETIMES = LifetimesType()
HEADERS = HeadersType()
GROUPING = GroupingType()


def one_of(words: tuple[str, ...]) -> ChoiceType:
    """Return the type of a flag that takes one of `words`."""
    return ChoiceType(words)
