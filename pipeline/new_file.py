"""A file that is written beside its place and then renamed: at any time either the old or the new one is there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class NewFile:
    """A file in the making. What it does may wait for the disk, and raise `OSError`."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        """`mode` is what its permissions will be, whatever the umask says. At first they are those of the default."""
        self.path = path
        self.mode = mode
        self.new = path.with_name(path.name + ".new")
        self.descriptor: int | None = None

    def create(self) -> None:
        """Make it, empty, for nobody else to read. What an earlier run has left half done is replaced."""
        self.new.unlink(missing_ok=True)
        self.descriptor = os.open(self.new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        assert self.descriptor is not None, "create() comes first"
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def put_in_place(self) -> None:
        """Bring it to the disk, then to its place, and that to the disk too."""
        assert self.descriptor is not None, "create() comes first"
        os.fchmod(self.descriptor, self.mode)
        os.fsync(self.descriptor)
        self.close()
        self.new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            self.new.unlink()

    def close(self) -> None:
        if self.descriptor is not None:
            descriptor, self.descriptor = self.descriptor, None
            os.close(descriptor)
