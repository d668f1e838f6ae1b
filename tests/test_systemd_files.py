"""The files for systemd agree with systemd, with each other, with our settings and with what the documentation says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config_file import read_config
from pipeline.flags import RUN_FLAGS
from pipeline.settings import LifeSettings, SourceSettings

ROOT = Path(__file__).parents[1]
UNITS = ROOT / "systemd"
SERVICE = "syslog-pipeline.service"
MTAIL = Path("/lib/systemd/system/mtail.service")

MOST = 1.5
"""The exposure that no unit of ours may be above."""

pytestmark = pytest.mark.slow


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with our units, whose command exists here."""
    for path in UNITS.iterdir():
        if path.suffix in (".service", ".socket"):
            text = path.read_text().replace("/usr/bin/syslog-pipeline ", "/bin/true ")
            (tmp_path / path.name).write_text(text)
    return tmp_path


def add_network(units: Path) -> None:
    """Put the drop-in that opens the network where it says."""
    folder = units / f"{SERVICE}.d"
    folder.mkdir()
    shutil.copy(UNITS / "network.conf", folder)


def verify(*paths: Path) -> tuple[int, str]:
    """Return the status and the output of `systemd-analyze verify`.

    It loads what our units refer to, which must not be what this machine has enabled: that may have faults of its own.
    """
    command = ["systemd-analyze", "verify", "--man=no", *map(str, paths)]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{paths[0].parent}:{MTAIL.parent}"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    return done.returncode, done.stdout


def measure_exposure(unit: Path) -> str:
    """Return what `systemd-analyze security` counts for a unit."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d) ", output)
    assert found, output
    return found[1]


def read_directive(path: Path, name: str) -> str:
    """Return the value of a directive that a unit has once."""
    (value,) = re.findall(rf"^{name}=(.*)$", path.read_text(), re.MULTILINE)
    return str(value)


def test_systemd_has_nothing_to_say(units: Path) -> None:
    """`systemd-analyze verify` is silent on all units, with the drop-in and without."""
    paths = sorted(units.iterdir())
    assert len(paths) == 9
    assert verify(*paths) == (0, "")
    add_network(units)
    assert verify(units / SERVICE) == (0, "")


def test_systemd_would_tell(units: Path) -> None:
    """What is not known is told, so that the silence above means something."""
    path = units / SERVICE
    path.write_text(path.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "Unknown key 'ProtectHouse' in section [Service]" in verify(path)[1]


def test_exposure_is_as_documented(units: Path) -> None:
    """The table of the documentation has what systemd counts now, and none of ours is above the most."""
    figures = {f"`{path.name}`": measure_exposure(path) for path in sorted(units.glob("*.service"))}
    add_network(units)
    figures[f"`{SERVICE}` with `network.conf`"] = measure_exposure(units / SERVICE)
    assert len(figures) == 4
    assert max(map(float, figures.values())) <= MOST
    figures["`mtail.service`"] = measure_exposure(MTAIL)
    page = (ROOT / "docs" / "systemd.md").read_text()
    table = re.search(r"^\| Unit \| Exposure \|\n\|---\|---\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table
    rows = dict(re.findall(r"^\| (.+) \| (.+) \|$", table[1], re.MULTILINE))
    assert rows == figures


@pytest.mark.parametrize("name", [SERVICE, "syslog-pipeline.socket", "syslog-pipeline-http.socket"])
def test_an_instance_differs_in_its_names_only(name: str) -> None:
    """A template has what the unit has, with the instance's own pipe, sockets, state and variables."""
    stem, suffix = name.rsplit(".")
    template = UNITS / f"{stem}@.{suffix}"
    one = re.sub(r", instance %i$", "", template.read_text(), flags=re.MULTILINE).replace("@%i", "")
    paths = r" \\\n +--logs \S+ --unix_socket \S+ \\\n +--state_file \S+$"
    one = re.sub(paths, "", one, flags=re.MULTILINE)
    one = one.replace(
        "EnvironmentFile=-/etc/default/syslog-pipeline\n" * 2, "EnvironmentFile=-/etc/default/syslog-pipeline\n"
    )
    assert one == (UNITS / name).read_text()


def test_limits_agree_with_our_defaults() -> None:
    """systemd waits longer than the daemon's end may take, and has a place for each connection."""
    service = UNITS / SERVICE
    assert int(read_directive(service, "TimeoutStopSec")) > LifeSettings().shutdown_timeout_seconds
    places = int(read_directive(service, "FileDescriptorStoreMax"))
    assert int(read_directive(service, "LimitNOFILE")) > places > SourceSettings(logs=()).max_connections


def test_settings_show_defaults(tmp_path: Path) -> None:
    """What the file of settings has commented out is the default, but for the example at its end."""
    flags = {flag.name: flag for flag in RUN_FLAGS}
    types = {name: flag.type for name, flag in flags.items()}
    settings = read_config(UNITS / "settings.toml", types)
    assert {"progs", "logs", "unix_socket", "state_file", "read_positions"} <= set(settings)
    path = tmp_path / "settings.toml"
    path.write_text(re.sub(r'^#(?=\w+ = |\[|")', "", (UNITS / "settings.toml").read_text(), flags=re.MULTILINE))
    shown = {name: value for name, value in read_config(path, types).items() if name not in settings}
    assert shown.pop("bind") == ((("sshd", "/run/syslog-pipeline/log.fifo"),),)
    assert len(shown) == 5
    assert shown == {name: flags[name].default for name in shown}


def test_variables_are_flags() -> None:
    """Each variable that the file of them shows is a flag's, or Python's own; none counts as it is shipped."""
    text = (UNITS / "environment").read_text()
    variables = re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE)
    assert len(variables) == 4
    names = {f"SYSLOG_PIPELINE_{flag.name.upper()}" for flag in RUN_FLAGS} | {"PYTHONFAULTHANDLER"}
    assert set(variables) <= names
    assert all(line.startswith("#") or not line for line in text.splitlines())
