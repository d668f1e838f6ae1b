"""The real carbon of Graphite, with its whisper files, and our daemon before it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemons import is_open, running
from tests.ports import find_port

CONF = """[cache]
STORAGE_DIR = {folder}
CONF_DIR = {folder}
LOG_DIR = {folder}/log
PID_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line_port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle_port}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query_port}
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = 5000
ENABLE_LOGROTATION = False
ENABLE_TAGS = False
"""

SCHEMAS = """[all]
pattern = .*
retentions = 1s:1h
"""

READ = """
import json, pathlib, sys, time, whisper
root = pathlib.Path(sys.argv[1])
found = {}
for file in root.rglob("*.wsp"):
    try:
        _, values = whisper.fetch(str(file), 0)
    except whisper.CorruptWhisperFile:
        continue  # it is being made
    known = [value for value in values if value is not None]
    if known:
        found[str(file.relative_to(root)).removesuffix(".wsp").replace("/", ".")] = str(known[-1])
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Carbon:
    """A carbon that runs, or that can be started."""

    folder: Path
    port: int

    @contextmanager
    def run(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block ends."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        conf = self.folder / "carbon.conf"
        ports = {"line_port": self.port, "pickle_port": find_port(), "query_port": find_port()}
        conf.write_text(CONF.format(folder=self.folder, **ports))
        (self.folder / "storage-schemas.conf").write_text(SCHEMAS)
        command = ["carbon-cache", f"--config={conf}", f"--pidfile={self.folder}/pid"]
        command += [f"--logdir={self.folder}/log", "--nodaemon", "start"]
        # Twisted ends by the signal itself, when it has put everything in order.
        with running(
            command, self.folder / "carbon.out", ready=lambda: is_open(self.port), status=-signal.SIGTERM
        ) as process:
            yield process

    def read_values(self) -> dict[str, float]:
        """Return the newest value of each whisper file, by its path in Graphite."""
        command = ["/usr/bin/python3", "-c", READ, str(self.folder / "whisper")]
        read = subprocess.run(command, capture_output=True, check=True)
        return {path: float(value) for path, value in json.loads(read.stdout).items()}

    def read_log(self) -> str:
        """Return what carbon has said, of lines that it did not like among others."""
        return "".join(path.read_text() for path in sorted(self.folder.rglob("*.log"))) + (
            self.folder / "carbon.out"
        ).read_text(errors="replace")


def make_carbon(folder: Path) -> Carbon:
    """Return a carbon that keeps its files in `folder` and does not run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return Carbon(folder, find_port())
