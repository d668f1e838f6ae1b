"""What an ordinary user is told: what cannot be seen is no failure."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.doctor.chain import PATIENCE, Chain, Told

NOBODY = 65534

DROP = f"""
import os, sys
from pipeline.cli import main
main([*sys.argv[1:], "--no-send"], standalone_mode=False)  # what it imports later may be hidden from the user
print("as nobody:", flush=True)
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.exit(main(sys.argv[1:], standalone_mode=False))
"""


def ask_as_nobody(chain: Chain) -> Told:
    """Return what the doctor says to a user who may do nothing."""
    flags = {
        "config": chain.folder / "settings.toml",
        "log_socket": chain.syslog / "log.sock",
        "syslog_config": chain.syslog / "rsyslog.conf",
        "nginx_config": chain.web.folder / "nginx.conf",
        "ca": chain.web.ca_file,
        "root": chain.folder / "root",
        "timeout": PATIENCE,
    }
    command = [sys.executable, "-c", DROP, "doctor", "--json", *(f"--{name}={value}" for name, value in flags.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return Told(done.returncode, json.loads(done.stdout.partition("as nobody:\n")[2])["findings"])


def test_ordinary_user_is_told_what_is_hidden(chain: Chain) -> None:
    """The daemon's socket is closed to him, so that little can be said; nothing is called wrong."""
    told = ask_as_nobody(chain)
    assert told.failing == set()
    assert told.status == 0
    found = told.find("daemon", "not checked")
    assert (found["what"], found["mend"]) == (
        f"Your user may not connect to {chain.http_socket}. Run this as root.",
        ["sudo syslog-pipeline doctor"],
    )
    left_out = {"entry", "line", "writer", "work", "page", "answer", "reader"}
    assert {str(finding["check"]) for finding in told.findings if finding["cause"] == "Daemon"} == left_out
    assert "answers" not in str(told.find("nginx", "ok")["what"])


def test_ordinary_user_before_closed_folders(chain: Chain) -> None:
    """What lies in them is not looked at, and the rest is."""
    chain.syslog.chmod(0o700)
    text = (chain.folder / "settings.toml").read_text()
    (chain.folder / "settings.toml").write_text(
        text.replace(str(chain.fifo), f"{chain.syslog}/log.fifo", 1).replace("]", f', "{chain.syslog}/x.log"]', 1)
    )
    try:
        told = ask_as_nobody(chain)
    finally:
        chain.syslog.chmod(0o755)
        (chain.folder / "settings.toml").write_text(text)
    assert told.failing == set()
    hidden = {"syslog_config", "sources", "rights"}
    assert hidden <= told.list_checks("not checked")
    found = told.find("syslog_config", "not checked")
    assert found["what"] == f"Your user may not look at {chain.syslog}/rsyslog.conf. Run this as root."
    assert {"settings", "programs", "nginx", "units"} <= told.list_checks("ok") - hidden


def test_ordinary_user_without_the_settings(chain: Chain) -> None:
    """Without them nothing is known, and nothing is called wrong."""
    (chain.folder / "settings.toml").chmod(0o600)
    try:
        told = ask_as_nobody(chain)
    finally:
        (chain.folder / "settings.toml").chmod(0o644)
    assert told.failing == set()
    assert "may not read" in str(told.find("settings", "not checked")["what"])
