"""Where all is well, the doctor says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.doctor.checks import CHECKS
from pipeline.doctor.checks.line import log_line
from pipeline.doctor.scrape import LINES
from pipeline.shipped import render_shipped
from tests.doctor.chain import PATIENCE, Chain, ask_doctor, copy_programs
from tests.e2e.daemons import SYSLOG_NG, fetch_metrics, is_at_work, run_pipeline, run_rsyslog, wait_until
from tests.e2e.syslog_ng import SyslogNg, make_environment, render, running_syslog_ng


def test_all_is_well(chain: Chain) -> None:
    """Each check is made, and finds nothing."""
    told = chain.ask()
    assert [finding["check"] for finding in told.findings if finding["state"] != "ok"] == []
    assert [finding["check"] for finding in told.findings] == [check.name for check in CHECKS]
    assert told.status == 0


def test_no_line_is_sent_when_none_is_wanted(chain: Chain) -> None:
    """What needs a test line is not checked, and that is no failure."""
    before = read_lines(chain)
    told = chain.ask("--no-send")
    assert read_lines(chain) == before
    assert told.list_checks("not checked") == {"entry", "line", "writer", "work"}
    assert (told.failing, told.status) == (set(), 0)


def read_lines(chain: Chain) -> list[str]:
    """Return how many lines our daemon has read, of which source."""
    return [row for row in fetch_metrics(chain.http_socket).splitlines() if row.startswith(LINES)]


def test_access_without_credentials_is_refused(chain: Chain) -> None:
    """Who gives no password is refused, which is as it should be."""
    told = chain.ask(user=None, password_file=None)
    assert "is refused without a password, as it should be." in str(told.find("answer", "ok")["what"])


def test_words_for_people(chain: Chain) -> None:
    """Where there is no terminal each finding has a word before it; the last line sums up."""
    command = [sys.executable, "-m", "pipeline", "doctor", "--config", str(chain.folder / "settings.toml")]
    command += ["--log_socket", str(chain.syslog / "log.sock"), "--syslog_config", str(chain.syslog / "rsyslog.conf")]
    command += ["--nginx_config", str(chain.web.folder / "nginx.conf"), "--root", str(chain.folder / "root")]
    command += ["--timeout", PATIENCE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert f"ok          Settings: {chain.folder}/settings.toml is right." in lines
    assert "warning     nginx with TLS: The certificate of" in done.stdout  # without --ca it is not known who signed it
    assert lines[-1] == "Nothing wrong found, 1 worth a look, 18 right."
    assert (done.returncode, done.stderr) == (0, "")


def test_daemon_that_rsyslog_starts(tmp_path: Path) -> None:
    """Without a unit, a pipe or a file of settings: what setup has noted says so."""
    folder = tmp_path
    progs = copy_programs(folder / "programs", "doctor")
    record = folder / "root/etc/syslog-pipeline/setup.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"choices": {"way": "omprog", "instances": 1}}))
    rule = render_shipped(
        "rsyslog/omprog.conf",
        {
            "/usr/bin/syslog-pipeline run": f"{sys.executable} -m pipeline run",
            "/etc/syslog-pipeline/programs": str(progs),
            "/run/syslog-pipeline/metrics.sock": str(folder / "metrics.sock"),
            "/var/lib/syslog-pipeline/state": str(folder / "state"),
            "/var/log/syslog-pipeline.log": str(folder / "log"),
        },
    )
    with run_rsyslog(folder, rule) as log_socket:
        log_line(log_socket, b"<14>Nov 21 01:13:00 x: y", 5)  # with the first one rsyslog starts it
        wait_until(lambda: is_at_work(folder / "metrics.sock"), "our daemon runs")
        told = ask_doctor(
            progs=progs,
            unix_socket=folder / "metrics.sock",
            log_socket=log_socket,
            syslog_config=folder / "rsyslog.conf",
            nginx_config=folder / "none.conf",
            root=folder / "root",
            timeout=PATIENCE,
        )
    assert told.failing == set(), told.findings
    assert {"daemon", "syslog", "snippet", "line", "work"} <= told.list_checks("ok")


def test_instances_share_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With syslog-ng before two daemons each is asked, and takes a line of its own; one counts what was logged."""
    folder = tmp_path
    monkeypatch.setenv("PATH", f"{SYSLOG_NG}/usr/sbin", prepend=os.pathsep)
    for name in ("LD_LIBRARY_PATH", "SYSLOGNG_PREFIX"):
        monkeypatch.setenv(name, make_environment()[name])
    copy_programs(folder / "programs", "doctor")
    rules = render("pipe.conf", folder, {"/run/syslog-pipeline/log.fifo": f"{folder}/log@1.fifo"})
    syslog_ng = SyslogNg(folder / "syslog-ng", {"ours.conf": rules})
    flags = ("--progs", str(folder / "programs"))
    with (
        run_pipeline(folder, *flags, "--logs", f"{folder}/log@1.fifo", socket_name="metrics@1.sock"),
        run_pipeline(folder, *flags, "--logs", f"{folder}/log@2.fifo", socket_name="metrics@2.sock"),
        running_syslog_ng(syslog_ng),
    ):
        told = ask_doctor(
            progs=folder / "programs",
            logs=f"{folder}/log.fifo",
            unix_socket=folder / "metrics.sock",
            instances=2,
            log_socket=folder / "syslog-ng" / "devlog",
            syslog_config=syslog_ng.conf,
            nginx_config=folder / "none.conf",
            timeout="20s",
        )
    assert told.failing == set(), told.findings
    entries = [finding["what"] for finding in told.findings if finding["check"] == "entry"]
    assert entries == [f"A line put into {folder}/log@{number}.fifo is counted." for number in (1, 2)]
    assert "was counted by syslog-pipeline@1 after" in str(told.find("line", "ok")["what"])
    assert "warning" not in [finding["state"] for finding in told.findings if finding["check"] == "writer"]
