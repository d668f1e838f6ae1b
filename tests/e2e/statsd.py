"""The real statsd, with its console back end."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemons import DEADLINE_SECONDS, ROOT, is_open, running
from tests.ports import find_port

STATSD = ROOT / ".cache" / "node" / "node_modules" / "statsd" / "stats.js"

# Node shows a key that is no identifier between the quotes that need the fewest escapes.
MEMBER = re.compile(r"""(?:(['"`])((?:\\.|(?!\1).)*)\1|([A-Za-z_]\w*)): (-?[\w.+]+|\[[^\]]*\])""")
ESCAPE = re.compile(r"\\(?:x([0-9A-F]{2})|(.))")
SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Statsd:
    """A statsd that runs, or that can be started. It keeps what it gets until it is stopped."""

    folder: Path
    port: int
    admin_port: int

    @property
    def socket(self) -> Path:
        """The stream socket that it listens on."""
        return self.folder / "statsd.sock"

    @contextmanager
    def run(self) -> Iterator[None]:
        """Run it until the block ends."""
        self.folder.mkdir(exist_ok=True)
        config = {
            "servers": [
                {"server": "./servers/udp", "address": "127.0.0.1", "port": self.port},
                {"server": "./servers/tcp", "socket": str(self.socket)},
            ],
            "mgmt_address": "127.0.0.1",
            "mgmt_port": self.admin_port,
            "flushInterval": 3_600_000,
            "backends": ["./backends/console"],
            "keyNameSanitize": False,
        }
        path = self.folder / "config.js"
        path.write_text(json.dumps(config))
        with running(["node", str(STATSD), str(path)], self.folder / "statsd.out", ready=self.is_up):
            yield

    def is_up(self) -> bool:
        """Whether it says so."""
        return is_open(self.admin_port) and self.ask("health", "\n") == "health: up\n"

    def ask(self, command: str, end: str = "END\n\n") -> str:
        """Return the answer of its admin interface."""
        with socket.create_connection(("127.0.0.1", self.admin_port), DEADLINE_SECONDS) as client:
            client.sendall(command.encode() + b"\n")
            answer = b""
            while not answer.endswith(end.encode()):
                data = client.recv(65536)
                assert data, answer
                answer += data
        return answer.decode()

    def list_members(self, of: str) -> dict[str, str]:
        """Return its counters, gauges or timers, without those about itself."""
        found = MEMBER.finditer(self.ask(of))
        members = {(one[3] or unescape(one[2] or "")): one[4] for one in found}
        return {name: value for name, value in members.items() if not name.startswith("statsd.")}

    def list_numbers(self, of: str) -> dict[str, float]:
        """Return its counters or gauges."""
        return {name: float(value) for name, value in self.list_members(of).items()}

    def count_bad_lines(self) -> int:
        """Return how many lines it could not read."""
        found = re.search(r"^messages.bad_lines_seen: (\d+)$", self.ask("stats"), re.MULTILINE)
        assert found is not None
        return int(found[1])


def unescape(text: str) -> str:
    """Return what Node shows between quotes."""
    return ESCAPE.sub(lambda one: chr(int(one[1], 16)) if one[1] else SIMPLE.get(one[2], one[2]), text)


def make_statsd(folder: Path) -> Statsd:
    """Return a statsd that keeps its files in `folder` and does not run yet."""
    return Statsd(folder, find_port(), find_port())
