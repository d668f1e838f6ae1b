"""`syslog-pipeline setup`: what it shows, what it writes, what it leaves alone, and what it takes away."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.installation.manifest import hash_content
from tests.installation.roots import install, make_root, read_tree, setup, write

SNIPPET = "etc/rsyslog.d/60-syslog-pipeline.conf"
SETTINGS = "etc/syslog-pipeline/settings.toml"
SERVICE = "etc/systemd/system/syslog-pipeline.service"
MANIFEST = "etc/syslog-pipeline/setup.json"
ROOT = Path(__file__).parents[2]

SHIPPED = {
    SNIPPET: "rsyslog/pipe.conf",
    SETTINGS: "systemd/settings.toml",
    "etc/default/syslog-pipeline": "systemd/environment",
    "etc/sysusers.d/syslog-pipeline.conf": "systemd/sysusers.conf",
    "etc/tmpfiles.d/syslog-pipeline.conf": "systemd/tmpfiles.conf",
    SERVICE: "systemd/syslog-pipeline.service",
    "etc/systemd/system/syslog-pipeline.socket": "systemd/syslog-pipeline.socket",
    "etc/systemd/system/syslog-pipeline-http.socket": "systemd/syslog-pipeline-http.socket",
    "etc/systemd/system/syslog-pipeline-hold@.service": "systemd/syslog-pipeline-hold@.service",
    "etc/nginx/conf.d/syslog-pipeline.conf": "nginx/basic-auth.conf",
    "etc/nginx/snippets/syslog-pipeline.conf": "nginx/locations.conf",
    "etc/syslog-pipeline/programs/doctor.mtail": "pipeline/programs/doctor.mtail",
}


CHOICES = {"syslog_daemon": "rsyslog", "way": "pipe", "instances": 1, "nginx": "none", "programs": []}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with rsyslog and nginx."""
    return make_root(tmp_path / "root", "rsyslog", "nginx")


def read_written(root: Path, before: dict[str, bytes | None]) -> dict[str, bytes]:
    """Return the files that were not there before, without the manifest."""
    new = read_tree(root).items() - before.items()
    return {path: content for path, content in new if content is not None and path != MANIFEST}


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


@pytest.mark.parametrize("path", [SNIPPET, MANIFEST, "etc/systemd/system"])
def test_symbolic_link_is_not_followed(root: Path, tmp_path: Path, path: str) -> None:
    """In the tree of an image it would lead out of it."""
    (tmp_path / "elsewhere").mkdir()
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(tmp_path / "elsewhere")
    before = read_tree(root)
    result = setup(root, "--install")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {root / path} is a symbolic link to {tmp_path / 'elsewhere'}, and setup follows none.\n",
    )
    assert read_tree(root) == before


def test_folder_in_the_place_of_a_file_is_named(root: Path) -> None:
    """Before anything is written."""
    (root / SNIPPET).mkdir()
    result = setup(root, "--install")
    assert (result.exit_code, result.stderr) == (1, f"Error: {root / SNIPPET} is in the way: it is not a file.\n")
    assert not (root / SETTINGS).exists()


def test_file_in_the_place_of_a_folder_is_named(root: Path) -> None:
    """Before anything is written."""
    write(root / "etc/syslog-pipeline", "")
    result = setup(root, "--install")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {root}/etc/syslog-pipeline is in the way: it is not a folder.\n",
    )


@pytest.mark.parametrize("flag", ["--install", "--uninstall"])
@pytest.mark.parametrize(
    "damage",
    [
        {"format": None},
        {"files": {"/../victim": {"hashes": [hash_content(b"")]}}},
        {"files": {"/etc/\0": {"hashes": []}}},
        {"files": {"/etc/some": {"hashes": [], "before": "/../victim"}}},
        {"files": {"/etc/some": {"hashes": [], "before": 5}}},
        {"folders": ["/../folder"]},
        {"folders": [5]},
        {"choices": {"way": "pipe"}},
        *(
            {"choices": {**CHOICES, **choice}}
            for choice in (
                {"way": "none"},
                {"syslog_daemon": "other"},
                {"nginx": "other"},
                {"instances": "many"},
                {"instances": 0},
                {"instances": 65},
            )
        ),
    ],
)
def test_damaged_manifest_is_named(root: Path, damage: dict[str, object], flag: str) -> None:
    """Without it, setup would not know its own files. That of an image must not lead out of it."""
    install(root)
    write(root.parent / "victim", "")
    (root.parent / "folder").mkdir()
    known = {**json.loads((root / MANIFEST).read_bytes()), **damage}
    (root / MANIFEST).write_text(json.dumps({key: value for key, value in known.items() if value is not None}))
    before = read_tree(root.parent)
    result = setup(root, flag, "--overwrite")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: /etc/syslog-pipeline/setup.json, where setup keeps what it wrote, is damaged: restore it, or remove it "
        "and with --overwrite let setup write its files anew.\n",
    )
    assert read_tree(root.parent) == before


def test_configuration_of_an_image_does_not_lead_out_of_it(root: Path) -> None:
    """Neither does what its programs include."""
    write(root / "etc/nginx/nginx.conf", "http { \ninclude /../elsewhere/*.conf;\n}\n")
    (root.parent / "elsewhere").mkdir()
    before = read_tree(root.parent)
    result = setup(root, "--install")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: '/../elsewhere/syslog-pipeline.conf' is no place for a file of setup: it may lead out of {root}.\n",
    )
    assert read_tree(root.parent) == before


def test_manifest_of_a_later_version_is_named(root: Path) -> None:
    """What it means is not guessed."""
    install(root)
    (root / MANIFEST).write_text('{"format": 2}')
    result = setup(root, "--uninstall")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: /etc/syslog-pipeline/setup.json was written by a later version of syslog-pipeline: use that one.\n",
    )


def test_huge_file_in_the_way_is_named(root: Path) -> None:
    """It is not read."""
    with (root / SNIPPET).open("wb") as file:
        file.truncate(2**40)
    result = setup(root)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {root / SNIPPET} is in the way: it is larger than any configuration.\n",
    )


def test_full_disk_is_named_and_leaves_nothing_half(root: Path) -> None:
    """A limit on the size of files stands for it. The second run completes the first.

    Python would cut off what it compiles meanwhile, too, and put that in the way of all tests.
    """
    limited = ["prlimit", "--fsize=1500", sys.executable, "-m", "pipeline", "setup", "--root", str(root), "--install"]
    before = read_tree(root)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(limited, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, f"Error: {root} cannot be written: file too large.\n")
    assert read_written(root, before) == {}
    install(root)
    assert set(read_written(root, before)) == set(SHIPPED)


def run_as_nobody(*flags: str) -> subprocess.CompletedProcess[str]:
    """Run setup as a user that may write nowhere."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-m", "pipeline", "setup", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_only_root_may_install() -> None:
    """One sentence, and what else can be done."""
    result = run_as_nobody("--install", "--syslog_daemon", "none", "--nginx", "none")
    assert (result.returncode, result.stderr) == (
        2,
        "Error: Only root can write to /etc: run setup with sudo, or look at the files with --into.\n",
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder into which every user can look."""
    with tempfile.TemporaryDirectory(prefix="setup-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_folder_that_cannot_be_written_is_named(open_folder: Path) -> None:
    """With the reason."""
    root = make_root(open_folder / "root", "rsyslog")
    result = run_as_nobody("--root", str(root), "--install")
    assert result.returncode == 1
    assert result.stderr == f"Error: {root}/etc/syslog-pipeline cannot be written: permission denied.\n"


def test_folder_from_which_nothing_can_be_removed_is_named(open_folder: Path) -> None:
    """With the reason, and nothing is forgotten."""
    root = make_root(open_folder / "root", "rsyslog")
    install(root)
    before = read_tree(root)
    result = run_as_nobody("--root", str(root), "--uninstall")
    assert result.returncode == 1
    assert result.stderr == f"Error: {root}/etc/default/syslog-pipeline cannot be written: permission denied.\n"
    assert read_tree(root) == before


def test_file_that_cannot_be_read_is_named(open_folder: Path) -> None:
    """One of ours, and one of rsyslog's."""
    root = make_root(open_folder / "root", "rsyslog")
    install(root)
    for path, status in ((SERVICE, 1), ("etc/rsyslog.conf", 2)):
        (root / path).chmod(0)
        result = run_as_nobody("--root", str(root))
        assert (result.returncode, result.stderr) == (
            status,
            f"Error: {root / path} cannot be read: permission denied.\n",
        )


def test_what_cannot_be_seen_is_not_made_anew(open_folder: Path) -> None:
    """Who may not look for the certificate is not told to write another one over it."""
    root = make_root(open_folder / "root", "rsyslog", "nginx")
    write(root / "etc/syslog-pipeline/tls/server.crt", "")
    assert "openssl req " not in run_as_nobody("--root", str(root)).stdout
    (root / "etc/syslog-pipeline/tls").chmod(0o700)
    result = run_as_nobody("--root", str(root))
    assert (result.returncode, result.stderr) == (0, "")
    assert "openssl req " not in result.stdout
    assert "openssl passwd " in result.stdout


def test_folder_that_cannot_be_entered_is_named(open_folder: Path) -> None:
    """The tree itself, and one in which there is something of ours."""
    root = make_root(open_folder / "root", "rsyslog")
    for folder, entry, status in ((root / "etc/sysusers.d", "syslog-pipeline.conf", 1), (root, "usr", 2)):
        folder.mkdir(exist_ok=True)
        folder.chmod(0)
        result = run_as_nobody("--root", str(root))
        assert result.returncode == status
        assert result.stderr.startswith(f"Error: {folder / entry}"), result.stderr
        assert result.stderr.endswith(" cannot be read: permission denied.\n")


def start_on_terminal(root: Path, *flags: str) -> tuple[subprocess.Popen[bytes], int]:
    """Run `setup --install` on a terminal; return the process, and the terminal's other end."""
    command = [sys.executable, "-m", "pipeline", "setup", "--root", str(root), "--install", *flags]
    own, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    return process, own


def read_until(terminal: int, end: bytes | None) -> bytes:
    """Return what is shown until `end`, or until nothing comes any more."""
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while (end is None or end not in shown) and (piece := os.read(terminal, 65536)):
            shown += piece
    return shown


def read_terminal(root: Path, answer: bytes) -> tuple[int, str]:
    """Run `setup --install` on a terminal, answer, and return the status and all that is shown."""
    process, own = start_on_terminal(root)
    os.write(own, answer)
    shown = read_until(own, None)
    os.close(own)
    return process.wait(60), shown.decode()


def test_terminal_is_asked_and_may_refuse(root: Path) -> None:
    """Nothing is written then. The diff is in colour."""
    before = read_tree(root)
    status, shown = read_terminal(root, b"n\n")
    assert status == 1
    assert f"Write {len(SHIPPED)} files below {root}? [y/N]: " in shown
    assert f"\x1b[32m+++ /{SNIPPET}" in shown
    assert read_tree(root) == before


def test_two_do_not_write_at_once(root: Path) -> None:
    """Neither would know of the other's files. A look is always possible."""
    process, own = start_on_terminal(root)
    try:
        read_until(own, b"[y/N]: ")
        result = setup(root, "--install")
        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: Another setup is at work below {root}: wait until it has ended.\n",
        )
        assert setup(root).exit_code == 0
        os.write(own, b"y\n")
        read_until(own, None)
    finally:
        os.close(own)
        assert process.wait(60) == 0
    assert "Nothing has to be written" in setup(root, "--install").stdout


def test_what_is_edited_while_setup_asks_is_not_lost(root: Path) -> None:
    """It is not what was shown."""
    install(root)
    process, own = start_on_terminal(root, "--way", "socket")
    try:
        read_until(own, b"[y/N]: ")
        write(root / SERVICE, "mine\n")
        before = read_tree(root)
        os.write(own, b"y\n")
        shown = read_until(own, None).decode()
    finally:
        os.close(own)
        assert process.wait(60) == 1
    assert f"{root / SERVICE} has just been changed: run setup again." in shown
    assert read_tree(root) == before


def test_terminal_is_asked_and_may_agree(root: Path) -> None:
    """Then the files are written."""
    status, shown = read_terminal(root, b"y\n")
    assert (status, (root / SNIPPET).is_file()) == (0, True), shown
