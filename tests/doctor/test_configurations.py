"""What the doctor reads out of the configuration of rsyslog, syslog-ng and nginx, and out of what setup has noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.doctor.examination import OUR_RULES
from pipeline.doctor.nginx_config import read_nginx
from pipeline.doctor.processes import Process
from pipeline.doctor.rights import Account
from pipeline.doctor.site import add_number, is_pipe_path, make_site
from pipeline.doctor.syslog_daemons import (
    RSYSLOG,
    SYSLOG_NG,
    SyslogDaemon,
    find_condition,
    find_mentions,
    read_configuration,
)
from pipeline.settings import DoctorSettings
from pipeline.shipped import find_shipped
from tests.e2e.daemons import ROOT

TAG = "syslog-pipeline-doctor"


def write(folder: Path, **texts: str) -> None:
    """Write files, whose names have a dot for each underscore."""
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_rsyslog_includes_are_followed(tmp_path: Path) -> None:
    """In both of its forms, with patterns; a file that includes itself is read once."""
    write(tmp_path, a_conf=f'$IncludeConfig {tmp_path}/b.conf\n# include(file="{tmp_path}/d.conf")\n')
    write(tmp_path, b_conf=f'include(file="{tmp_path}/[ac].conf" mode="optional")\n')
    write(tmp_path, c_conf='action(type="omfile" file="/x/log.fifo")', d_conf="/x/log.fifo")
    texts = read_configuration(RSYSLOG, tmp_path / "a.conf")
    assert sorted(path.name for path in texts) == ["a.conf", "b.conf", "c.conf"]
    assert find_mentions(texts, ["/x/log.fifo"]) == [tmp_path / "c.conf"]


def test_syslog_ng_includes_are_followed(tmp_path: Path) -> None:
    """A name is relative to the file that includes it; a folder stands for its files."""
    (tmp_path / "conf.d").mkdir()
    write(tmp_path / "conf.d", ours_conf='destination d { pipe("/x/log.fifo"); };')
    write(tmp_path, a_conf='@version: 3.38\n@include "conf.d"\n')
    assert find_mentions(read_configuration(SYSLOG_NG, tmp_path / "a.conf"), ["/x/log.fifo"]) == [
        tmp_path / "conf.d/ours.conf"
    ]


@pytest.mark.parametrize("name", ["rsyslog/filter.conf", "syslog-ng/filter.conf"])
def test_filters_that_we_ship_let_the_test_line_through(name: str) -> None:
    """What they list has the doctor among it; without it, they are what keeps the line back."""
    path = find_shipped(name)
    daemon = RSYSLOG if name.startswith("rsyslog") else SYSLOG_NG
    text = read_configuration(daemon, path)[path]
    assert find_condition(daemon, path, text, exempt=TAG, words=OUR_RULES) == ""
    assert find_condition(daemon, path, text.replace(TAG, "x"), exempt=TAG, words=OUR_RULES).startswith(f"{path}:")


@pytest.mark.parametrize(("daemon", "folder"), [(RSYSLOG, "rsyslog"), (SYSLOG_NG, "syslog-ng")])
def test_no_file_that_we_ship_is_taken_for_a_filter(daemon: SyslogDaemon, folder: str) -> None:
    """Of those that lead to us none keeps back the doctor's line."""
    texts = {
        path: text for file in (ROOT / folder).iterdir() for path, text in read_configuration(daemon, file).items()
    }
    leading = find_mentions(texts, OUR_RULES)
    assert leading
    assert [
        place for path in leading if (place := find_condition(daemon, path, texts[path], exempt=TAG, words=OUR_RULES))
    ] == []


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ('if $programname == "sshd" then {\n  call syslog_pipeline\n}', 1),
        ('\nif $programname == "sshd" then call syslog_pipeline\n', 2),
        (':programname, isequal, "sshd" call syslog_pipeline\n', 1),
        ('if $msg contains "}" then {\n  action(type="x" y="}")\n}\n\ncall syslog_pipeline\n', 0),
        ('if $msg == "" then stop\n\ncall syslog_pipeline\n', 0),
    ],
)
def test_condition_counts_if_it_decides_about_us(rule: str, line: int) -> None:
    """One about something else in the same file is not blamed."""
    place = find_condition(RSYSLOG, Path("r.conf"), rule, exempt=TAG, words=OUR_RULES)
    assert place == (f"r.conf:{line}" if line else "")


def make_process(*arguments: str) -> Process:
    """Return a process with these arguments."""
    return Process(1, 0, Path(arguments[0]).name, "S", arguments, Account(0, frozenset()))


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (("/usr/sbin/rsyslogd", "-n", "-iNONE"), "/etc/rsyslog.conf"),
        (("rsyslogd", "-n", "-f", "/x/r.conf"), "/x/r.conf"),
        (("rsyslogd", "-f/x/r.conf"), "/x/r.conf"),
    ],
)
def test_process_is_known_by_its_configuration(arguments: tuple[str, ...], config: str) -> None:
    """So another rsyslogd on the machine is not taken for the one that is meant."""
    process = make_process(*arguments)
    assert RSYSLOG.find_processes(Path(config), [process]) == [process]
    assert RSYSLOG.find_processes(Path("/other"), [process]) == []


def test_our_daemon_is_known_by_its_command() -> None:
    """Installed or from a checkout; what only looks like it is not."""
    assert make_process("/usr/bin/python3", "/usr/bin/syslog-pipeline", "run", "--config", "x").is_ours
    assert make_process("python", "-m", "pipeline", "run").is_ours
    assert not make_process("/usr/bin/python3", "/usr/bin/syslog-pipeline", "doctor").is_ours
    assert not make_process("vi", "run", "syslog-pipeline").is_ours


def test_nginx_as_we_ship_it(tmp_path: Path) -> None:
    """The socket, the instances', the port and the user are found where they are."""
    (tmp_path / "locations.conf").write_text(find_shipped("nginx/locations.conf").read_text())
    guard = find_shipped("nginx/basic-auth.conf").read_text()
    (tmp_path / "ours.conf").write_text(guard.replace("/etc/nginx/snippets/syslog-pipeline.conf", "locations.conf"))
    (tmp_path / "nginx.conf").write_text("user www-data www-data;\nhttp {\n  include ours.conf;\n}\n")
    config = read_nginx(tmp_path / "nginx.conf", [])
    assert config is not None
    assert (config.user, config.snippet, config.url) == ("www-data", tmp_path / "ours.conf", "https://localhost:9443")
    assert config.passes_to(Path("/run/syslog-pipeline/metrics.sock"))
    assert config.passes_to(Path("/run/syslog-pipeline/metrics@12.sock"))
    assert not config.passes_to(Path("/run/syslog-pipeline/metrics@x.sock"))
    assert read_nginx(tmp_path / "none.conf", []) is None


def test_number_of_an_instance_stands_in_its_names() -> None:
    """As in the units and files that we ship."""
    assert add_number("/run/syslog-pipeline/log.fifo", 2) == "/run/syslog-pipeline/log@2.fifo"
    assert add_number("unix:///run/x/log.stream.sock", 2) == "unix:///run/x/log@2.stream.sock"
    assert add_number("journal://", 2) == "journal://"


def test_pipe_is_told_from_a_log_file(tmp_path: Path) -> None:
    """By what is there, else by its name and place."""
    assert is_pipe_path("/run/syslog-pipeline/log")
    assert is_pipe_path(str(tmp_path / "x.fifo"))
    assert not is_pipe_path(str(tmp_path / "x.log"))
    assert not is_pipe_path("/run/other/x.log")
    assert not is_pipe_path("unix:///run/x.sock")
    assert not is_pipe_path("-")


def test_what_setup_has_noted_is_taken_up(tmp_path: Path) -> None:
    """How many instances there are; a flag wins over it, and what cannot be read is nothing."""
    record = tmp_path / "etc/syslog-pipeline/setup.json"
    record.parent.mkdir(parents=True)
    for text, count in ((json.dumps({"choices": {"instances": 3}}), 3), ("[]", 1), ("{", 1)):
        record.write_text(text)
        assert len(make_site(DoctorSettings(root=tmp_path, config=tmp_path / "x")).instances) == count
    assert len(make_site(DoctorSettings(root=tmp_path, instances=2)).instances) == 2


def test_variables_of_the_unit_win_over_the_file(tmp_path: Path) -> None:
    """They are flags of the daemon as systemd reads them; of a daemon that the syslog daemon starts they are not."""
    config = tmp_path / "settings.toml"
    config.write_text('logs = ["/x/a.fifo"]\nunix_socket = "/x/m.sock"\n')
    environment = tmp_path / "etc/default/syslog-pipeline"
    environment.parent.mkdir(parents=True)
    environment.write_text(
        "# a comment\nSYSLOG_PIPELINE_LOGS=/x/b.fifo,unix:///x/c.sock\n  SYSLOG_PIPELINE_PROGS = '/x/my programs' \n"
        "PYTHONFAULTHANDLER=1\n#SYSLOG_PIPELINE_UNIX_SOCKET=/x/n.sock\nSYSLOG_PIPELINE_MAX_LINE_BYTES=4096\n"
    )
    site = make_site(DoctorSettings(config=config, root=tmp_path))
    assert site.config_trouble == ""
    assert site.instances[0].logs == ("/x/b.fifo", "unix:///x/c.sock")
    assert (site.progs, site.instances[0].unix_socket) == (Path("/x/my programs"), Path("/x/m.sock"))
    assert make_site(DoctorSettings(config=config, root=tmp_path, logs=("/x/d",))).instances[0].logs == ("/x/d",)
    numbered = make_site(DoctorSettings(config=config, root=tmp_path, instances=2))
    assert numbered.instances[1].logs == ("/x/a@2.fifo",)  # the unit of an instance names its pipe by a flag
    environment.write_text("SYSLOG_PIPELINE_MAX_LINE_BYTES=many\n")
    trouble = make_site(DoctorSettings(config=config, root=tmp_path)).config_trouble
    assert trouble == f"{environment}: SYSLOG_PIPELINE_MAX_LINE_BYTES must be a whole number."


def test_settings_are_read_as_the_daemon_reads_them(tmp_path: Path) -> None:
    """Every source, and where it serves; a value that `run` would refuse is refused here."""
    config = tmp_path / "settings.toml"
    config.write_text('logs = ["/x/a.fifo", "unix:///x/b,c.sock"]\nunix-socket = "/x/m.sock"\nsource_mode = "0660"\n')
    site = make_site(DoctorSettings(config=config))
    assert site.config_trouble == ""
    assert site.instances[0].logs == ("/x/a.fifo", "unix:///x/b,c.sock")
    assert site.instances[0].unix_socket == Path("/x/m.sock")
    assert [str(path) for path in (*site.instances[0].pipes, *site.instances[0].sockets)] == [
        "/x/a.fifo",
        "/x/b,c.sock",
    ]
    config.write_text("max_line_bytes = 0\n")
    assert make_site(DoctorSettings(config=config)).config_trouble == "--max_line_bytes must be at least 1, not 0."
