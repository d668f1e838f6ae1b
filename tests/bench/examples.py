"""The example programs of Debian's mtail package: where they are, and a text that their logs hold."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measure import BenchError
from tests.generators.examples import EXAMPLE_LOGS

FOLDER = Path("/usr/share/doc/mtail/examples")
NAMES = tuple(EXAMPLE_LOGS)

LITERALS = {
    "apache_combined": "HTTP/1.1",
    "apache_common": "HTTP/1.1",
    "apache_metrics": "HTTP/1.1",
    "dhcpd": "DHCPDISCOVER",
    "histogram": "latency=",
    "lighttpd": "HTTP/1.1",
    "linecount": "CRON",
    "mysql_slowqueries": "Query_time",
    "nocode": "CRON",
    "ntpd": "ntpd",
    "ntpd_peerstats": "192.0.2.",
    "postfix": "postfix/",
    "rails": "Completed",
    "rsyncd": "connect from",
    "sftp": "sftp-server",
    "timer": "example.com",
    "vsftpd": "192.0.2.",
}


def find_example(name: str) -> Path:
    path = FOLDER / f"{name}.mtail"
    if not path.exists():
        raise BenchError(f"{path} is missing: Debian's package mtail must be installed with its documents.")
    return path
