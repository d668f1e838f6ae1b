"""What a machine has that our configuration depends on: programs, their users and their folders.

Everything is looked for below `root`, so that the tree of an image can be looked at as well. Nothing of such a tree is
run; on the machine itself programs are asked for their versions.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error

LIVE = Path("/")

IPV6 = Path("/proc/net/if_inet6")
"""Where the kernel lists its addresses of IPv6, if it has any to do with it."""

COMMAND = "/usr/bin/syslog-pipeline"
"""Where our command is by default."""

COMMAND_PLACES = (COMMAND, "/usr/local/bin/syslog-pipeline", "/opt/syslog-pipeline/bin/syslog-pipeline")

COMMAND_PATH = re.compile(r"[\w/.@+:-]+")
"""What means itself in a unit and in the files of rsyslog and syslog-ng."""

HIDDEN_FOLDERS = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 - nothing is opened there
"""What the hardened units keep out of the service's sight."""

SYSLOG_NG_SOURCE = "s_src"
"""What Debian calls the source of all that syslog-ng gets."""

SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin")

MAX_TEXT_BYTES = 1024 * 1024
"""Of a configuration no more is looked at."""

VERSION = re.compile(r"\d+(?:\.\d+)*")
VERSION_SECONDS = 10.0

RSYSLOG_INCLUDE = re.compile(r'^\s*(?:\$IncludeConfig\s+|include\(\s*file=")(/\S*)/\*\.conf\b', re.MULTILINE)
RSYSLOG_USER = re.compile(r'^\s*(?:\$PrivDropToUser\s+|.*\bprivdrop\.user\.name=")([\w.-]+)', re.MULTILINE)
SYSLOG_NG_INCLUDE = re.compile(r'^\s*@include\s+"(/\S*)/\*\.conf"', re.MULTILINE)
SYSLOG_NG_SOURCES = re.compile(r"^\s*source\s+([\w-]+)\s*\{", re.MULTILINE)
NGINX_INCLUDE = re.compile(r"^\s*include\s+(/\S*)/\*\.conf\s*;", re.MULTILINE)
NGINX_USER = re.compile(r"^\s*user\s+([\w.-]+)(?:\s+([\w.-]+))?\s*;", re.MULTILINE)
UNIT_USER = re.compile(r"^User=(\S+)", re.MULTILINE)
UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the machine. `version` is empty if it was not asked."""

    path: str
    version: str = ""
    folder: str = ""
    """Of which it reads every `*.conf`."""
    has_folder: bool = False
    user: str = "root"
    group: str = "root"

    def describe(self, name: str) -> str:
        """Return what is worth telling."""
        return " ".join(filter(None, (name, self.version, f"(user {self.user})" if self.user != "root" else "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found below `root`."""

    root: Path
    command: str = COMMAND
    has_command: bool = True
    needed: tuple[str, ...] = ()
    """What the service must be able to see to run: the command, and on this machine our Python."""
    has_ipv6: bool = True
    rsyslog: Program | None = None
    syslog_ng: Program | None = None
    syslog_ng_source: str = SYSLOG_NG_SOURCE
    nginx: Program | None = None
    systemd: Program | None = None

    def describe(self) -> list[str]:
        """Return what was found, a phrase each."""
        programs = {
            "rsyslog": self.rsyslog,
            "syslog-ng": self.syslog_ng,
            "nginx": self.nginx,
            "systemd": self.systemd,
        }
        return [program.describe(name) for name, program in programs.items() if program is not None]


def look_at_machine(root: Path) -> Machine:
    """Return what is below `root`.

    Raises:
        SettingError: it is no folder, or a file of configuration there cannot be read.
    """
    try:
        if not root.is_dir():
            raise SettingError(f"The root {root} is not a folder.")
        return find_all(root)
    except OSError as error:
        raise SettingError(f"{error.filename} cannot be read: {describe_os_error(error)}.") from error


def find_all(root: Path) -> Machine:
    """Return what is below `root`."""
    command = find_command(root)
    is_live = root.resolve() == LIVE
    needed = (str(Path(command).resolve()), str(Path(sys.executable).resolve())) if command and is_live else ()
    return Machine(
        root=root,
        command=command or COMMAND,
        has_command=command is not None,
        needed=needed or (command or COMMAND,),
        has_ipv6=not is_live or IPV6.exists(),
        rsyslog=find_rsyslog(root),
        syslog_ng=find_syslog_ng(root),
        syslog_ng_source=find_source(root),
        nginx=find_nginx(root),
        systemd=find_systemd(root),
    )


def find_command(root: Path) -> str | None:
    """Return where our own command is: the one that runs, if it is below `root`, or where one usually is.

    Raises:
        SettingError: it is where neither units nor syslog daemons can name it without more ado.
    """
    own = [Path(sys.argv[0]).absolute(), Path(sysconfig.get_path("scripts")) / "syslog-pipeline"]
    for path in own:
        if path.name == "syslog-pipeline" and path.is_file() and path.is_relative_to(root.absolute()):
            command = f"/{path.relative_to(root.absolute())}"
            if not COMMAND_PATH.fullmatch(command):
                raise SettingError(f"Install syslog-pipeline at a path without blanks and special signs, not {path}.")
            return command
    return next((place for place in COMMAND_PLACES if below(root, place).is_file()), None)


def find_rsyslog(root: Path) -> Program | None:
    """Return what is known of rsyslog."""
    path = find_program(root, "rsyslogd")
    main = read_text(root, "/etc/rsyslog.conf")
    if path is None or main is None:
        return None
    folder = find_folder(RSYSLOG_INCLUDE, main, "/etc/rsyslog.d")
    snippets = sorted(path for path in below(root, folder).glob("*.conf") if path.is_file() and not path.is_symlink())
    texts = [main, *(read_text(root, f"{folder}/{snippet.name}") or "" for snippet in snippets)]
    user = find_first(RSYSLOG_USER, "\n".join(texts)) or find_unit_user(root, "rsyslog.service")
    return make_program(root, path, "-v", folder, user=user or "root")


def find_syslog_ng(root: Path) -> Program | None:
    """Return what is known of syslog-ng."""
    path = find_program(root, "syslog-ng")
    main = read_text(root, "/etc/syslog-ng/syslog-ng.conf")
    if path is None or main is None:
        return None
    folder = find_folder(SYSLOG_NG_INCLUDE, main, "/etc/syslog-ng/conf.d")
    user = find_unit_user(root, "syslog-ng.service")
    return make_program(root, path, "--version", folder, user=user or "root")


def find_source(root: Path) -> str:
    """Return what syslog-ng's configuration calls the source of all lines: as Debian does, or else the first."""
    names = [*SYSLOG_NG_SOURCES.findall(read_text(root, "/etc/syslog-ng/syslog-ng.conf") or ""), SYSLOG_NG_SOURCE]
    return SYSLOG_NG_SOURCE if SYSLOG_NG_SOURCE in names[:-1] else str(names[0])


def find_nginx(root: Path) -> Program | None:
    """Return what is known of nginx; its group is that of its workers."""
    path = find_program(root, "nginx")
    main = read_text(root, "/etc/nginx/nginx.conf")
    if path is None or main is None:
        return None
    found = NGINX_USER.search(main)
    user = found[1] if found else "nobody"
    folder = find_folder(NGINX_INCLUDE, main, "/etc/nginx/conf.d")
    return make_program(root, path, "-v", folder, user=user, group=found[2] or user if found else "nogroup")


def make_program(root: Path, path: str, flag: str, folder: str, *, user: str, group: str = "root") -> Program:
    """Return what is known of a program that reads the files of a folder; with `flag` it tells its version."""
    return Program(
        path=path,
        version=ask_version(root, path, flag),
        folder=folder,
        has_folder=below(root, folder).is_dir(),
        user=user,
        group=group,
    )


def find_systemd(root: Path) -> Program | None:
    """Return what is known of systemd."""
    places = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
    path = next((place for place in places if below(root, place).is_file()), None)
    return Program(path=path, version=ask_version(root, path, "--version")) if path else None


def find_folder(pattern: re.Pattern[str], main: str, usual: str) -> str:
    """Return the folder of which a program includes every file: the usual one, if it is among them."""
    folders = [str(folder).rstrip("/") for folder in pattern.findall(main)]
    return usual if usual in folders or not folders else folders[0]


def find_unit_user(root: Path, unit: str) -> str:
    """Return the user that the unit of a service names."""
    return find_first(UNIT_USER, "\n".join(read_text(root, path) or "" for path in list_unit_files(root, unit)))


def list_unit_files(root: Path, unit: str) -> Iterator[str]:
    """Yield what systemd reads of a unit, the first that counts first."""
    for folder in UNIT_FOLDERS:
        for path in sorted(below(root, f"{folder}/{unit}.d").glob("*.conf")):
            yield f"{folder}/{unit}.d/{path.name}"
    yield from (f"{folder}/{unit}" for folder in UNIT_FOLDERS)


def find_program(root: Path, name: str) -> str | None:
    """Return where a program is."""
    return next((place for folder in SBIN if below(root, place := f"{folder}/{name}").is_file()), None)


def find_first(pattern: re.Pattern[str], text: str) -> str:
    """Return the first group of the first match, or nothing."""
    found = pattern.search(text)
    return found[1] if found else ""


def read_text(root: Path, path: str) -> str | None:
    """Return a text of the machine; None if it is not there."""
    try:
        with below(root, path).open("rb") as file:
            return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def below(root: Path, path: str) -> Path:
    """Return where a path of the machine is."""
    return root / path.lstrip("/")


def ask_version(root: Path, path: str, flag: str) -> str:
    """Return the version that a program tells; nothing of a tree that is not this machine."""
    if root.resolve() != LIVE:
        return ""
    try:
        told = subprocess.run(  # noqa: S603 - a program of the machine that root would run anyway
            [path, flag], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = VERSION.search(told.stdout + told.stderr)
    return found[0] if found else ""
