"""Trees that look like machines, setup run on them, and the files that it writes there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main

COMMAND = "usr/bin/syslog-pipeline"
SNIPPET = "etc/rsyslog.d/60-syslog-pipeline.conf"
SETTINGS = "etc/syslog-pipeline/settings.toml"
SERVICE = "etc/systemd/system/syslog-pipeline.service"
MANIFEST = "etc/syslog-pipeline/setup.json"

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

RSYSLOG_CONF = 'module(load="imuxsock" SysSock.Use="off")\n$IncludeConfig /etc/rsyslog.d/*.conf\n'
SYSLOG_NG_CONF = """@version: 3.38
options { stats-freq(0); keep-hostname(yes); use-dns(no); dns-cache(no); };
source s_src { internal(); };
@include "/etc/syslog-ng/conf.d/*.conf"
"""
NGINX_CONF = "user www-data;\nevents {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"


def make_root(root: Path, *programs: str) -> Path:
    """Make a tree that has systemd, our command, and of `programs` the files that setup looks at."""
    files = {COMMAND: "", "usr/lib/systemd/systemd": "", "etc/passwd": "root:x:0:0::/root:/bin/sh\n"}
    if "rsyslog" in programs:
        files |= {"usr/sbin/rsyslogd": "", "etc/rsyslog.conf": RSYSLOG_CONF, "etc/rsyslog.d/.keep": ""}
    if "syslog-ng" in programs:
        files |= {
            "usr/sbin/syslog-ng": "",
            "etc/syslog-ng/syslog-ng.conf": SYSLOG_NG_CONF,
            "etc/syslog-ng/conf.d/.keep": "",
        }
    if "nginx" in programs:
        files |= {"usr/sbin/nginx": "", "etc/nginx/nginx.conf": NGINX_CONF, "etc/nginx/conf.d/.keep": ""}
    for name, text in files.items():
        write(root / name, text)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with rsyslog and nginx."""
    return make_root(tmp_path / "root", "rsyslog", "nginx")


def write(path: Path, text: str) -> None:
    """Write a file, and make its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def setup(root: Path, *flags: str) -> Result:
    """Run `syslog-pipeline setup` on a tree."""
    arguments = ["setup", "--root", str(root), *flags]
    return CliRunner().invoke(main, arguments, prog_name="syslog-pipeline", catch_exceptions=False)


def install(root: Path, *flags: str) -> Result:
    """Put the files into place; it must succeed."""
    result = setup(root, "--install", *flags)
    assert result.exit_code == 0, result.output
    return result


def read_tree(root: Path) -> dict[str, bytes | None]:
    """Return all that is below `root`: the contents of files, and None for folders."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def read_written(root: Path, before: dict[str, bytes | None]) -> dict[str, bytes]:
    """Return the files that were not there before, without the manifest."""
    new = read_tree(root).items() - before.items()
    return {path: content for path, content in new if content is not None and path != MANIFEST}


def list_files(root: Path) -> Iterator[str]:
    """Yield the files that setup may have written, by their paths on the machine."""
    return (f"/{path.relative_to(root)}" for path in sorted((root / "etc").rglob("*")) if path.is_file())


def copy_root(root: Path, to: Path) -> Path:
    """Return a copy of a tree."""
    return Path(shutil.copytree(root, to))
