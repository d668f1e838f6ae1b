"""What setup refuses, and names: things in its way, a damaged manifest, a full disk, and what it may not touch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.installation.manifest import hash_content
from tests.installation.roots import (
    MANIFEST,
    SERVICE,
    SETTINGS,
    SHIPPED,
    SNIPPET,
    install,
    make_root,
    read_tree,
    read_written,
    root,
    setup,
    write,
)

__all__ = ["root"]

ROOT = Path(__file__).parents[2]
CHOICES = {"syslog_daemon": "rsyslog", "way": "pipe", "instances": 1, "nginx": "none", "programs": []}


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
