"""`syslog-pipeline setup`: what it shows, what it writes, what it leaves alone, and what it takes away."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from pipeline import __version__
from tests.installation.roots import (
    MANIFEST,
    SERVICE,
    SETTINGS,
    SHIPPED,
    SNIPPET,
    install,
    read_tree,
    read_written,
    root,
    setup,
    write,
)

__all__ = ["root"]

ROOT = Path(__file__).parents[2]


def test_without_a_deed_it_shows_a_diff_and_writes_nothing(root: Path) -> None:
    """What would be written, as a unified diff, and the commands that come then."""
    before = read_tree(root)
    result = setup(root)
    assert result.exit_code == 0
    assert read_tree(root) == before
    assert f"Found below {root}: rsyslog, nginx (user www-data), systemd.\n" in result.stdout
    text = (ROOT / "rsyslog" / "pipe.conf").read_text()
    lines = text.splitlines()
    diff = ["--- /dev/null", f"+++ /{SNIPPET}", f"@@ -0,0 +1,{len(lines)} @@", *(f"+{line}" for line in lines)]
    assert f"/{SNIPPET} is written.\n" + "\n".join(diff) in result.stdout
    assert "\x1b" not in result.stdout
    assert "\nThis is what --install would do.\n\n/etc/" in result.stdout
    assert "\nNothing has been written yet. Give --install too; then, as root, in this order:\n    # " in result.stdout


def test_preview_of_what_is_in_place_asks_for_no_installation(root: Path) -> None:
    """There is nothing to write: only the commands are left."""
    install(root)
    told = setup(root).stdout
    assert "--install" not in told
    assert "\nNothing has to be written.\n\nThen, as root, in this order:\n    # " in told


def test_usual_machine_gets_the_files_as_they_are_shipped(root: Path) -> None:
    """Byte by byte: what the documents say of the shipped files is true of those in place."""
    before = read_tree(root)
    result = install(root)
    expected = {path: (ROOT / shipped).read_bytes() for path, shipped in SHIPPED.items()}
    assert read_written(root, before) == expected
    assert f"{len(expected)} files written.\n" in result.stdout
    assert {oct((root / path).stat().st_mode & 0o7777) for path in expected} == {"0o644"}
    assert not list(root.rglob("*.setup-part"))


def test_everybody_may_read_whatever_the_umask_is(root: Path) -> None:
    """The daemon's user must, and a hardened root has a umask that keeps others out."""
    before = set(root.rglob("*"))
    umask = os.umask(0o077)
    try:
        install(root)
    finally:
        os.umask(umask)
    modes = {path.stat().st_mode for path in set(root.rglob("*")) - before}
    assert modes == {stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644}


def test_second_run_has_nothing_to_do(root: Path) -> None:
    """It says so, and changes no file, not even the manifest's time."""
    install(root, "--programs", "sshd,cron.mtail")
    before = read_tree(root)
    manifest = root / MANIFEST
    changed = manifest.stat().st_mtime_ns
    result = install(root)
    assert "Nothing has to be written.\n" in result.stdout
    assert "@@" not in result.stdout
    assert read_tree(root) == before
    assert manifest.stat().st_mtime_ns == changed
    known = json.loads(manifest.read_bytes())
    assert known["version"] == __version__
    assert known["choices"]["programs"] == ["cron", "doctor", "sshd"]


def test_into_writes_the_same_tree_below_a_folder(root: Path, tmp_path: Path) -> None:
    """And nothing below the root; who takes the tree to the machine takes the manifest along."""
    before = read_tree(root)
    result = setup(root, "--into", str(tmp_path / "tree"))
    assert result.exit_code == 0, result.output
    assert read_tree(root) == before
    install(root)
    assert read_written(tmp_path / "tree", {}) == read_written(root, before)
    assert (tmp_path / "tree" / MANIFEST).exists()


def test_changed_file_is_kept_and_named(root: Path) -> None:
    """With its diff and status 1; everything else is written."""
    install(root)
    write(root / SERVICE, "mine\n")
    write(root / SNIPPET, (root / SNIPPET).read_text())
    result = setup(root, "--install", "--programs", "sshd")
    assert result.exit_code == 1
    assert (root / SERVICE).read_text() == "mine\n"
    assert (root / "etc/syslog-pipeline/programs/sshd.mtail").is_file()
    assert f"/{SERVICE} is not as setup wrote it, and is kept.\n--- /{SERVICE}\n+++ /{SERVICE}\n" in result.stdout
    assert result.stderr == (
        f"Kept: /{SERVICE}, which is not as setup wrote it.\n"
        "Move your changes elsewhere, or give --overwrite: it keeps the old ones as .old.\n"
    )
    assert setup(root).exit_code == 1


def test_file_that_setup_never_wrote_is_kept(root: Path) -> None:
    """Also one of the operator's own kind."""
    for path in (SNIPPET, SETTINGS):
        write(root / path, "mine\n")
    result = setup(root, "--install")
    assert result.exit_code == 1
    assert result.stderr.count("Kept: ") == 2
    assert [(root / path).read_text() for path in (SNIPPET, SETTINGS)] == ["mine\n", "mine\n"]
    assert not (root / f"{SETTINGS}.new").exists()


def test_overwrite_keeps_the_old_file_aside(root: Path) -> None:
    """Each time under another name, and it says so; what was there first comes back at the end."""
    write(root / SNIPPET, "first\n")
    before = read_tree(root)
    result = install(root, "--overwrite")
    assert f"/{SNIPPET} is written anew, and what was there goes to /{SNIPPET}.old.\n" in result.stdout
    write(root / SNIPPET, "second\n")
    install(root, "--overwrite")
    assert (root / f"{SNIPPET}.old").read_text() == "first\n"
    assert (root / f"{SNIPPET}.old2").read_text() == "second\n"
    assert (root / SNIPPET).read_bytes() == (ROOT / "rsyslog/pipe.conf").read_bytes()
    result = setup(root, "--uninstall")
    assert f"/{SNIPPET} is removed, and /{SNIPPET}.old comes back.\n" in result.stdout
    (root / f"{SNIPPET}.old2").unlink()
    assert read_tree(root) == before


def test_edited_settings_are_no_offence(root: Path) -> None:
    """They are the operator's; setup says that they stay, and has nothing to do."""
    install(root)
    write(root / SETTINGS, "mine\n")
    before = read_tree(root)
    result = install(root)
    assert f"/{SETTINGS} was edited, and is kept.\n" in result.stdout
    assert "Nothing has to be written.\n" in result.stdout
    assert read_tree(root) == before


def test_what_is_new_is_laid_beside_edited_settings(root: Path) -> None:
    """Once: who has seen it may remove it. When the operator takes it over, nothing is left beside."""
    install(root)
    write(root / SETTINGS, "mine\n")
    result = install(root, "--way", "socket")
    assert f"/{SETTINGS} was edited, and is kept: what is new comes beside it as .new.\n" in result.stdout
    assert (root / SETTINGS).read_text() == "mine\n"
    offered = root / f"{SETTINGS}.new"
    assert "log.stream.sock" in offered.read_text()
    install(root)
    assert offered.exists()
    offered.unlink()
    install(root)
    assert not offered.exists()
    install(root, "--way", "pipe")
    assert "log.fifo" in offered.read_text()
    write(root / SETTINGS, offered.read_text())
    install(root)
    assert not offered.exists()


def test_changed_choices_remove_what_is_needed_no_more(root: Path) -> None:
    """As far as it is unchanged; what is not given is as it was chosen last."""
    install(root, "--programs", "sshd", "--nginx", "client-certificate")
    result = install(root, "--way", "socket", "--programs", "cron")
    units = {path.name for path in (root / "etc/systemd/system").iterdir()}
    assert units == {
        "syslog-pipeline.service",
        "syslog-pipeline-log.socket",
        "syslog-pipeline-http.socket",
        "syslog-pipeline-hold@.service",
    }
    assert [path.name for path in sorted((root / "etc/syslog-pipeline/programs").iterdir())] == [
        "cron.mtail",
        "doctor.mtail",
    ]
    assert "/etc/systemd/system/syslog-pipeline.socket is removed.\n" in result.stdout
    assert "5 files written, 2 files removed.\n" in result.stdout
    assert b"ssl_verify_client on" in (root / "etc/nginx/conf.d/syslog-pipeline.conf").read_bytes()
    install(root, "--nginx", "none", "--programs", "none")
    assert not (root / "etc/nginx/conf.d/syslog-pipeline.conf").exists()
    assert [path.name for path in (root / "etc/syslog-pipeline/programs").iterdir()] == ["doctor.mtail"]


def test_uninstall_leaves_the_tree_as_it_was(root: Path) -> None:
    """The folders that setup made go too, and the commands say how to undo the rest."""
    before = read_tree(root)
    install(root)
    result = setup(root, "--uninstall")
    assert result.exit_code == 0
    assert read_tree(root) == before
    assert result.stdout.endswith(
        "Now run, as root, in this order:\n"
        "    # it writes to syslog-pipeline no more; what it held is read\n"
        "    rsyslogd -N1 && systemctl restart rsyslog\n"
        "    # serves the metrics no more\n"
        "    nginx -t && systemctl reload nginx\n"
        "    # reads what is left, and ends\n"
        "    systemctl stop syslog-pipeline.service\n"
        "    # nobody writes there any more\n"
        "    systemctl stop syslog-pipeline.socket syslog-pipeline-http.socket\n"
        "    # they do not come back\n"
        "    systemctl disable syslog-pipeline.service syslog-pipeline.socket syslog-pipeline-http.socket\n"
        "    # systemd leaves them where they are\n"
        "    rm -f /run/syslog-pipeline/log.fifo /run/syslog-pipeline/metrics.sock\n"
        "    # lets systemd forget the units\n"
        "    systemctl daemon-reload\n"
        "    # the values of the metrics go too\n"
        "    rm -rf /run/syslog-pipeline /var/lib/syslog-pipeline\n"
        "    # nobody needs the user any more\n"
        "    userdel syslog-pipeline\n"
    )
    assert setup(root, "--uninstall").stdout.endswith("Nothing has to be removed.\n")


def test_uninstall_names_what_was_changed(root: Path) -> None:
    """It stays, and is known: when it is given up, a second run takes it away."""
    before = read_tree(root)
    install(root)
    write(root / SERVICE, "mine\n")
    write(root / SETTINGS, "mine\n")
    result = setup(root, "--uninstall")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Kept: /{SERVICE}, which is not as setup wrote it.\n")
    assert f"/{SETTINGS} is not as setup wrote it, and is kept.\n" in result.stdout
    assert set(read_written(root, before)) == {SERVICE, SETTINGS}
    result = setup(root, "--uninstall", "--overwrite")
    assert result.exit_code == 0
    for path in (SERVICE, SETTINGS):
        assert f"/{path} is removed, and what was there goes to /{path}.old.\n" in result.stdout
    assert set(read_written(root, before)) == {f"{SERVICE}.old", f"{SETTINGS}.old"}
    assert not (root / MANIFEST).exists()


def test_uninstall_names_folders_that_are_not_empty(root: Path) -> None:
    """The operator's own programs stay."""
    install(root)
    write(root / "etc/syslog-pipeline/programs/mine.mtail", "")
    result = setup(root, "--uninstall")
    assert result.exit_code == 0
    assert "/etc/syslog-pipeline/programs stays: there is something in it.\n" in result.stdout
    assert (root / "etc/syslog-pipeline/programs/mine.mtail").exists()
