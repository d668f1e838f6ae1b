"""An installed package has what it ships: a wheel is built, installed, and sets up a machine without the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.installation.roots import install, make_root, read_tree

ROOT = Path(__file__).parents[2]
SHIPPED = ("rsyslog", "syslog-ng", "systemd", "nginx", "docs/prometheus")
SOURCES = (*SHIPPED, "pipeline", "pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


def run(*command: str | Path) -> str:
    """Run a command, which must succeed, and return what it prints."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the package in it; the libraries are those of this one."""
    folder = tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            # What Python compiles comes and goes there, while other tests run.
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, folder / "source")
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    run(*pip, "--python", folder / "env/bin/python", "install", "--no-deps", "--no-index", wheel)
    (packages,) = (folder / "env/lib").glob("python*/site-packages")
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "env"


def test_package_has_every_shipped_file(environment: Path) -> None:
    """Each as it is in the checkout."""
    shared = environment / "share/syslog-pipeline"
    for name in SHIPPED:
        assert read_tree(shared / name) == read_tree(ROOT / name)


def test_installed_command_sets_up_a_machine(environment: Path, tmp_path: Path) -> None:
    """It writes what the checkout writes."""
    roots = [make_root(tmp_path / name, "rsyslog", "nginx") for name in ("installed", "checkout")]
    flags = ("--programs", "all", "--instances", "2")
    run(environment / "bin/syslog-pipeline", "setup", "--root", roots[0], "--install", *flags)
    install(roots[1], *flags)
    assert read_tree(roots[0]) == read_tree(roots[1])


def test_units_start_the_installed_command(environment: Path, tmp_path: Path) -> None:
    """Where it is on this machine."""
    command = environment / "bin/syslog-pipeline"
    told = run(command, "setup", "--into", tmp_path)
    unit = (tmp_path / "etc/systemd/system/syslog-pipeline.service").read_text()
    assert f"\nExecStart={command} run --config " in unit
    assert f"    {command} doctor\n" in told
