"""A tree of files in which setup writes: the machine's own, that of an image, or a folder for a look.

The manifest goes first and last, each file is renamed into its place, and nothing is followed that is a symbolic link:
in the tree of an image it would lead out of it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pipeline.errors import InstallationError, describe_os_error
from pipeline.installation.changes import Change, Kind, finish_manifest, prepare_manifest
from pipeline.installation.manifest import MANIFEST_PATH, Manifest, is_plain, parse_manifest, render_manifest

UNFINISHED_SUFFIX = ".setup-part"
"""Of a file that is being written. What an earlier run left under such a name is replaced."""

MAX_FILE_BYTES = 16 * 1024 * 1024
"""No configuration is larger; a device or a log by mistake must not fill the memory."""

FOLDER_MODE = 0o755


class Place:
    """The files below `base`, by the paths that they have on the machine."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def find(self, path: str) -> Path:
        """Return where a path of the machine is.

        Raises:
            InstallationError: it would be elsewhere than below the base.
        """
        if not is_plain(path):
            raise InstallationError(f"{path!r} is no place for a file of setup: it may lead out of {self.base}.")
        return self.base / path.lstrip("/")

    def read(self, path: str) -> bytes | None:
        """Return what is at `path`; None if nothing is.

        Raises:
            InstallationError: it cannot be read, or is something else than a file in plain folders.
        """
        place = self.find(path)
        try:
            self.check_parents(path)
            status = place.lstat()
            if stat.S_ISLNK(status.st_mode):
                raise InstallationError(f"{place} is a symbolic link to {place.readlink()}, and setup follows none.")
            if not stat.S_ISREG(status.st_mode):
                raise InstallationError(f"{place} is in the way: it is not a file.")
            if status.st_size > MAX_FILE_BYTES:
                raise InstallationError(f"{place} is in the way: it is larger than any configuration.")
            return place.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InstallationError(f"{place} cannot be read: {describe_os_error(error)}.") from error

    def is_missing(self, path: str) -> bool:
        """Whether nothing is at `path`. Where we may not look there may be something."""
        try:
            self.find(path).stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def check_parents(self, path: str) -> None:
        """Raise `InstallationError` unless each folder above `path` is one, or is not there yet."""
        for folder in list_parents(path):
            place = self.find(folder)
            if place.is_symlink():
                raise InstallationError(f"{place} is a symbolic link to {place.readlink()}, and setup follows none.")
            if place.exists() and not place.is_dir():
                raise InstallationError(f"{place} is in the way: it is not a folder.")

    def check_unchanged(self, changes: Sequence[Change]) -> None:
        """Raise `InstallationError` unless all is still as it was when the changes were found."""
        for change in changes:
            if self.read(change.path) != change.old:
                raise InstallationError(f"{self.find(change.path)} has just been changed: run setup again.")

    def read_manifest(self) -> Manifest:
        """Return what setup wrote here before."""
        content = self.read(str(MANIFEST_PATH))
        return Manifest() if content is None else parse_manifest(content)

    def make_changes(
        self, manifest: Manifest, changes: Sequence[Change], version: str, choices: Mapping[str, object]
    ) -> None:
        """Do what the changes say, and keep the manifest up to date.

        Raises:
            InstallationError: something cannot be written. What was done until then is in the manifest.
        """
        written = [change.path for change in changes if change.kind in {Kind.WRITE, Kind.REPLACE}]
        folders = self.find_missing_folders([str(MANIFEST_PATH), *written])
        during = prepare_manifest(manifest, changes, folders, choices)
        after = finish_manifest(during, changes, version, choices)
        if after == manifest and not any(change.is_work for change in changes):
            return
        try:
            self.write(str(MANIFEST_PATH), render_manifest(during), 0o644)
            for change in changes:
                self.make_change(change)
            self.write(str(MANIFEST_PATH), render_manifest(after), 0o644)
        except OSError as error:
            raise InstallationError(describe_failure(error, self.base)) from error

    def take_away(self, manifest: Manifest, changes: Sequence[Change]) -> list[str]:
        """Remove what the changes say, and then the folders that setup made; return those that are not empty.

        Raises:
            InstallationError: something cannot be removed.
        """
        try:
            for change in changes:
                self.make_change(change)
            after = finish_manifest(manifest, changes, manifest.version, manifest.choices)
            if after.files:
                self.write(str(MANIFEST_PATH), render_manifest(after), 0o644)
                return []
            # The manifest's own folder goes last, so that a run that ends in the middle can be completed.
            own = set(list_parents(str(MANIFEST_PATH)))
            folders = sorted(manifest.folders, reverse=True)
            left = [folder for folder in folders if folder not in own and not self.remove_folder(folder)]
            self.find(str(MANIFEST_PATH)).unlink(missing_ok=True)
            return left + [folder for folder in folders if folder in own and not self.remove_folder(folder)]
        except OSError as error:
            raise InstallationError(describe_failure(error, self.base)) from error

    def make_change(self, change: Change) -> None:
        """Do what one change says."""
        place = self.find(change.path)
        if change.aside:
            place.rename(self.find(change.aside))
        if change.kind in {Kind.WRITE, Kind.REPLACE} and change.new is not None:
            self.write(change.path, change.new, change.mode)
        elif change.restored:
            self.find(change.restored).replace(place)
        elif change.kind is Kind.REMOVE and not change.aside:
            place.unlink()

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Put a content at `path`, whole or not at all."""
        place = self.find(path)
        self.base.mkdir(parents=True, exist_ok=True)
        for folder in reversed(list_parents(path)):
            if not self.find(folder).exists():
                self.find(folder).mkdir()
                self.find(folder).chmod(FOLDER_MODE)  # whatever the umask: the daemon's user reads what is in it
        part = place.with_name(place.name + UNFINISHED_SUFFIX)
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            part.replace(place)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def find_missing_folders(self, paths: Sequence[str]) -> list[str]:
        """Return the folders above `paths` that are not there, the outermost first."""
        parents = dict.fromkeys(folder for path in paths for folder in reversed(list_parents(path)))
        return [folder for folder in parents if not self.find(folder).exists()]

    def remove_folder(self, folder: str) -> bool:
        """Remove a folder if it is empty; return whether it is gone."""
        place = self.find(folder)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
        return not place.exists()


@contextmanager
def holding(base: Path) -> Iterator[None]:
    """Keep other runs of setup from `base` while the block runs: two would not know of each other's files.

    Raises:
        InstallationError: another one is at work.
    """
    try:
        descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # it is not there yet, or is named when it is looked into
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InstallationError(f"Another setup is at work below {base}: wait until it has ended.") from error
        yield
    finally:
        os.close(descriptor)


def list_parents(path: str) -> list[str]:
    """Return the folders above a path of the machine, without `/`, the innermost first."""
    return [str(folder) for folder in PurePosixPath(path).parents][:-1]


def describe_failure(error: OSError, base: Path) -> str:
    """Return the sentence for what could not be written."""
    return f"{error.filename or base} cannot be written: {describe_os_error(error)}."
