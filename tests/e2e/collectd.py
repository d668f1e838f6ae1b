"""The real collectd, with its unixsock plugin, and the files that its csv plugin writes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemons import answers, running

CONF = """Hostname "collecting"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/pid"
TypesDB "{types}"
LoadPlugin logfile
<Plugin logfile>
  File STDOUT
  LogLevel info
  Timestamp false
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "{folder}/collectd.sock"
  SocketPerms "0600"
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
  StoreRates false
</Plugin>
"""

DATE_CHARACTERS = len("-2026-11-21")


@dataclass(frozen=True, slots=True)
class Collectd:
    """A collectd that runs, or that can be started."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The socket of its unixsock plugin."""
        return self.folder / "collectd.sock"

    @contextmanager
    def run(self, types: str = "/usr/share/collectd/types.db") -> Iterator[None]:
        """Run it until the block ends, with these types."""
        self.folder.mkdir(exist_ok=True)
        conf = self.folder / "collectd.conf"
        conf.write_text(CONF.format(folder=self.folder, types=types))
        command = ["collectd", "-f", "-C", str(conf)]
        with running(command, self.folder / "collectd.out", ready=lambda: answers(self.socket, socket.SOCK_STREAM)):
            yield

    def read_rows(self) -> dict[str, list[tuple[str, str]]]:
        """Return time and value of each line of each file, by its identifier."""
        root = self.folder / "csv"
        found: dict[str, list[tuple[str, str]]] = {}
        for file in sorted(root.rglob("*-*-*-*")):
            if file.is_file():
                _heading, *lines = file.read_text().splitlines() or [""]
                rows = found.setdefault(str(file.relative_to(root))[:-DATE_CHARACTERS], [])
                rows += [(time, value) for time, _, value in (line.partition(",") for line in lines)]
        return found

    def read_values(self) -> dict[str, tuple[str, str]]:
        """Return the newest time and value of each identifier."""
        return {name: rows[-1] for name, rows in self.read_rows().items() if rows}

    def list_rows(self, end: str) -> list[tuple[str, str]]:
        """Return the rows of the identifier that ends so; none if there is no such one."""
        return next((rows for name, rows in self.read_rows().items() if name.endswith(end)), [])

    def read_log(self) -> str:
        """Return what it has said."""
        return (self.folder / "collectd.out").read_text(errors="replace")


def make_collectd(folder: Path) -> Collectd:
    """Return a collectd that keeps its files in `folder` and does not run yet."""
    return Collectd(folder)
