"""What setup would change: the files that are wanted, compared with those that are there. Pure.

A file belongs to setup as long as it is as setup wrote it last. Any other that is in the way is kept, and named.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from pipeline.installation.manifest import Entry, Manifest, hash_content
from pipeline.installation.plan import PlannedFile

OFFERED_SUFFIX = ".new"
"""Of what is laid beside a file that the operator has edited."""

ASIDE_SUFFIX = ".old"
"""Of what was in the way and is kept."""

Read = Callable[[str], bytes | None]
"""Gives the content at a path; None if nothing is there."""


class Kind(Enum):
    """What is done with a path."""

    SAME = "is as it should be"
    WRITE = "is written"
    REPLACE = "is written anew"
    REMOVE = "is removed"
    FORGET = "is gone already"
    LEAVE = "was edited, and is kept"
    OFFER = f"was edited, and is kept: what is new comes beside it as {OFFERED_SUFFIX}"
    KEEP = "is not as setup wrote it, and is kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done with one path. `new` is None where no file is wanted, `old` where none is."""

    kind: Kind
    path: str
    old: bytes | None
    new: bytes | None
    mode: int = 0o644
    editable: bool = False
    aside: str = ""
    """Where what is there now goes."""
    restored: str = ""
    """What goes to the place of a file that is removed: it was there before."""

    @property
    def is_work(self) -> bool:
        """Whether there is something to do."""
        return self.kind in {Kind.WRITE, Kind.REPLACE, Kind.REMOVE} or bool(self.restored)

    def describe(self) -> str:
        """Return what is done with the path, behind which it stands."""
        aside = f", and what was there goes to {self.aside}" if self.aside else ""
        restored = f", and {self.restored} comes back" if self.restored else ""
        return self.kind.value + aside + restored

    @property
    def is_refused(self) -> bool:
        """Whether something that is wanted is not done."""
        return self.kind is Kind.KEEP and not (self.editable and self.new is None)


def find_changes(wanted: Sequence[PlannedFile], manifest: Manifest, read: Read, *, overwrite: bool) -> list[Change]:
    """Return what is done with each path that is wanted, or that setup wrote before."""
    changes = []
    offers = set()
    for file in wanted:
        change = compare_wanted(file, manifest.files.get(file.path), read, overwrite=overwrite)
        changes.append(change)
        offer = replace(file, path=file.path + OFFERED_SUFFIX)
        if change.kind is Kind.OFFER:
            changes.append(compare_wanted(offer, manifest.files.get(offer.path), read, overwrite=overwrite))
        if change.kind in {Kind.OFFER, Kind.LEAVE}:
            offers.add(offer.path)
    paths = {file.path for file in wanted} | offers
    rest = ((path, entry) for path, entry in sorted(manifest.files.items()) if path not in paths)
    return [*changes, *(compare_unwanted(path, entry, read, overwrite=overwrite) for path, entry in rest)]


def compare_wanted(file: PlannedFile, entry: Entry | None, read: Read, *, overwrite: bool) -> Change:
    """Return what is done with the path of a file that is wanted."""
    new = file.text.encode()
    old = read(file.path)
    change = Change(kind=Kind.WRITE, path=file.path, old=old, new=new, mode=file.mode, editable=file.editable)
    if old is None:
        return change
    if old == new:
        return replace(change, kind=Kind.SAME)
    found = hash_content(old)
    if entry is not None and found in entry.hashes:
        return change
    if overwrite:
        return replace(change, kind=Kind.REPLACE, aside=find_aside(file.path, read))
    if entry is None or found == entry.before_hash or not file.editable:
        return replace(change, kind=Kind.KEEP)
    shown = (entry.offered,) if entry.offered else entry.hashes
    return replace(change, kind=Kind.LEAVE if hash_content(new) in shown else Kind.OFFER)


def compare_unwanted(path: str, entry: Entry, read: Read, *, overwrite: bool) -> Change:
    """Return what is done with the path of a file that setup wrote and that is wanted no more."""
    old = read(path)
    before = read(entry.before) if entry.before else None
    restored = entry.before if before is not None and hash_content(before) == entry.before_hash else ""
    change = Change(kind=Kind.REMOVE, path=path, old=old, new=None, editable=entry.editable, restored=restored)
    if old is None:
        return replace(change, kind=Kind.FORGET)
    found = hash_content(old)
    if found in entry.hashes:
        return change
    if found == entry.before_hash and not restored:
        return replace(change, kind=Kind.FORGET)  # an earlier run ended before it came to this file
    if overwrite:
        return replace(change, aside=find_aside(path, read))
    return replace(change, kind=Kind.KEEP, restored="")


def find_aside(path: str, read: Read) -> str:
    """Return a path beside `path` where nothing is."""
    aside = path + ASIDE_SUFFIX
    number = 1
    while read(aside) is not None:
        number += 1
        aside = f"{path}{ASIDE_SUFFIX}{number}"
    return aside


def prepare_manifest(
    manifest: Manifest, changes: Sequence[Change], folders: Sequence[str], choices: Mapping[str, object]
) -> Manifest:
    """Return the manifest for the time of the run: it knows what is there now and what will be."""
    files = dict(manifest.files)
    for change in changes:
        if change.kind in {Kind.WRITE, Kind.REPLACE} and change.new is not None:
            files[change.path] = record_written(change, files.get(change.path))
    return replace(
        manifest,
        files=files,
        folders=tuple(dict.fromkeys((*manifest.folders, *folders))),
        choices=manifest.choices or choices,
    )


def finish_manifest(
    manifest: Manifest, changes: Sequence[Change], version: str, choices: Mapping[str, object]
) -> Manifest:
    """Return the manifest for after the run; `manifest` is that for its time."""
    files = dict(manifest.files)
    for change in changes:
        known = files.get(change.path)
        if change.kind in {Kind.REMOVE, Kind.FORGET}:
            files.pop(change.path, None)
        elif known is not None and change.new is not None:
            found = hash_content(change.new)
            if change.kind in {Kind.WRITE, Kind.REPLACE, Kind.SAME}:
                files[change.path] = replace(known, hashes=(found,), editable=change.editable, offered="")
            elif change.kind is Kind.OFFER:
                files[change.path] = replace(known, offered=found)
    return replace(manifest, files=files, version=version, choices=choices)


def record_written(change: Change, known: Entry | None) -> Entry:
    """Return the entry of a file while it is written; what was there before setup first came is remembered."""
    assert change.new is not None
    new = hash_content(change.new)
    entry = known or Entry(hashes=())
    entry = replace(entry, hashes=tuple(dict.fromkeys((new, *entry.hashes))), editable=change.editable)
    if change.aside and change.old is not None and (known is None or hash_content(change.old) == known.before_hash):
        return replace(entry, before=change.aside, before_hash=hash_content(change.old))
    return entry


def describe_difference(change: Change) -> Iterator[str]:
    """Yield the lines of a unified diff from what is there to what is wanted."""
    path = change.path
    yield from difflib.unified_diff(
        split_text(change.old),
        split_text(change.new),
        fromfile="/dev/null" if change.old is None else path,
        tofile="/dev/null" if change.new is None else path,
        lineterm="",
    )


def split_text(content: bytes | None) -> list[str]:
    """Return the lines of a content; what is not UTF-8 is shown as U+FFFD."""
    return [] if content is None else content.decode("utf-8", "replace").splitlines()
