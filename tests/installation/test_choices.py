"""Choices that do not go together, or not with the machine: one plain sentence each, and status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installation.roots import install, make_root, read_tree, setup, write

BOTH = ("rsyslog", "syslog-ng")

WRONG = {
    "both": (BOTH, (), "rsyslog and syslog-ng are both installed: choose with --syslog_daemon."),
    "neither": (
        (),
        (),
        "Neither rsyslog nor syslog-ng is installed below {root}: install one of them, or set up the rest with "
        "--syslog_daemon none.",
    ),
    "not-installed": (("rsyslog",), ("--syslog_daemon", "syslog-ng"), "syslog-ng is not installed below {root}."),
    "no-nginx": (
        ("rsyslog",),
        ("--nginx", "basic-auth"),
        "nginx is not installed below {root}: install it, or give --nginx none.",
    ),
    "omprog-of-syslog-ng": (
        ("syslog-ng",),
        ("--way", "omprog"),
        "syslog-ng has no way omprog: choose of pipe, socket, datagram, program.",
    ),
    "program-of-rsyslog": (
        ("rsyslog",),
        ("--way", "program"),
        "rsyslog has no way program: choose of pipe, socket, datagram, ompipe, omprog.",
    ),
    "omprog-of-nobody": (
        (),
        ("--syslog_daemon", "none", "--way", "omprog"),
        "--way omprog needs a syslog daemon that starts syslog-pipeline.",
    ),
    "omprog-with-instances": (
        ("rsyslog",),
        ("--way", "omprog", "--instances", "2"),
        "--instances 2 does not go with --way omprog: lines are spread over pipes.",
    ),
    "socket-with-instances": (
        ("syslog-ng",),
        ("--way", "socket", "--instances", "4"),
        "--instances 4 does not go with --way socket: lines are spread over pipes.",
    ),
    "no-instance": (("rsyslog",), ("--instances", "0"), "--instances must be at least 1, not 0."),
    "too-many-instances": (("rsyslog",), ("--instances", "65"), "--instances must be at most 64, not 65."),
    "unknown-program": (
        ("rsyslog",),
        ("--programs", "sshd,apache"),
        "There is no line program apache among those that come with syslog-pipeline: choose of cron, dhcp, fail2ban, "
        "firewall, kernel, nginx_access, postfix, sshd, sudo, syslog_lines, systemd, or all.",
    ),
    "two-deeds": (("rsyslog",), ("--install", "--uninstall"), "--install and --uninstall do not go together."),
    "two-places": (
        ("rsyslog",),
        ("--install", "--into", "tree"),
        "--install writes into place and --into below a folder: give one of them.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_sentence(case: str, tmp_path: Path) -> None:
    """And nothing is written."""
    programs, flags, sentence = WRONG[case]
    root = make_root(tmp_path / "root", *programs)
    before = read_tree(root)
    result = setup(root, *(() if "--into" in flags else ("--install",)), *flags)
    assert (result.exit_code, result.stderr) == (2, f"Error: {sentence.format(root=root)}\n")
    assert read_tree(root) == before


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    """It is not made."""
    result = setup(tmp_path / "nowhere")
    assert (result.exit_code, result.stderr) == (2, f"Error: The root {tmp_path}/nowhere is not a folder.\n")


def test_one_of_two_daemons_may_be_chosen(tmp_path: Path) -> None:
    """And later the other one: then the first is started anew without us, and the second with us."""
    root = make_root(tmp_path, *BOTH)
    install(root, "--syslog_daemon", "rsyslog")
    told = install(root, "--syslog_daemon", "syslog-ng").stdout
    assert not (root / "etc/rsyslog.d/60-syslog-pipeline.conf").exists()
    assert (root / "etc/syslog-ng/conf.d/syslog-pipeline.conf").exists()
    assert told.index("systemctl restart syslog-ng") < told.index("systemctl restart rsyslog")


def test_all_programs_may_be_asked_for(tmp_path: Path) -> None:
    """Those that `--programs` could add are told only if there are any."""
    root = make_root(tmp_path, "rsyslog")
    told = install(root, "--programs", "all").stdout
    shipped = Path(__file__).parents[2] / "pipeline" / "programs"
    placed = root / "etc/syslog-pipeline/programs"
    assert {path.name for path in placed.iterdir()} == {path.name for path in shipped.glob("*.mtail")}
    assert "--programs can add" not in told


def test_machine_without_a_syslog_daemon_gets_the_rest(tmp_path: Path) -> None:
    """A pipe for whoever writes to it."""
    root = make_root(tmp_path)
    told = install(root, "--syslog_daemon", "none").stdout
    assert (root / "etc/systemd/system/syslog-pipeline.socket").exists()
    assert "rsyslog" not in told.partition("Now run")[2]


def test_choices_may_stand_in_a_file(tmp_path: Path) -> None:
    """As those of every command."""
    root = make_root(tmp_path / "root", *BOTH)
    write(tmp_path / "choices.toml", 'syslog_daemon = "syslog-ng"\nprograms = ["cron", "sshd"]\nway = "datagram"\n')
    install(root, "--config", str(tmp_path / "choices.toml"))
    assert "unix-dgram(" in (root / "etc/syslog-ng/conf.d/syslog-pipeline.conf").read_text()
    assert (root / "etc/syslog-pipeline/programs/cron.mtail").exists()
