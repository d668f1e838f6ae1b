"""The two syslog daemons: how each is found, how it checks its configuration, and what that says about us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.doctor.commands import Outcome, run_command
from pipeline.doctor.files import read_text
from pipeline.doctor.processes import Process


@dataclass(frozen=True, slots=True)
class SyslogDaemon:
    """One kind of syslog daemon."""

    name: str
    """Also that of its unit and of our folder of snippets for it."""
    command: str
    config: Path
    """Where its configuration is unless it is told otherwise."""
    config_flags: tuple[str, ...]
    check_flags: tuple[str, ...]
    """Before the path of the configuration, to check it and do nothing else."""
    included: re.Pattern[str]
    """What another file is included by; the group is its name, or a pattern of names."""
    complaint: re.Pattern[str]
    """A line of its check that tells of a mistake."""
    condition: re.Pattern[str]
    """What lets some lines through and others not."""
    good_template: str
    spool: Path
    """Where queues are, unless it is told otherwise."""
    reads_anew: bool = False
    """Whether it reads its configuration again on a reload too."""
    names_filters: bool = False
    """Whether a condition stands by itself, under a name, rather than before what it decides about."""

    def check(self, config: Path) -> Outcome | None:
        """Have it check a configuration; None if it is not there."""
        return run_command([self.command, *self.check_flags, str(config)])

    def spell_check(self, config: Path) -> str:
        """Return the command for that, as a person types it."""
        return f"{self.command} {' '.join(self.check_flags)} {config}"

    def find_processes(self, config: Path, processes: Iterable[Process]) -> list[Process]:
        """Return those that run with this configuration."""
        return [
            process
            for process in processes
            if process.arguments
            and Path(process.arguments[0].split()[0]).name == self.command
            and self.read_config(process) == config
        ]

    def read_config(self, process: Process) -> Path:
        """Return the configuration that a process of this daemon uses."""
        arguments = process.arguments
        for argument, value in zip(arguments, (*arguments[1:], ""), strict=True):
            for flag in self.config_flags:
                if argument == flag:
                    return Path(value)
                if argument.startswith(f"{flag}=") or (len(flag) == 2 and argument.startswith(flag)):
                    return Path(argument.removeprefix(flag).removeprefix("="))
        return self.config


RSYSLOG = SyslogDaemon(
    name="rsyslog",
    command="rsyslogd",
    config=Path("/etc/rsyslog.conf"),
    config_flags=("-f",),
    check_flags=("-N1", "-f"),
    included=re.compile(r'^\s*(?:\$IncludeConfig\s+|include\s*\(.*?file\s*=\s*")([^"\s]+)', re.MULTILINE),
    complaint=re.compile(
        r"^rsyslogd: (?!version|End of config|.*CONFIG ERROR: could not interpret)(.*\S)", re.MULTILINE
    ),
    condition=re.compile(r"^\s*(?:if\b.*?\bthen\b|:\w+\s*,)", re.MULTILINE | re.DOTALL),
    good_template="RSYSLOG_TraditionalFileFormat",
    spool=Path("/var/spool/rsyslog"),
)

SYSLOG_NG = SyslogDaemon(
    name="syslog-ng",
    command="syslog-ng",
    config=Path("/etc/syslog-ng/syslog-ng.conf"),
    config_flags=("--cfgfile", "-f"),
    check_flags=("--syntax-only", "--no-caps", "-f"),
    included=re.compile(r'^\s*@include\s+"([^"]+)"', re.MULTILINE),
    complaint=re.compile(r"^(.*\b[Ee]rror\b.*\S)", re.MULTILINE),
    condition=re.compile(r"^\s*filter\s+\S+\s*\{.*?\};", re.MULTILINE | re.DOTALL),
    good_template="${DATE} ${HOST} ${MSGHDR}${MSG}\\n",
    spool=Path("/var/lib/syslog-ng"),
    reads_anew=True,
    names_filters=True,
)

DAEMONS = (RSYSLOG, SYSLOG_NG)

BRACE_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')
"""A brace, or a text in quotes, in which a brace means nothing."""


def choose_daemon(config: Path | None, processes: Sequence[Process]) -> tuple[SyslogDaemon, Path] | None:
    """Return the daemon of this machine and its configuration; None if there is none.

    A configuration that was named is known by its first words: that of syslog-ng begins with a version.
    """
    if config is not None:
        return (SYSLOG_NG if "@version" in read_text(config) else RSYSLOG), config
    for daemon in DAEMONS:
        if daemon.find_processes(daemon.config, processes):
            return daemon, daemon.config
    return next(((daemon, daemon.config) for daemon in DAEMONS if daemon.config.exists()), None)


def read_configuration(daemon: SyslogDaemon, config: Path) -> dict[Path, str]:
    """Return the texts of a configuration and all that it includes, without comments, those that can be read."""
    texts: dict[Path, str] = {}
    waiting = [config]
    while waiting:
        path = waiting.pop(0)
        if path in texts:
            continue
        texts[path] = blank_comments(read_text(path))
        waiting.extend(included for name in daemon.included.findall(texts[path]) for included in expand(name, path))
    return texts


def expand(name: str, including: Path) -> Iterator[Path]:
    """Yield the files that an included name means, which may be a pattern, or a folder."""
    path = including.parent / name
    for found in sorted(path.parent.glob(path.name)):
        yield from sorted(found.glob("*.conf")) if found.is_dir() else [found]


def blank_comments(text: str) -> str:
    """Return `text` with comments that take a whole line emptied, so that lines keep their numbers."""
    return re.sub(r"^[ \t]*#.*$", "", text, flags=re.MULTILINE)


def find_mentions(texts: dict[Path, str], words: Iterable[str]) -> list[Path]:
    """Return which of the files name one of `words`."""
    wanted = tuple(words)
    return [path for path, text in texts.items() if any(word in text for word in wanted)]


def find_condition(daemon: SyslogDaemon, path: Path, text: str, *, exempt: str, words: Iterable[str]) -> str:
    """Return `file:line` of the first condition before one of `words` that does not name `exempt`; nothing if there
    is none."""
    wanted = tuple(words)
    for match in daemon.condition.finditer(text):
        guarded = match[0] if daemon.names_filters else take_guarded(text[match.end(0) :])
        if exempt not in match[0] and (daemon.names_filters or any(word in guarded for word in wanted)):
            start = match.end(0) - len(match[0].lstrip())
            return f"{path}:{text.count(chr(10), 0, start) + 1}"
    return ""


def take_guarded(text: str) -> str:
    """Return what a condition decides about, of the text behind it: a block, or what stands before an empty line."""
    if not text.lstrip().startswith("{"):
        return text.partition("\n\n")[0]
    depth = 0
    for match in BRACE_OR_TEXT.finditer(text):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if match[0] == "}" and depth == 0:
            return text[: match.end(0)]
    return text
