"""A real browser: Chromium without a window, which reaches nothing but this machine's loopback address."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from tempfile import TemporaryDirectory

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.e2e.daemons import DEADLINE_SECONDS

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def find_command(name: str) -> str:
    """Return where a command is, that `make` installs."""
    path = shutil.which(name)
    assert path, f"{name} is missing: run make"
    return path


@contextmanager
def run_browser() -> Iterator[webdriver.Chrome]:
    """Run Chromium with a new profile, and give what drives it. Nothing is downloaded for it."""
    # A process of its many may still write when the driver has ended.
    with TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True) as profile, driving(profile) as driver:
        yield driver


@contextmanager
def driving(profile: str) -> Iterator[webdriver.Chrome]:
    """Run Chromium with the profile in a folder."""
    options = Options()
    options.binary_location = find_command("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("no_proxy", "*")  # the driver is on this machine
        environment.setenv("HOME", profile)  # of whoever runs the tests nothing is touched
        driver = webdriver.Chrome(options=options, service=Service(find_command("chromedriver")))
    try:
        driver.set_page_load_timeout(DEADLINE_SECONDS)
        yield driver
    finally:
        driver.quit()


@contextmanager
def bridge(path: Path) -> Iterator[str]:
    """Lead connections to a port of the loopback address to the unix socket at `path`; give the address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(path))
                answers = threading.Thread(target=pump, args=(server, self.request))
                answers.start()
                pump(self.request, server)
                answers.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes, to the end."""
    with suppress(OSError):  # either has gone
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
