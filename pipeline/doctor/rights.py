"""Who may do what with a file, by its mode, owner and group, and those of the folders on the way to it."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
from dataclasses import dataclass
from pathlib import Path

READ, WRITE, SEARCH = os.R_OK, os.W_OK, os.X_OK
VERBS = {READ: "read", WRITE: "write to", SEARCH: "enter", READ | WRITE: "read and write to"}

FIRST_ORDINARY_UID = 1000

ACCESS_LIST = "system.posix_acl_access"
"""Where a file keeps its access control list, if it has one (acl(5))."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with all groups."""

    uid: int
    groups: frozenset[int]

    @property
    def name(self) -> str:
        """The name, or the number if there is no name."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def is_ordinary(self) -> bool:
        """Whether it is that of a person, rather than the system's (as Debian and others number them)."""
        return self.uid >= FIRST_ORDINARY_UID

    @property
    def main_group(self) -> str:
        """The name of the group that its own files have."""
        try:
            return name_group(pwd.getpwuid(self.uid).pw_gid)
        except KeyError:
            return name_group(min(self.groups, default=self.uid))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an account may not do something: `path` is the file, or a folder on the way to it."""

    account: Account
    path: Path
    wanted: int

    @property
    def sentence(self) -> str:
        """What the account may not do, with the mode, owner and group that say so."""
        return f"The user {self.account.name} may not {VERBS[self.wanted]} {self.path} ({describe_mode(self.path)})."

    @property
    def mend(self) -> tuple[str, ...]:
        """The command that lets the account do it."""
        status = self.path.stat()
        path = shlex.quote(str(self.path))
        letters = "".join(letter for bit, letter in ((READ, "r"), (WRITE, "w"), (SEARCH, "x")) if self.wanted & bit)
        if self.wanted == SEARCH:
            return (f"chmod o+x {path}",)
        if status.st_gid and (status.st_mode >> 3) & self.wanted == self.wanted:
            return (f"usermod --append --groups {name_group(status.st_gid)} {self.account.name}",)
        if status.st_gid in self.account.groups:
            return (f"chmod g+{letters} {path}",)
        return (f"chgrp {self.account.main_group} {path} && chmod g+{letters} {path}",)


def find_account(name: str) -> Account | None:
    """Return the user of this name or number, None if there is no such user."""
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def find_obstacle(account: Account, path: Path, wanted: int) -> Obstacle | None:
    """Return what keeps `account` from using `path` in the ways `wanted`; None if nothing does. It must exist.

    An access control list on the file is not looked into: it is taken for one that lets the account pass.
    """
    if account.uid == 0:
        return None
    real = Path(os.path.realpath(path))
    for folder in reversed(real.parents):
        if not allows(account, folder, SEARCH):
            return Obstacle(account, folder, SEARCH)
    return None if allows(account, real, wanted) else Obstacle(account, real, wanted)


def allows(account: Account, path: Path, wanted: int) -> bool:
    """Return whether the mode of one file lets `account` use it so; of the three parts only one counts."""
    status = path.stat()
    if status.st_uid == account.uid:
        granted = status.st_mode >> 6
    elif status.st_gid in account.groups:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted or has_access_list(path)


def has_access_list(path: Path) -> bool:
    """Return whether a file has an access control list beside its mode."""
    try:
        return ACCESS_LIST in os.listxattr(path)
    except OSError:
        return False


def describe_mode(path: Path) -> str:
    """Return mode, owner and group of a file, as `ls` shows them."""
    status = path.stat()
    owner = Account(status.st_uid, frozenset()).name
    return f"mode {status.st_mode & 0o7777:04o}, owner {owner}, group {name_group(status.st_gid)}"


def name_group(gid: int) -> str:
    """Return the name of a group, or its number if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
