"""Programs that are loaded together on a central log host: ours, and those of the mtail package.

The five are the services that speak most in the stream. The twenty add the rest of ours, and package examples:
those for other services of syslog, and those for web, FTP, SQL and rsync logs, which a host with one
folder of programs loads too; mtail, and we, give each program each line. Ours and the package's postfix, and dhcp and
dhcpd, both count the same lines, under names that do not conflict. What counts every line is left out of the twenty
and added for the third set.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.bench.examples import find_example

SHIPPED = Path(__file__).parents[2] / "pipeline" / "programs"

FIVE = ("sshd", "postfix", "dhcp", "cron", "kernel")
TEN_OF_OURS = (*FIVE, "sudo", "systemd", "firewall", "fail2ban", "nginx_access")
TEN_EXAMPLES = (
    "dhcpd",
    "ntpd",
    "postfix",
    "sftp",
    "rsyncd",
    "vsftpd",
    "apache_combined",
    "lighttpd",
    "mysql_slowqueries",
    "rails",
)
EVERY_LINE = "syslog_lines"
NINE_OF_OURS = TEN_OF_OURS[:9]


def copy_programs(folder: Path, ours: Sequence[str], examples: Sequence[str] = ()) -> Path:
    """Put programs into a new folder. An example's file gets a prefix: two programs may have one name."""
    folder.mkdir(parents=True)
    for name in ours:
        shutil.copy(SHIPPED / f"{name}.mtail", folder)
    for name in examples:
        shutil.copy(find_example(name), folder / f"example-{name}.mtail")
    return folder


def copy_line_count(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(find_example("linecount"), folder)
    return folder


def copy_five(folder: Path) -> Path:
    return copy_programs(folder, FIVE)


def copy_twenty(folder: Path) -> Path:
    return copy_programs(folder, TEN_OF_OURS, TEN_EXAMPLES)


def copy_twenty_one(folder: Path) -> Path:
    return copy_programs(folder, (*TEN_OF_OURS, EVERY_LINE), TEN_EXAMPLES)
