"""Who may use a pipe or a unix socket that we make: its mode, owner and group."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.settings import SourceSettings

DEFAULT_MODE = 0o660
"""Its owner and its group may use it, a stranger may not."""

KEEP = -1
"""Instead of a number: as the file has it."""

MAX_NUMBER = 2**32 - 2
"""The largest number of an owner or group; the one above it is `KEEP`."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """`owner` and `group` are numbers."""

    mode: int = DEFAULT_MODE
    owner: int = KEEP
    group: int = KEEP

    @classmethod
    def of(cls, settings: SourceSettings) -> Ownership:
        """Return what the flags say of pipes and sockets for lines; raises `SettingError`."""
        return cls(settings.source_mode, find_owner(settings.source_owner), find_group(settings.source_group))

    def apply(self, path: Path) -> None:
        """Give the file at `path`, which we made, its owner, group and mode. When that fails it is removed."""
        try:
            if (self.owner, self.group) != (KEEP, KEEP):
                os.chown(path, self.owner, self.group)
            path.chmod(self.mode)
        except OSError:
            path.unlink()
            raise


def find_owner(name: str) -> int:
    """Return the number of a user given by name or number; `KEEP` for an empty name."""
    return find_number(name, "user", lambda known: pwd.getpwnam(known).pw_uid)


def find_group(name: str) -> int:
    """Return the number of a group given by name or number; `KEEP` for an empty name."""
    return find_number(name, "group", lambda known: grp.getgrnam(known).gr_gid)


def find_number(name: str, kind: str, find: Callable[[str], int]) -> int:
    """Return the number that `name` is or that `find` knows for it."""
    if not name:
        return KEEP
    if name.isdecimal() and int(name) <= MAX_NUMBER:
        return int(name)
    try:
        return find(name)
    except KeyError as error:
        raise SettingError(f"There is no {kind} {name!r}.") from error
