"""What a pattern matches at present."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pipeline.sources.files.pattern import PathPattern, Segment


@dataclass(slots=True)
class Expansion:
    """The result of one look. A path without wildcards is among `paths` whether anything is there or not."""

    paths: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    """Those in which what matches may come and go."""
    failures: list[tuple[str, OSError]] = field(default_factory=list)
    """Folders that could not be listed."""


def expand(pattern: PathPattern) -> Expansion:
    """Look at what `pattern` matches, in the order of names."""
    expansion = Expansion(paths=[""])
    last = len(pattern.segments) - 1
    for depth, segment in enumerate(pattern.segments):
        bases, expansion.paths = expansion.paths, []
        if segment.regex is not None or depth == last:
            expansion.folders.update(base or "/" for base in bases)
        for base in bases:
            names = list_names(expansion, base or "/", segment, folders_only=depth < last)
            expansion.paths.extend(f"{base}/{name}" for name in names)
    return expansion


def list_names(expansion: Expansion, folder: str, segment: Segment, *, folders_only: bool) -> list[str]:
    """Return the names in `folder` that `segment` matches."""
    if segment.regex is None:
        return [segment.text]
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name for entry in entries if segment.matches(entry.name) and not (folders_only and is_file(entry))
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        expansion.failures.append((folder, error))
        return []


def is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether nothing can lie below it."""
    return not entry.is_dir() and not entry.is_symlink()
