"""Deliberately broken between an application and our pipe: the doctor names that one cause, and what mends it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.shipped import render_shipped
from tests.doctor.chain import IMPATIENCE, Chain, Told, find_holding, render_rule
from tests.e2e.daemons import run_rsyslog, wait_until

TEMPLATE = 'template="RSYSLOG_TraditionalFileFormat"'


@contextmanager
def run_other_rsyslog(rest: str, folder: Path) -> Iterator[Mapping[str, object]]:
    """Run another rsyslogd; give the flags that name it."""
    with run_rsyslog(folder, rest) as log_socket:
        yield {"log_socket": log_socket, "syslog_config": folder / "rsyslog.conf"}


def ask_about(chain: Chain, rest: str, folder: Path) -> Told:
    """Return what the doctor says of the way with another rsyslogd in it."""
    with run_other_rsyslog(rest, folder) as flags:
        return chain.ask(**{"timeout": IMPATIENCE, **flags})


def test_rsyslog_that_does_not_run(chain: Chain, tmp_path: Path) -> None:
    """Its configuration is right, and its log socket is not there."""
    config = tmp_path / "rsyslog.conf"
    config.write_text(render_rule(chain.fifo))
    told = chain.ask(syslog_config=config, log_socket=tmp_path / "log.sock")
    told.assert_only("syslog", f"rsyslog does not run with {config}.", "systemctl start rsyslog")


def test_configuration_that_is_broken(chain: Chain, tmp_path: Path) -> None:
    """Its first mistake is shown; that it does not run is a consequence."""
    config = tmp_path / "rsyslog.conf"
    config.write_text(render_rule(chain.fifo, {'type="omfile"': 'type="omfill"'}))
    told = chain.ask(syslog_config=config, log_socket=tmp_path / "log.sock")
    told.assert_only("syslog_config", "rsyslog finds a mistake: ", f"rsyslogd -N1 -f {config}")
    assert told.find("syslog_config")["what"] == "rsyslog finds a mistake: module name 'omfill' is unknown"


def test_configuration_without_our_rule(chain: Chain, tmp_path: Path) -> None:
    """rsyslog runs, and does not know of us."""
    told = ask_about(chain, f'action(type="omfile" file="{tmp_path}/all")', tmp_path)
    told.assert_only(
        "snippet",
        f"Nothing in {tmp_path}/rsyslog.conf, or what it includes, writes to {chain.fifo}.",
        "syslog-pipeline setup --install --syslog_daemon rsyslog",
    )


def test_filter_that_keeps_the_line_back(chain: Chain, tmp_path: Path) -> None:
    """A list of applications that lacks the doctor; its place is named."""
    told = ask_about(chain, render_filter(chain, {'"syslog-pipeline-doctor",': ""}), tmp_path)
    config = tmp_path / "rsyslog.conf"
    number = config.read_text().splitlines().index("if $programname == [") + 1
    told.assert_only("line", f"A test line sent to {tmp_path}/log.sock was not counted", f"editor {config}")
    assert str(told.find("line")["what"]).endswith(f"that a condition keeps it back, at {config}:{number}.")


def test_filter_that_lets_the_line_through(chain: Chain, tmp_path: Path) -> None:
    """A condition by itself is nothing wrong."""
    with run_other_rsyslog(render_filter(chain), tmp_path) as flags:
        assert chain.ask(**flags).failing == set()


def render_filter(chain: Chain, changes: Mapping[str, str] | None = None) -> str:
    """Return the rule for rsyslog that lets some applications through, for this pipe, with some changes."""
    return render_shipped("rsyslog/filter.conf", {"/run/syslog-pipeline/log.fifo": str(chain.fifo), **(changes or {})})


def test_template_that_programs_do_not_know(chain: Chain, tmp_path: Path) -> None:
    """Lines come, and no program knows them."""
    template = 'template(name="mine" type="string" string="%msg%|%hostname%\\n")\n'
    told = ask_about(chain, template + render_rule(chain.fifo, {TEMPLATE: 'template="mine"'}), tmp_path)
    told.assert_only(
        "line", f"A test line sent to {tmp_path}/log.sock was not counted", f"editor {tmp_path}/rsyslog.conf"
    )
    assert "though lines have come" in str(told.find("line")["what"])
    assert "should be RSYSLOG_TraditionalFileFormat." in str(told.find("line")["why"])


def test_rule_that_is_stopped_before_ours(chain: Chain, tmp_path: Path) -> None:
    """Nothing in our rule is wrong, and still nothing comes."""
    told = ask_about(chain, f"*.* stop\n{render_rule(chain.fifo)}", tmp_path)
    told.assert_only("line", f"A test line sent to {tmp_path}/log.sock was not counted", "systemctl restart rsyslog")
    assert str(told.find("line")["why"]).startswith("Another rule may have stopped it")


@contextmanager
def writing(chain: Chain) -> Iterator[None]:
    """Have somebody write lines that a program knows into our pipe, which is never empty: some come at each look."""
    line = "Nov 21 01:13:00 host sshd[1]: Connection closed by authenticating user root 192.0.2.1 port 1 [preauth]"
    with subprocess.Popen(["sh", "-c", 'exec yes "$0" >"$1"', line, str(chain.fifo)]) as writer:
        try:
            wait_until(lambda: writer.pid in find_holding(chain.fifo), "it writes")
            yield
        finally:
            writer.kill()


def test_busy_pipe_gets_no_test_line(chain: Chain) -> None:
    """It might come between two pieces of another's line; what comes anyway is evidence enough."""
    with writing(chain):
        told = chain.ask()
    assert told.failing == set()
    assert str(told.find("entry", "ok")["what"]).startswith(f"Lines come through {chain.fifo} and are counted")


def test_lines_of_others_say_nothing_against_the_template(chain: Chain, tmp_path: Path) -> None:
    """On a busy host a line is missing among many that programs know."""
    with writing(chain):
        told = ask_about(chain, f"*.* stop\n{render_rule(chain.fifo)}", tmp_path)
    told.assert_only("line", f"A test line sent to {tmp_path}/log.sock was not counted", "systemctl restart rsyslog")
    assert str(told.find("line")["what"]).endswith("others have come: rsyslog has not handed it over.")


def test_filter_is_blamed_on_a_busy_host_too(chain: Chain, tmp_path: Path) -> None:
    """That others come through is what a filter is for."""
    with writing(chain):
        told = ask_about(chain, render_filter(chain, {'"syslog-pipeline-doctor",': ""}), tmp_path)
    told.assert_only("line", f"A test line sent to {tmp_path}/log.sock", f"editor {tmp_path}/rsyslog.conf")
    assert "that a condition keeps it back" in str(told.find("line")["what"])


def test_rule_that_was_changed_since_the_start(chain: Chain, tmp_path: Path) -> None:
    """rsyslog reads it when it starts; the newest of the files that name our pipe counts."""
    with run_other_rsyslog(render_rule(chain.fifo), tmp_path) as flags:
        assert "snippet" not in chain.ask(**flags).list_checks("warning")
        config = tmp_path / "rsyslog.conf"
        later = config.stat().st_mtime + 60
        os.utime(config, (later, later))
        found = chain.ask(**flags).find("snippet", "warning")
    assert found["what"] == f"{config} was changed after rsyslog had started."


def test_writer_that_may_not_write(chain: Chain, open_folder: Path) -> None:
    """rsyslogd gives up its rights, and the pipe is not open to the user that it becomes."""
    drop = "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n"
    told = ask_about(chain, drop + render_rule(chain.fifo), open_folder)
    told.assert_only(
        "rights",
        f"The user nobody may not write to {chain.fifo} (mode 0660, owner root",
        f"chgrp nogroup {chain.fifo} && chmod g+w {chain.fifo}",
    )
