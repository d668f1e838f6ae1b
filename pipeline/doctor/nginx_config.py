"""What nginx's configuration says about us: which socket it passes requests to, where it listens, as which user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pipeline.doctor.files import read_text
from pipeline.doctor.processes import Process
from pipeline.doctor.syslog_daemons import blank_comments, expand

DEFAULT_CONFIG = Path("/etc/nginx/nginx.conf")
DEFAULT_USER = "www-data"
INCLUDE = re.compile(r"(?:^|[;{}])\s*include\s+([^;\s]+)\s*;", re.MULTILINE)
COMMENT = re.compile(r"(?:^|(?<=[\s;{}]))#.*$", re.MULTILINE)
USER = re.compile(r"^\s*user\s+(\S+?)(?:\s+\S+)?\s*;", re.MULTILINE)
SOCKET = re.compile(r"(?:\bserver|\bproxy_pass)\s+(?:http://)?unix:([^;:\s]+)")
LISTEN = re.compile(r"\blisten\s+([^;]*\bssl\b[^;]*);")
MARK = re.compile(r"syslog[-_]pipeline")
"""What our snippets hold in any case."""


@dataclass(frozen=True, slots=True)
class NginxConfig:
    """`snippet` is the file that is about us, None if there is none."""

    path: Path
    user: str
    snippet: Path | None
    sockets: tuple[Path, ...]
    url: str

    def passes_to(self, path: Path) -> bool:
        """Whether requests go to the socket at `path`; a number in a name may stand for any."""
        patterns = (re.sub(r"\\\$\w+", r"\\d+", re.escape(str(named))) for named in self.sockets)
        return any(re.fullmatch(pattern, str(path)) for pattern in patterns)


def read_nginx(path: Path, sockets: Sequence[Path]) -> NginxConfig | None:
    """Return what is in the configuration at `path`; None if it cannot be read. `sockets` are those of ours."""
    texts: dict[Path, str] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop(0)
        if current in texts:
            continue
        texts[current] = COMMENT.sub("", blank_comments(read_text(current)))
        # A relative name is relative to the folder of the first file, wherever it stands.
        waiting.extend(found for name in INCLUDE.findall(texts[current]) for found in expand(name, path))
    if not texts[path]:
        return None
    user = next((match[1] for text in texts.values() if (match := USER.search(text))), DEFAULT_USER)
    about_us = find_snippets(texts, sockets)
    snippet = next((found for found in about_us if LISTEN.search(texts[found])), about_us[0] if about_us else None)
    return NginxConfig(
        path=path,
        user=user,
        snippet=snippet,
        sockets=tuple(Path(socket) for found in about_us for socket in SOCKET.findall(texts[found])),
        url=make_url(texts[snippet]) if snippet else "",
    )


def find_snippets(texts: dict[Path, str], sockets: Sequence[Path]) -> list[Path]:
    """Return the files that pass requests to one of our sockets, or to another one under our name."""
    return [
        path
        for path, text in texts.items()
        if (found := [Path(name) for name in SOCKET.findall(text)]) and (MARK.search(text) or set(found) & set(sockets))
    ]


def make_url(text: str) -> str:
    """Return the address at which this machine reaches what listens there with TLS; nothing if nothing does."""
    match = LISTEN.search(text)
    if match is None:
        return ""
    host, _, port = match[1].split()[0].rpartition(":")
    if not port.isdecimal():
        return ""
    return f"https://{host if host and host not in ('[::]', '0.0.0.0', '*') else 'localhost'}:{port}"  # noqa: S104


def find_masters(config: Path, processes: Sequence[Process]) -> list[Process]:
    """Return the nginx processes that run with this configuration and have the workers."""
    return [process for process in processes if process.name == "nginx" and read_config(process) == config]


def read_config(process: Process) -> Path | None:
    """Return the configuration of a master, whose title ends in its arguments; None of a worker."""
    words = " ".join(process.arguments).split()
    if words[:3] != ["nginx:", "master", "process"]:
        return None
    values = {flag: value for flag, value in pairwise(words) if flag in ("-c", "-p")}
    return Path(values.get("-p", "/etc/nginx")) / values.get("-c", DEFAULT_CONFIG)
