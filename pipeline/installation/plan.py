"""Which files go where, and with which text: choices and a machine become planned files.

What we ship is written for the machine that most have: our command in `/usr/bin`, Debian's users and groups. What is
otherwise on this machine is put in; where nothing is, a file is written exactly as it is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.installation.choices import DATAGRAM, NONE, OMPROG, PROGRAM, RSYSLOG, SOCKET, SYSLOG_NG, WAYS, Choices
from pipeline.installation.machine import COMMAND, SYSLOG_NG_SOURCE, Machine
from pipeline.shipped import PROGRAMS, render_shipped

UNITS = "/etc/systemd/system"
OWN = "/etc/syslog-pipeline"
SYSUSERS = "/etc/sysusers.d/syslog-pipeline.conf"
TMPFILES = "/etc/tmpfiles.d/syslog-pipeline.conf"
SETTINGS = f"{OWN}/settings.toml"

STATE = "/var/lib/syslog-pipeline"

OWN_GROUP = "syslog-pipeline"
"""Our user is called the same."""

USER_LINE = 'u syslog-pipeline - "syslog-pipeline"\n'
FOLDER_LINE = "d /run/syslog-pipeline 0755 syslog-pipeline syslog-pipeline -\n"

SHIPPED_INSTANCES = 4
SPREAD_LINE = (
    '    log {{ filter {{ "${{.syslog_pipeline.instance}}" eq "{0}" }}; destination("d_syslog_pipeline@{0}"); }};\n'
)

PIPE_SOCKET = "syslog-pipeline.socket"
LOG_SOCKET = "syslog-pipeline-log.socket"
HTTP_SOCKET = "syslog-pipeline-http.socket"
SERVICE = "syslog-pipeline.service"
SOCKET_PATHS = {
    PIPE_SOCKET: ("/run/syslog-pipeline/log{}.fifo",),
    LOG_SOCKET: ("/run/syslog-pipeline/log.stream.sock", "/run/syslog-pipeline/log.sock"),
    HTTP_SOCKET: ("/run/syslog-pipeline/metrics{}.sock",),
}
HOLDER = "syslog-pipeline-hold@.service"
OMPROG_DROP_IN = f"{UNITS}/rsyslog.service.d/syslog-pipeline.conf"

NGINX_LOCATIONS = "/etc/nginx/snippets/syslog-pipeline.conf"

PIPE_LOGS = 'logs = ["/run/syslog-pipeline/log.fifo"]'
SOCKET_LOGS = 'logs = ["unix:///run/syslog-pipeline/log.stream.sock", "unixgram:///run/syslog-pipeline/log.sock"]'
"""The unit of the sockets has both of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file that is wanted. `shipped` is the one of ours that it was made of."""

    path: str
    text: str
    shipped: str
    mode: int = 0o644
    editable: bool = False
    """Whether it is the operator's as much as ours: settings, certificates, programs."""


def plan_files(choices: Choices, machine: Machine) -> list[PlannedFile]:
    """Return the files, in the order in which they are written.

    Raises:
        ShippedFileError: one that we ship is missing, or is not what it was.
    """
    return [
        *plan_own_files(choices, machine),
        *plan_units(choices, machine),
        *plan_programs(choices),
        *plan_syslog_daemon(choices, machine),
        *plan_nginx(choices, machine),
    ]


def list_units(choices: Choices) -> tuple[list[str], list[str]]:
    """Return the units to be enabled: what listens, and what reads."""
    if choices.is_started_by_daemon:
        return [], []
    if choices.instances == 1:
        return [LOG_SOCKET if needs_log_sockets(choices) else PIPE_SOCKET, HTTP_SOCKET], [SERVICE]
    numbers = range(1, choices.instances + 1)
    sockets = [name_instance(unit, number) for number in numbers for unit in (PIPE_SOCKET, HTTP_SOCKET)]
    return sockets, [name_instance(SERVICE, number) for number in numbers]


def list_sockets(unit: str) -> list[str]:
    """Return the paths of what a socket unit makes."""
    name, _, number = unit.removesuffix(".socket").partition("@")
    instance = f"@{number}" if number else ""
    return [path.format(instance) for path in SOCKET_PATHS[f"{name}.socket"]]


def name_instance(unit: str, number: int | str = "") -> str:
    """Return the name of a unit's instance, or of its template."""
    name, dot, kind = unit.rpartition(".")
    return f"{name}@{number}{dot}{kind}"


def plan_own_files(choices: Choices, machine: Machine) -> Iterator[PlannedFile]:
    """Yield what is needed whoever starts the daemon, and its settings."""
    yield make_file("systemd/sysusers.conf", SYSUSERS, extend(USER_LINE, list_members(choices, machine)))
    yield make_file("systemd/tmpfiles.conf", TMPFILES, extend(FOLDER_LINE, list_state_folders(choices, machine)))
    if choices.way != OMPROG:
        logs = SOCKET_LOGS if needs_log_sockets(choices) else PIPE_LOGS
        yield make_file("systemd/settings.toml", SETTINGS, {PIPE_LOGS: logs}, editable=True)
    if not choices.is_started_by_daemon:
        yield make_file("systemd/environment", "/etc/default/syslog-pipeline", editable=True)


def list_members(choices: Choices, machine: Machine) -> Iterator[str]:
    """Yield a line of sysusers.d(5) for each user that must be in our group.

    It is for the pipe and the log sockets, and for the socket of a daemon that syslog-ng starts, which gives itself
    no other group.
    """
    writer = find_writer(choices, machine)
    if writer != "root":
        yield f"m {writer} {OWN_GROUP}\n"
    if choices.way == PROGRAM and machine.nginx is not None:
        yield f"m {machine.nginx.user} {OWN_GROUP}\n"


def list_state_folders(choices: Choices, machine: Machine) -> Iterator[str]:
    """Yield a line of tmpfiles.d(5) for the folder of the state, if no unit makes it."""
    if choices.is_started_by_daemon:
        user = find_writer(choices, machine) if choices.way == OMPROG else OWN_GROUP
        yield f"d {STATE} 0700 {user} {user} -\n"


def needs_log_sockets(choices: Choices) -> bool:
    """Whether lines come through the log sockets."""
    return choices.way in (SOCKET, DATAGRAM)


def plan_units(choices: Choices, machine: Machine) -> Iterator[PlannedFile]:
    """Yield the units: of one daemon, or the templates of several; or what rsyslog's unit lacks."""
    if choices.way == OMPROG:
        yield make_file("systemd/omprog.conf", OMPROG_DROP_IN)
    if choices.is_started_by_daemon:
        return
    name = name_instance if choices.instances > 1 else str
    command = {COMMAND: machine.command}
    lines = LOG_SOCKET if needs_log_sockets(choices) else PIPE_SOCKET
    source = {PIPE_SOCKET: lines} if choices.instances == 1 else {}
    group = {"SocketGroup=www-data": f"SocketGroup={find_scraper(machine)}"}
    yield make_unit(HOLDER)
    yield make_unit(name(lines))
    yield make_unit(name(HTTP_SOCKET), group)
    yield make_unit(name(SERVICE), {**command, **source})


def plan_programs(choices: Choices) -> Iterator[PlannedFile]:
    """Yield the line programs."""
    for name in choices.programs:
        text = (PROGRAMS / f"{name}.mtail").read_text("utf-8")
        path = f"{OWN}/programs/{name}.mtail"
        yield PlannedFile(path=path, text=text, shipped=f"pipeline/programs/{name}.mtail", editable=True)


def plan_syslog_daemon(choices: Choices, machine: Machine) -> Iterator[PlannedFile]:
    """Yield what makes the syslog daemon write to ours."""
    if choices.syslog_daemon == RSYSLOG and machine.rsyslog is not None:
        folder = machine.rsyslog.folder
        if choices.instances > 1:
            yield from plan_instances("rsyslog/instance.conf", f"{folder}/60-syslog-pipeline@{{}}.conf", choices)
            yield make_file("rsyslog/spread.conf", f"{folder}/70-syslog-pipeline.conf", spread_rsyslog(choices))
        else:
            values = {COMMAND: machine.command, **share_socket(machine)} if choices.way == OMPROG else {}
            yield make_file(WAYS[choices.way][RSYSLOG], f"{folder}/60-syslog-pipeline.conf", values)
    if choices.syslog_daemon == SYSLOG_NG and machine.syslog_ng is not None:
        folder = machine.syslog_ng.folder
        values = {f"source({SYSLOG_NG_SOURCE})": f"source({machine.syslog_ng_source})"}
        if choices.instances > 1:
            yield from plan_instances("syslog-ng/instance.conf", f"{folder}/syslog-pipeline@{{}}.conf", choices)
            values |= spread_syslog_ng(choices)
            yield make_file("syslog-ng/spread.conf", f"{folder}/syslog-pipeline.conf", values)
        else:
            values |= {COMMAND: machine.command} if choices.way == PROGRAM else {}
            yield make_file(WAYS[choices.way][SYSLOG_NG], f"{folder}/syslog-pipeline.conf", values)


def plan_instances(shipped: str, path: str, choices: Choices) -> Iterator[PlannedFile]:
    """Yield the way to each instance; `path` has a place for the number."""
    for number in range(1, choices.instances + 1):
        yield make_file(shipped, path.format(number), {"@1": f"@{number}"})


def share_socket(machine: Machine) -> dict[str, str]:
    """Return what lets nginx read from a daemon that rsyslog starts, and so has its group."""
    if machine.nginx is None:
        return {}
    flag = "--unix_socket /run/syslog-pipeline/metrics.sock"
    return {flag: f"{flag} --unix_socket_group {machine.nginx.group}"}


def spread_rsyslog(choices: Choices) -> dict[str, str]:
    """Return what tells rsyslog the number of instances."""
    return {
        text.format(SHIPPED_INSTANCES): text.format(choices.instances)
        for text in ("over {} instances", "1 to {}:", "hash64mod($hostname, {})")
    }


def spread_syslog_ng(choices: Choices) -> dict[str, str]:
    """Return what tells syslog-ng the number of instances, and lists them."""
    shipped, wanted = (
        "".join(SPREAD_LINE.format(number) for number in range(1, count + 1))
        for count in (SHIPPED_INSTANCES, choices.instances)
    )
    texts = ("over {} instances", "0 6) {})))")
    return {text.format(SHIPPED_INSTANCES): text.format(choices.instances) for text in texts} | {shipped: wanted}


def plan_nginx(choices: Choices, machine: Machine) -> Iterator[PlannedFile]:
    """Yield what serves the metrics over TLS."""
    if machine.nginx is None or choices.nginx == NONE:
        return
    yield make_file("nginx/locations.conf", NGINX_LOCATIONS)
    # nginx does not start if it is to listen on an address that the kernel knows nothing of.
    values = {} if machine.has_ipv6 else {"    listen [::]:9443 ssl;\n": ""}
    yield make_file(
        f"nginx/{choices.nginx}.conf", f"{machine.nginx.folder}/syslog-pipeline.conf", values, editable=True
    )


def find_writer(choices: Choices, machine: Machine) -> str:
    """Return the user that the syslog daemon runs as, which must be in the pipe's group."""
    daemon = {RSYSLOG: machine.rsyslog, SYSLOG_NG: machine.syslog_ng}.get(choices.syslog_daemon)
    return daemon.user if daemon is not None else "root"


def find_scraper(machine: Machine) -> str:
    """Return the group that may scrape: that of nginx. Without nginx there may be no such group, and it is our own."""
    return machine.nginx.group if machine.nginx is not None else OWN_GROUP


def extend(line: str, more: Iterator[str]) -> dict[str, str]:
    """Return what puts more lines behind one."""
    return {line: "".join((line, *more))}


def make_unit(unit: str, values: Mapping[str, str] | None = None) -> PlannedFile:
    """Return a planned unit."""
    return make_file(f"systemd/{unit}", f"{UNITS}/{unit}", values)


def make_file(
    shipped: str, path: str, values: Mapping[str, str] | None = None, *, editable: bool = False
) -> PlannedFile:
    """Return a planned file: the shipped one, with each default of `values` replaced by what it is here."""
    text = render_shipped(shipped, {old: new for old, new in (values or {}).items() if old != new})
    return PlannedFile(path=path, text=text, shipped=shipped, editable=editable)
