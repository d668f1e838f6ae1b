r"""Patterns of paths, as Go's `filepath.Match` reads them, and mtail with it (behaviour.md 2.1).

`*` is any text and `?` any character, but for `/`; `[a-z]` and `[^a-z]` are sets; a backslash takes the next
character as it is. A leading dot is a character like others, and there is no `**`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import SettingError

WILDCARD = re.compile(r"[*?\[\\]")

CHAR = r"(?:\\.|[^\\\]-])"
RANGE = re.compile(rf"({CHAR})(?:-({CHAR}))?", re.DOTALL)
TOKEN = re.compile(
    rf"(?P<any>\*)|(?P<one>\?)|(?P<char>\\.|[^\[\\])|\[(?P<negation>\^?+)(?P<ranges>(?:{CHAR}(?:-{CHAR})?)+)\]",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two slashes: a name, or the pattern of one."""

    text: str
    regex: re.Pattern[str] | None = None

    def matches(self, name: str) -> bool:
        """Return whether it matches a whole name."""
        return name == self.text if self.regex is None else self.regex.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class PathPattern:
    """An absolute path, or the pattern of such."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def of_path(cls, path: str) -> PathPattern:
        """Return the pattern that matches `path` and nothing else, whatever characters it has."""
        return cls(path, tuple(map(Segment, split_path(path))))

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Return the pattern that `text` spells; raises `SettingError`."""
        return cls(text, tuple(parse_segment(part, text) for part in split_path(text)))

    @property
    def is_path(self) -> bool:
        """Whether it matches one path only."""
        return all(segment.regex is None for segment in self.segments)

    def matches(self, path: str) -> bool:
        """Return whether it matches `path`."""
        return self.covers(path) and path.count("/") == len(self.segments)

    def covers(self, path: str) -> bool:
        """Return whether it matches `path`, or what lies below `path` may match."""
        names = split_path(path)
        return len(names) <= len(self.segments) and all(
            segment.matches(name) for segment, name in zip(self.segments, names, strict=False)
        )


def has_wildcard(text: str) -> bool:
    """Return whether `text` is more than a path."""
    return WILDCARD.search(text) is not None


def split_path(path: str) -> list[str]:
    """Return the names in an absolute, clean path."""
    return path.split("/")[1:]


def parse_segment(text: str, whole: str) -> Segment:
    """Return one part of the pattern `whole`."""
    if not has_wildcard(text):
        return Segment(text)
    regex, end = "", 0
    while end < len(text):
        token = TOKEN.match(text, end)
        if token is None:
            raise SettingError(f"The source {whole!r} is no pattern: {text[end:]!r} in it is not complete.")
        regex += translate(token, whole)
        end = token.end()
    return Segment(text, re.compile(regex, re.DOTALL))


def translate(token: re.Match[str], whole: str) -> str:
    """Return the regular expression for one piece of a pattern."""
    if token["any"]:
        return ".*"
    if token["one"]:
        return "."
    if token["char"]:
        return re.escape(token["char"][-1])
    ranges = "".join(translate_range(low[-1], (high or low)[-1], whole) for low, high in RANGE.findall(token["ranges"]))
    return f"[{token['negation']}{ranges}]"


def translate_range(low: str, high: str, whole: str) -> str:
    """Return one range of a set."""
    if high < low:
        raise SettingError(f"The source {whole!r} is no pattern: the set in it has nothing from {low!r} to {high!r}.")
    return f"{re.escape(low)}-{re.escape(high)}"
