"""Which program sees which source: the pairs of `--bind`, matched with the names of both.

A program that has a binding sees the sources that its bindings name, and no others. One that has none
sees everything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.program_files import SUFFIX

NAMES_OF_STDIN = ("-", "/dev/stdin")

SCHEMES_OF_PATHS = ("unix://", "unixgram://")
"""Sources whose name ends in an absolute path."""

WILDCARD = re.compile(r"[*?\[\\]")


def read_nothing(_item: str) -> Collection[bytes]:
    """Return no origins."""
    return ()


class Bindings:
    """Decides what a program may see.

    `read_origins` returns what comes from an item of `--logs`, as it is written there.

    Patterns are those of fnmatch(3) without flags: `*` stands for a slash too.
    """

    def __init__(
        self, pairs: Sequence[tuple[str, str]] = (), read_origins: Callable[[str], Collection[bytes]] = read_nothing
    ) -> None:
        self.pairs = pairs
        self.read_origins = read_origins
        self.forms = {source: spell_source(source) for _, source in pairs}

    def admit(self, program: str, origin: bytes) -> bool:
        """Return whether the program of this file name may see lines from `origin`."""
        sources = self.find_sources(program)
        return not sources or any(self.covers(source, origin) for source in sources)

    def find_sources(self, program: str) -> tuple[str, ...]:
        """Return the sources that a program is bound to, as they were written; none if it may see everything."""
        return tuple(source for name, source in self.pairs if names_program(name, program))

    def covers(self, source: str, origin: bytes) -> bool:
        """Return whether what a binding calls `source` is the source of `origin`."""
        name = os.fsdecode(origin)
        return any(fnmatchcase(name, form) for form in self.forms[source]) or origin in self.read_origins(source)

    def describe_unmatched(self, programs: Collection[str], sources: Collection[str]) -> list[str]:
        """Return a sentence for each side of a binding that names none of these; names of sources may be patterns."""
        return [
            *(
                f"The binding of {program} to {source} does nothing: no program is called {program}."
                f"{suggest(program, [form for name in programs for form in (name, name.removesuffix(SUFFIX))])}"
                " Programs are looked for again at a reload."
                for program, source in self.pairs
                if not any(names_program(program, name) for name in programs)
            ),
            *(
                f"The binding of {program} to {source} lets no line through: nothing that --logs names is called"
                f" {source}.{suggest(source, sources)} It stays so until the next start."
                for program, source in self.pairs
                if source not in sources
                and not any(may_be(form, name) for form in self.forms[source] for name in sources)
            ),
        ]


def names_program(text: str, program: str) -> bool:
    """Return whether `text` is the file name of a program, with or without its ending, or a pattern of it."""
    return fnmatchcase(program, text) or fnmatchcase(program.removesuffix(SUFFIX), text)


def spell_source(text: str) -> tuple[str, ...]:
    """Return the names of sources that an operator may mean: paths are absolute and clean there."""
    if text in NAMES_OF_STDIN:
        return NAMES_OF_STDIN
    for scheme in SCHEMES_OF_PATHS:
        if text.startswith(scheme) and not text.startswith(f"{scheme}@"):
            return text, scheme + clean_path(text.removeprefix(scheme))
    if "://" in text and not text.startswith("file://"):
        return (text,)
    return text, clean_path(text.removeprefix("file://"))


def clean_path(text: str) -> str:
    """Return the absolute path, cleaned of `.` and `..` by its text alone."""
    return os.path.normpath(Path.cwd() / text)


def may_be(text: str, name: str) -> bool:
    """Return whether something that `name` stands for could have the name `text`, either of which may be a pattern.

    Where both are patterns, their beginnings decide: rather no warning than a wrong one.
    """
    if fnmatchcase(name, text):
        return True
    if not WILDCARD.search(name):
        return False
    if not WILDCARD.search(text) and "\\" not in name:
        return fnmatchcase(text, name.replace("[^", "[!"))
    ours, theirs = (WILDCARD.split(pattern, maxsplit=1)[0] for pattern in (text, name))
    return ours.startswith(theirs) or theirs.startswith(ours)


def suggest(name: str, names: Collection[str]) -> str:
    """Return " Did you mean …?" for the one of `names` nearest to `name`, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""
