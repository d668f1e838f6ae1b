"""Who may do what with a file is computed from modes, owners and groups, along the path."""

from __future__ import annotations

import grp
import os
from pathlib import Path

from pipeline.doctor.rights import READ, SEARCH, WRITE, Account, find_account, find_obstacle

STRANGER = Account(4711, frozenset((4712,)))
MEMBER = Account(4711, frozenset((33, 4712)))


def make_pipe(folder: Path, mode: int, group: int) -> Path:
    """Make a pipe of root and a group."""
    path = folder / "log.fifo"
    os.mkfifo(path)
    path.chmod(mode)
    os.chown(path, 0, group)
    return path


def test_root_may_everything(open_folder: Path) -> None:
    """No mode keeps it out."""
    assert find_obstacle(Account(0, frozenset((0,))), make_pipe(open_folder, 0, 0), READ | WRITE) is None


def test_member_of_the_group_may(open_folder: Path) -> None:
    """Of owner, group and others one part counts: the first that fits."""
    assert find_obstacle(MEMBER, make_pipe(open_folder, 0o660, 33), READ | WRITE) is None


def test_owner_may_not_what_his_group_may(open_folder: Path) -> None:
    """The group's part does not count for the owner."""
    path = make_pipe(open_folder, 0o060, 33)
    os.chown(path, MEMBER.uid, 33)
    assert find_obstacle(MEMBER, path, READ) is not None


def test_stranger_joins_a_group_that_may(open_folder: Path) -> None:
    """The command makes him a member."""
    obstacle = find_obstacle(STRANGER, make_pipe(open_folder, 0o660, 33), WRITE)
    assert obstacle is not None
    name = grp.getgrgid(33).gr_name
    assert obstacle.mend == (f"usermod --append --groups {name} 4711",)


def test_nobody_is_told_to_join_the_group_of_root(open_folder: Path) -> None:
    """The file gets another group instead."""
    path = make_pipe(open_folder, 0o660, 0)
    obstacle = find_obstacle(STRANGER, path, WRITE)
    assert obstacle is not None
    assert obstacle.mend == (f"chgrp 4712 {path} && chmod g+w {path}",)
    assert obstacle.sentence == f"The user 4711 may not write to {path} (mode 0660, owner root, group root)."


def test_group_that_may_not_is_given_the_right(open_folder: Path) -> None:
    """He is a member already."""
    path = make_pipe(open_folder, 0o600, 33)
    obstacle = find_obstacle(MEMBER, path, READ | WRITE)
    assert obstacle is not None
    assert obstacle.mend == (f"chmod g+rw {path}",)


def test_folder_on_the_way_is_the_obstacle(open_folder: Path) -> None:
    """What lies in a closed folder is closed, whatever its mode."""
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    obstacle = find_obstacle(STRANGER, make_pipe(closed, 0o666, 33), WRITE)
    assert obstacle is not None
    assert (obstacle.path, obstacle.wanted, obstacle.mend) == (closed, SEARCH, (f"chmod o+x {closed}",))


def test_account_has_all_its_groups() -> None:
    """By name and by number it is the same; who does not exist is nobody."""
    assert find_account("www-data") == find_account("33")
    assert find_account("nosuchuser") is None
