"""The commands by which docs/troubleshooting.md follows a line show what the page says, on a host where all is well."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import Popen

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.daemons import DAEMON_PATH, ROOT, is_at_work, run_rsyslog, running
from tests.e2e.monitoring import BASIC_AUTH, render_prometheus, serve_prometheus
from tests.e2e.pages import Command, follow, open_shell, read_steps
from tests.e2e.web import PASSWORD, USER, run_nginx

PAGE = ROOT / "docs" / "troubleshooting.md"
COMMANDS = Path(sys.executable).parent
"""Our command stands where the Python that runs the tests does."""

RSYSLOG = """
action(type="omfile" file="{folder}/syslog" template="RSYSLOG_TraditionalFileFormat")
include(file="{folder}/rsyslog.d/*.conf")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """A host in a folder; give where in it stands what is elsewhere on a real one."""
    with tempfile.TemporaryDirectory(prefix="e2e-trouble-") as name, ExitStack() as stack:
        folder = Path(name)
        for made in ("rsyslog.d", "programs"):
            (folder / made).mkdir()
        shutil.copy(ROOT / "pipeline" / "programs" / "doctor.mtail", folder / "programs")
        snippet = render_shipped("rsyslog/pipe.conf", {"/run/syslog-pipeline": name})
        (folder / "rsyslog.d" / "60-syslog-pipeline.conf").write_text(snippet)
        stack.enter_context(run_command(folder))
        log_socket = stack.enter_context(run_rsyslog(folder, RSYSLOG.format(folder=folder)))
        web = stack.enter_context(run_nginx(folder))
        prometheus = stack.enter_context(serve_prometheus(render_prometheus(folder, BASIC_AUTH, web)))
        yield {
            "/run/syslog-pipeline/": f"{folder}/",
            "/etc/syslog-pipeline/programs": f"{folder}/programs",
            "/etc/syslog-pipeline": str(web.folder),
            "/etc/rsyslog.": f"{folder}/rsyslog.",
            "/var/spool/rsyslog/": f"{folder}/",
            "/var/log/syslog": f"{folder}/syslog",
            "/dev/log": str(log_socket),
            "localhost:9443": f"localhost:{web.port}",
            "loghost.example.com:9443": f"localhost:{web.port}",
            "localhost:9090": f"localhost:{prometheus.client.base_url.port}",
            f"{USER}:PASSWORD": f"{USER}:{PASSWORD}",
        }


def run_command(folder: Path) -> AbstractContextManager[Popen[bytes]]:
    """Run our daemon by its command, by whose name the page knows it."""
    http_socket = folder / "metrics.sock"
    command = [
        str(COMMANDS / "syslog-pipeline"),
        "run",
        "--progs",
        f"{folder}/programs",
        "--logs",
        f"{folder}/log.fifo",
    ]
    ready = partial(is_at_work, http_socket)
    return running([*command, "--unix_socket", str(http_socket)], folder / "pipeline.out", ready=ready)


def adapt(text: str, places: dict[str, str]) -> str:
    """Return `text` for the host in the folder."""
    for real, ours in places.items():
        text = text.replace(real, ours)
    return text


def test_way_of_a_line_is_as_the_page_shows_it(places: dict[str, str], tmp_path: Path) -> None:
    """Every command is typed, and prints what the page shows, on a host in a folder. The doctor has its own tests."""
    steps = [step for step in read_steps(PAGE) if isinstance(step, Command)]
    assert steps.pop(0) == Command("syslog-pipeline doctor\n", "", for_root=True)
    unused = [real for real in places if not any(real in step.text + step.shown for step in steps)]
    assert unused == []
    with open_shell(tmp_path, {"PATH": f"{COMMANDS}:{DAEMON_PATH}"}) as shell:
        follow(
            [
                replace(step, text=adapt(step.text, places), shown=adapt(step.shown, places), for_root=False)
                for step in steps
            ],
            shell,
            slowly=True,
        )
