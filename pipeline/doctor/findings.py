"""What a check finds: how it is, why that matters, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MAX_SENTENCE = 500
"""Enough for a sentence with a path or two; what a program has said may be longer."""


class State(Enum):
    """How something is. The value is the word for it."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence that says what is; where that is not obvious, why it matters; and what to type to mend it."""

    state: State
    what: str
    why: str = ""
    mend: tuple[str, ...] = ()
    cause: str = ""
    """The title of the check that names the cause, where something was not checked for it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", make_printable(self.what)[:MAX_SENTENCE])
        object.__setattr__(self, "why", make_printable(self.why)[:MAX_SENTENCE])
        object.__setattr__(self, "mend", tuple(map(make_printable, self.mend)))


def make_printable(text: str) -> str:
    """Return `text` with what a terminal would obey escaped: names of files and processes may be anybody's."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def approve(what: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(State.OK, what)


def warn(what: str, why: str = "", *mend: str) -> Finding:
    """Return that something works, but is not as it should be."""
    return Finding(State.WARNING, what, why, mend)


def fail(what: str, why: str = "", *mend: str) -> Finding:
    """Return that something is wrong."""
    return Finding(State.FAILURE, what, why, mend)


def skip(reason: str, *mend: str) -> Finding:
    """Return that something was not checked; `reason` is a sentence."""
    return Finding(State.SKIPPED, reason, "", mend)
