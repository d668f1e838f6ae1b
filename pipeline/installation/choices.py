"""What the operator chose, completed by what the machine has. Pure.

`WAYS` says by which file of which syslog daemon lines come on a way. A choice that was not made is as it was made
last, and the first time what is usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pipeline.errors import InstallationError, SettingError
from pipeline.installation.machine import Machine
from pipeline.installation.manifest import DAMAGED
from pipeline.setting_checks import require_at_least
from pipeline.settings import SetupSettings

AUTO = "auto"
NONE = "none"
RSYSLOG = "rsyslog"
SYSLOG_NG = "syslog-ng"

PIPE = "pipe"
SOCKET = "socket"
DATAGRAM = "datagram"
OMPROG = "omprog"
PROGRAM = "program"
WAYS: Mapping[str, Mapping[str, str]] = {
    PIPE: {RSYSLOG: "rsyslog/pipe.conf", SYSLOG_NG: "syslog-ng/pipe.conf"},
    SOCKET: {RSYSLOG: "rsyslog/socket.conf", SYSLOG_NG: "syslog-ng/stream.conf"},
    DATAGRAM: {RSYSLOG: "rsyslog/socket.conf", SYSLOG_NG: "syslog-ng/datagram.conf"},
    "ompipe": {RSYSLOG: "rsyslog/ompipe.conf"},
    OMPROG: {RSYSLOG: "rsyslog/omprog.conf"},
    PROGRAM: {SYSLOG_NG: "syslog-ng/program.conf"},
}
PROGRAM_WAYS = (OMPROG, PROGRAM)
"""On these the syslog daemon starts ours, and systemd does not."""

BASIC_AUTH = "basic-auth"
ACCESS = (BASIC_AUTH, "client-certificate")

MAX_INSTANCES = 64
"""Far more than the cores of a machine; a larger number is a mistake."""

ALWAYS = "doctor"
"""The line program that `syslog-pipeline doctor` needs."""

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is to be set up."""

    syslog_daemon: str
    way: str
    instances: int
    nginx: str
    programs: tuple[str, ...]

    @property
    def is_started_by_daemon(self) -> bool:
        """Whether the syslog daemon starts ours."""
        return self.way in PROGRAM_WAYS

    def describe(self) -> dict[str, object]:
        """Return the choices for the manifest."""
        return {**asdict(self), "programs": list(self.programs)}


def make_choices(settings: SetupSettings, last: Choices | None, machine: Machine, available: Sequence[str]) -> Choices:
    """Return the choices; `last` are those of the run before, `available` the line programs that there are.

    Raises:
        SettingError: they do not go together, or not with the machine.
    """
    choices = Choices(
        syslog_daemon=choose_daemon(settings.syslog_daemon or (last.syslog_daemon if last else AUTO), machine),
        way=settings.way or (last.way if last else PIPE),
        instances=settings.instances or (last.instances if last else 1),
        nginx=choose_nginx(settings.nginx or (last.nginx if last else AUTO), machine),
        programs=choose_programs(settings.programs or (last.programs if last else ()), available),
    )
    check_choices(choices)
    check_folders(choices, machine)
    return choices


def choose_daemon(wanted: str, machine: Machine) -> str:
    """Return the syslog daemon; `auto` is the one that is there."""
    found = [name for name, daemon in ((RSYSLOG, machine.rsyslog), (SYSLOG_NG, machine.syslog_ng)) if daemon]
    if wanted == NONE or wanted in found:
        return wanted
    if wanted != AUTO:
        raise SettingError(f"{wanted} is not installed below {machine.root}.")
    if not found:
        raise SettingError(
            f"Neither rsyslog nor syslog-ng is installed below {machine.root}: install one of them, or set up the rest "
            "with --syslog_daemon none."
        )
    if len(found) > 1:
        raise SettingError("rsyslog and syslog-ng are both installed: choose with --syslog_daemon.")
    return found[0]


def choose_nginx(wanted: str, machine: Machine) -> str:
    """Return who nginx lets read the metrics, or none."""
    if wanted == AUTO:
        return BASIC_AUTH if machine.nginx else NONE
    if wanted != NONE and machine.nginx is None:
        raise SettingError(f"nginx is not installed below {machine.root}: install it, or give --nginx none.")
    return wanted


def choose_programs(wanted: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the line programs, of which the doctor's is always one."""
    if ALL in wanted:
        return tuple(available)
    names = {name.removesuffix(".mtail") for name in wanted if name != NONE}
    if unknown := sorted(names - set(available)):
        raise SettingError(
            f"There is no line program {unknown[0]} among those that come with syslog-pipeline: "
            f"choose of {', '.join(name for name in available if name != ALWAYS)}, or {ALL}."
        )
    return tuple(sorted(names | {ALWAYS}))


def parse_choices(table: Mapping[str, object]) -> Choices | None:
    """Return the choices that the manifest has, if it has any.

    Raises:
        InstallationError: they are none that setup would have written.
    """
    if not table:
        return None
    try:
        choices = Choices(**{**table, "programs": read_names(table["programs"])})  # type: ignore[arg-type]
        check_known(choices)
        check_choices(choices)
    except (TypeError, KeyError, SettingError) as error:
        raise InstallationError(DAMAGED) from error
    return choices


def read_names(value: object) -> tuple[str, ...]:
    """Return the names that the manifest lists."""
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def check_known(choices: Choices) -> None:
    """Raise `SettingError` unless each choice is one that can be made."""
    daemons, access = (RSYSLOG, SYSLOG_NG, NONE), (NONE, *ACCESS)
    for name, known in ((choices.syslog_daemon, daemons), (choices.way, WAYS), (choices.nginx, access)):
        if name not in known:
            raise SettingError(f"There is no choice {name}.")
    require_at_least("instances", choices.instances, 1)


def check_folders(choices: Choices, machine: Machine) -> None:
    """Raise `SettingError` unless the folders are there of which the chosen programs read every file."""
    chosen = {RSYSLOG: machine.rsyslog, SYSLOG_NG: machine.syslog_ng, "nginx": machine.nginx}
    names = [choices.syslog_daemon, *(("nginx",) if choices.nginx != NONE else ())]
    for name in names:
        program = chosen.get(name)
        if program is not None and not program.has_folder:
            raise SettingError(
                f"{name} is installed, but its folder {program.folder} is missing below {machine.root}: make it, and "
                f"see that {name} includes it."
            )


def check_choices(choices: Choices) -> None:
    """Raise `SettingError` unless the choices go together."""
    daemon, way = choices.syslog_daemon, choices.way
    if choices.instances > MAX_INSTANCES:
        raise SettingError(f"--instances must be at most {MAX_INSTANCES}, not {choices.instances}.")
    if daemon == NONE and choices.is_started_by_daemon:
        raise SettingError(f"--way {way} needs a syslog daemon that starts syslog-pipeline.")
    if daemon != NONE and daemon not in WAYS[way]:
        possible = [name for name, files in WAYS.items() if daemon in files]
        raise SettingError(f"{daemon} has no way {way}: choose of {', '.join(possible)}.")
    if choices.instances > 1 and way != PIPE:
        raise SettingError(
            f"--instances {choices.instances} does not go with --way {way}: lines are spread over pipes."
        )
