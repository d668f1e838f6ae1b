"""One examination: what is known so far, which each check adds to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from pipeline.doctor.findings import Finding, State
from pipeline.doctor.processes import Holders, Process, find_holders, list_processes
from pipeline.doctor.rights import Account, find_account
from pipeline.doctor.scrape import Sample, ask, read_samples, select_target
from pipeline.doctor.site import Instance, Site
from pipeline.doctor.syslog_daemons import SyslogDaemon, choose_daemon, find_mentions, read_configuration

OUR_USER = "syslog-pipeline"
OUR_UNIT = "syslog-pipeline"
OUR_RULES = ("call syslog_pipeline", "d_syslog_pipeline")
"""What leads to us in the files that we ship for the syslog daemons."""

UNIT_FOLDERS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
"""Where units are, as in systemd.unit(5)."""

BOOTED = Path("/run/systemd/system")
"""Is there if systemd runs this machine (sd_booted(3))."""


class Examination:
    """What is known so far. What takes some time to find out is found out once, when it is first asked for."""

    def __init__(self, site: Site, show: Callable[[str], None]) -> None:
        self.site = site
        self.show = show
        """Is told what is being waited for."""
        self.results: dict[str, list[Finding]] = {}
        self.pages: dict[Instance, str] = {}
        """The page of metrics of each daemon that answers."""

    @property
    def seconds(self) -> float:
        """How long to wait for one thing."""
        return self.site.settings.timeout_seconds

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        return BOOTED.is_dir()

    def failed(self, check: str) -> bool:
        """Whether a check found a failure."""
        return any(finding.state is State.FAILURE for finding in self.results.get(check, ()))

    @cached_property
    def processes(self) -> list[Process]:
        """The processes of this machine."""
        return list_processes()

    def find_holders(self, path: Path) -> Holders:
        """Return who has a file open now."""
        return find_holders(path, self.processes)

    @cached_property
    def our_account(self) -> Account | None:
        """The user our daemon runs as, or will run as; None if there is no such user yet."""
        ours = [own for instance in self.site.instances if (own := self.find_own(instance)) is not None]
        return ours[0].account if ours else find_account(OUR_USER)

    def is_here(self, process: Process) -> bool:
        """Whether a daemon of ours is one that this site is about, as far as that can be told."""
        words = {str(self.site.config), *(str(instance.unix_socket) for instance in self.site.instances)}
        return any(argument.partition("=")[2] in words or argument in words for argument in process.arguments)

    def find_own(self, instance: Instance) -> Process | None:
        """Return our daemon's process, by its command; that of an instance names its socket."""
        ours = [process for process in self.processes if process.is_ours and self.is_here(process)]
        named = [process for process in ours if any(str(instance.unix_socket) in word for word in process.arguments)]
        return next(iter(named or ([] if instance.number else ours)), None)

    @cached_property
    def syslog(self) -> tuple[SyslogDaemon, Path] | None:
        """The syslog daemon and its configuration."""
        return choose_daemon(self.site.settings.syslog_config, self.processes)

    @cached_property
    def syslog_processes(self) -> list[Process]:
        """The processes of the syslog daemon."""
        return [] if self.syslog is None else self.syslog[0].find_processes(self.syslog[1], self.processes)

    @cached_property
    def syslog_texts(self) -> Mapping[Path, str]:
        """The files of its configuration."""
        return {} if self.syslog is None else read_configuration(*self.syslog)

    @cached_property
    def snippets(self) -> list[Path]:
        """Those of them that name a pipe or a socket of ours."""
        return find_mentions(dict(self.syslog_texts), self.list_words())

    @cached_property
    def rules(self) -> list[Path]:
        """Those that name them, or our ruleset or destination, which is where what comes to us is chosen."""
        return find_mentions(dict(self.syslog_texts), self.rule_words)

    @property
    def rule_words(self) -> tuple[str, ...]:
        """What leads to us in a rule."""
        return (*self.list_words(), *OUR_RULES)

    def list_words(self) -> Iterable[str]:
        """Yield what a rule for us names: a path, that of the instances up to their number, or our command."""
        for instance in self.site.instances:
            for path in (*instance.pipes, *instance.sockets):
                yield str(path).partition("@")[0] + "@" if instance.number else str(path)
            if "-" in instance.logs:
                yield "pipeline run"
            for log in instance.logs:
                if log.startswith(("tcp://", "udp://")):
                    yield log.rpartition(":")[2]

    def list_units(self, instance: Instance) -> list[str]:
        """Return the units of one of our daemons, of its sockets first: those that systemd may know."""
        kinds = [*([""] if instance.pipes else []), *(["-log"] if instance.sockets else []), "-http"]
        units = [name_socket_unit(instance, kind) for kind in kinds]
        return [*(unit for unit in units if self.has_unit(unit)), instance.unit.removesuffix(".service")]

    def has_unit(self, unit: str) -> bool:
        """Whether the file of a unit is there."""
        template = unit.partition("@")[0] + "@.socket" if "@" in unit else unit
        return any((self.site.settings.root / folder / template).exists() for folder in UNIT_FOLDERS)

    def spell_group(self, instance: Instance, kind: str, setting: str) -> str:
        """Return where the group of a pipe or socket is set: in the unit that makes it, or in our settings."""
        unit = name_socket_unit(instance, kind)
        place = f"SocketGroup in {unit}" if self.has_unit(unit) else f"{setting} in {self.site.config}"
        return f"Set {place} too, so that it stays so."

    def spell_start(self, instance: Instance, verb: str = "restart") -> str:
        """Return the command that starts one of our daemons, or does something else with it."""
        if self.site.is_child and self.syslog is not None:
            return self.spell_service("restart", self.syslog[0].name)
        return self.spell_service(verb, instance.unit.removesuffix(".service"))

    def spell_service(self, verb: str, unit: str) -> str:
        """Return the command that does something with a service."""
        return f"systemctl {verb} {unit}"


def name_socket_unit(instance: Instance, kind: str) -> str:
    """Return the unit that makes the pipe of an instance, with `-log` its sockets for lines, with `-http` that."""
    return f"{OUR_UNIT}{kind}@{instance.number}.socket" if instance.number else f"{OUR_UNIT}{kind}.socket"


def ask_samples(exam: Examination, instance: Instance, *names: str) -> list[Sample]:
    """Return the samples of these metrics of one of our daemons; none if it does not answer."""
    answer = ask(instance.unix_socket, select_target(*names), exam.seconds)
    return [sample for sample in read_samples(answer.text if answer else "") if sample.name in names]


CheckFunction: TypeAlias = Callable[[Examination], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. It is not made when one that it needs has failed, or was not made itself: the cause is named there."""

    name: str
    title: str
    run: CheckFunction
    needs: tuple[str, ...] = ()
