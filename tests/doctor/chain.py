"""A whole way of a line in a folder: the real rsyslogd, our daemon and nginx, and the doctor who looks at them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from pipeline.cli import main
from pipeline.doctor.processes import find_holders, list_processes
from pipeline.shipped import render_shipped
from tests.e2e.daemons import ROOT, run_pipeline, run_rsyslog
from tests.e2e.web import PASSWORD, USER, Web, prepare_nginx, render_nginx, serving

NGINX_USER = "www-data"
BASIC_AUTH = "nginx/basic-auth.conf"
UNITS = ("syslog-pipeline.service", "syslog-pipeline.socket", "syslog-pipeline-http.socket")

PATIENCE = "20s"
"""For what must come; on a machine that does much else it takes its time."""

IMPATIENCE = "5s"
"""For what never comes, where something else must: a daemon that has to wait for its turn still answers in time."""

Findings = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the doctor said."""

    status: int
    findings: Findings

    @property
    def failing(self) -> set[str]:
        """The checks that found something wrong."""
        return self.list_checks("failure")

    def list_checks(self, state: str) -> set[str]:
        """Return the checks with a finding of this state."""
        return {str(finding["check"]) for finding in self.findings if finding["state"] == state}

    def find(self, check: str, state: str = "failure") -> dict[str, object]:
        """Return the one finding of a check that has this state."""
        (found,) = [finding for finding in self.findings if (finding["check"], finding["state"]) == (check, state)]
        return found

    def assert_only(self, check: str, what: str, mend: str) -> None:
        """One thing is wrong: its sentence begins with `what`, and `mend` is among the commands."""
        assert self.failing == {check}, [finding for finding in self.findings if finding["state"] == "failure"]
        found = self.find(check)
        assert str(found["what"]).startswith(what), found
        assert mend in list_commands(found), found
        assert self.status == 1


def find_holding(path: Path) -> list[int]:
    """Return the numbers of the processes that have a file open."""
    return [holder.process.pid for holder in find_holders(path, list_processes()).holders]


def list_commands(finding: Mapping[str, object]) -> list[str]:
    """Return the commands that mend something."""
    commands = finding["mend"]
    assert isinstance(commands, list)
    return [str(command) for command in commands]


@dataclass(frozen=True, slots=True)
class Chain:
    """The paths of a whole way in a folder."""

    folder: Path
    web: Web
    daemon_pid: int

    @property
    def fifo(self) -> Path:
        """Where our daemon reads."""
        return self.folder / "log.fifo"

    @property
    def progs(self) -> Path:
        """Its programs."""
        return self.folder / "programs"

    @property
    def http_socket(self) -> Path:
        """Where it serves."""
        return self.folder / "metrics.sock"

    @property
    def syslog(self) -> Path:
        """The folder of rsyslogd."""
        return self.folder / "rsyslog"

    @contextmanager
    def naming(self, path: Path) -> Iterator[Path]:
        """Have the configuration of rsyslogd name another path of ours too."""
        rule = self.syslog / "more.d" / "ours.conf"
        rule.write_text(f'action(type="omfile" file="{path}")\n')
        try:
            yield path
        finally:
            rule.unlink()

    def ask(self, *flags: str, **changes: object) -> Told:
        """Return what the doctor says of it. What is in `changes` is given instead of what is right."""
        given = {
            "config": self.folder / "settings.toml",
            "log_socket": self.syslog / "log.sock",
            "syslog_config": self.syslog / "rsyslog.conf",
            "nginx_config": self.web.folder / "nginx.conf",
            "ca": self.web.ca_file,
            "user": USER,
            "password_file": self.folder / "password",
            "root": self.folder / "root",
            "timeout": PATIENCE,
            **changes,
        }
        return ask_doctor(*flags, **given)


def ask_doctor(*flags: str, **values: object) -> Told:
    """Return what the doctor says with these flags; one that is None is not given."""
    arguments = [f"--{name}={value}" for name, value in values.items() if value is not None]
    result = CliRunner().invoke(main, ["doctor", "--json", *flags, *arguments], catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output
    return Told(result.exit_code, json.loads(result.stdout)["findings"])


@contextmanager
def run_chain() -> Iterator[Chain]:
    """Run a whole way in which all is well."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's user must find its way
        prepare_folder(folder)
        web = prepare_nginx(folder / "nginx")
        sign_server(web, days=30)
        render_nginx(web, folder, BASIC_AUTH, user=NGINX_USER)
        include = f'include(file="{folder}/rsyslog/more.d/*.conf" mode="optional")'
        with (
            run_pipeline(folder, "--config", str(folder / "settings.toml")) as daemon,
            run_rsyslog(folder / "rsyslog", f"{render_rule(folder / 'log.fifo')}{include}\n"),
            serving(web),
        ):
            yield Chain(folder, web, daemon.pid)


def sign_server(web: Web, days: int) -> None:
    """Give nginx a certificate that is valid for so many days."""
    web.authority.sign("server", "serverAuth", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1", days=days)


def prepare_folder(folder: Path) -> None:
    """Write what our daemon and the doctor read."""
    (folder / "rsyslog" / "more.d").mkdir(parents=True)
    copy_programs(folder / "programs", "doctor", "sshd")
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "settings.toml").write_text(
        f'progs = "{folder}/programs"\n'
        f'logs = ["{folder}/log.fifo"]\n'
        f'unix_socket = "{folder}/metrics.sock"\n'
        f'unix_socket_group = "{NGINX_USER}"\n'
    )
    install_units(folder / "root")


def copy_programs(folder: Path, *names: str) -> Path:
    """Make a folder of programs of ours."""
    folder.mkdir()
    for name in names:
        shutil.copy(ROOT / "pipeline" / "programs" / f"{name}.mtail", folder)
    return folder


def install_units(root: Path, *, enabled: bool = True) -> Path:
    """Lay our units below `root` as into a machine's tree, and enable them as `systemctl` does."""
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copy(ROOT / "systemd" / name, units)
        target = "multi-user" if name.endswith(".service") else "sockets"
        wanted = units / f"{target}.target.wants"
        wanted.mkdir(exist_ok=True)
        if enabled:
            (wanted / name).symlink_to(f"/etc/systemd/system/{name}")
    return root


def render_rule(fifo: Path, changes: Mapping[str, str] | None = None) -> str:
    """Return the rule for rsyslog that users copy, for this pipe, with some changes."""
    return render_shipped("rsyslog/pipe.conf", {"/run/syslog-pipeline/log.fifo": str(fifo), **(changes or {})})
