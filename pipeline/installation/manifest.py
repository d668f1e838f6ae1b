"""What setup wrote on a machine: so that it knows its own files again, and can take them away.

The manifest lies beside the settings. It is written before the files are, with what they were and what they will be,
and once more when they are there: a run that ends in the middle is completed by the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import InstallationError

MANIFEST_PATH = PurePosixPath("/etc/syslog-pipeline/setup.json")

FORMAT = 1
"""Of the manifest. A later one may be read by later versions only."""

DAMAGED = (
    f"{MANIFEST_PATH}, where setup keeps what it wrote, is damaged: restore it, or remove it and with --overwrite let "
    "setup write its files anew."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a file. A hash is that of the whole content."""

    hashes: tuple[str, ...]
    """Of what setup wrote. During a run there are two: before and after."""
    editable: bool = False
    """Whether the operator may change it without setup taking offence."""
    offered: str = ""
    """The hash of what was laid beside it, because it had been edited."""
    before: str = ""
    """The path of what setup put aside, which was there before it."""
    before_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files by their paths, the folders that were made for them, and the choices that led to them."""

    version: str = ""
    choices: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, Entry] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


def hash_content(content: bytes) -> str:
    """Return what a content is known by."""
    return hashlib.sha256(content).hexdigest()


def render_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as it is written."""
    return (json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, sort_keys=True) + "\n").encode()


def is_plain(path: str) -> bool:
    """Whether a path of a machine is absolute and goes down only: it cannot lead out of the tree of an image."""
    return path.startswith("/") and path.isprintable() and ".." not in PurePosixPath(path).parts


def require_plain(path: str) -> str:
    """Return a path that the manifest has. An image and its manifest may come from anybody."""
    if not is_plain(path):
        raise ValueError(path)
    return path


def parse_entry(values: Mapping[str, Any]) -> Entry:
    """Return what the manifest has of a file."""
    entry = Entry(**{**values, "hashes": tuple(values["hashes"])})
    if entry.before:
        require_plain(entry.before)
    return entry


def parse_manifest(content: bytes) -> Manifest:
    """Return the manifest that was written.

    Raises:
        InstallationError: it was not written by setup, or by a later one.
    """
    try:
        table = json.loads(content)
        if table.pop("format") != FORMAT:
            raise InstallationError(f"{MANIFEST_PATH} was written by a later version of syslog-pipeline: use that one.")
        return Manifest(
            version=str(table["version"]),
            choices=dict(table["choices"]),
            files={require_plain(path): parse_entry(values) for path, values in table["files"].items()},
            folders=tuple(map(require_plain, table["folders"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InstallationError(DAMAGED) from error
