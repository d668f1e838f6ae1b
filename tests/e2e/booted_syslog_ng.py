"""syslog-ng on a booted machine: it is unpacked, not installed, and told where a Debian has its files."""

from __future__ import annotations

from tests.e2e.booted import Machine
from tests.e2e.daemons import SYSLOG_NG

LOG_SOCKET = "/run/syslog-ng.sock"

CONF = f"""
@version: 3.38
options {{ keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0); }};
source s_src {{ unix-dgram("{LOG_SOCKET}" flags(expect-hostname)); internal(); }};
@include "/etc/syslog-ng/conf.d/*.conf"
"""
"""Messages bring the name of their host: by it they are spread."""

UNIT = """
[Service]
Type=notify
ExecStart=/usr/sbin/syslog-ng -F
ExecReload=/bin/kill -HUP $MAINPID
"""

COMMAND = """#!/bin/sh
prefix=/opt/checkout/.cache/syslog-ng
export SYSLOGNG_PREFIX=$prefix/usr LD_LIBRARY_PATH={libraries}
exec $prefix/usr/sbin/syslog-ng --cfgfile=/etc/syslog-ng/syslog-ng.conf --persist-file=/var/lib/syslog-ng/persist \\
    --control=/run/syslog-ng.ctl --pidfile=/run/syslog-ng.pid "$@"
"""

FILES = {
    "syslog-ng/syslog-ng.conf": CONF,
    "syslog-ng/conf.d/.keep": "",
    "systemd/system/syslog-ng.service": UNIT,
    "tmpfiles.d/syslog-ng.conf": "d /var/lib/syslog-ng 0755 root root -\n",
}
"""By their paths below `/etc`."""


def install_syslog_ng(machine: Machine) -> None:
    """Make the command, on a machine that was booted with `FILES`."""
    folders = (*SYSLOG_NG.glob("usr/lib/*-linux-*"), *SYSLOG_NG.glob("lib/*-linux-*"), SYSLOG_NG / "usr/lib/syslog-ng")
    libraries = ":".join(f"$prefix/{folder.relative_to(SYSLOG_NG)}" for folder in folders)
    command = machine.root / "usr/sbin/syslog-ng"
    command.write_text(COMMAND.replace("{libraries}", libraries))
    command.chmod(0o755)
