"""The checks, in the order of a line's way: from the settings through the syslog daemon to the scrape."""

from __future__ import annotations

from pipeline.doctor.checks import daemon, line, nginx, pipes, settings, syslog, units
from pipeline.doctor.examination import Check

CHECKS = (
    Check("settings", "Settings", settings.check_settings),
    Check("programs", "Programs", settings.check_programs, ("settings",)),
    Check("daemon", "Daemon", daemon.check_daemon, ("settings",)),
    Check("sources", "Sources", pipes.check_sources, ("settings",)),
    Check("rights", "Rights", pipes.check_rights, ("sources",)),
    Check("reader", "Reader", pipes.check_reader, ("daemon", "sources")),
    Check("entry", "Test line into our source", line.check_entries, ("daemon", "sources", "reader")),
    Check("syslog_config", "Syslog configuration", syslog.check_config, ()),
    Check("syslog", "Syslog daemon", syslog.check_running),
    Check("snippet", "Syslog rule", syslog.check_snippet, ("settings",)),
    Check("queue", "Queue", syslog.check_queue),
    Check(
        "line",
        "Test line through syslog",
        line.check_line,
        ("daemon", "sources", "rights", "reader", "entry", "syslog_config", "syslog", "snippet"),
    ),
    Check("writer", "Writer", pipes.check_writer, ("sources", "syslog", "line")),
    Check("work", "Programs at work", daemon.check_work, ("daemon", "line")),
    Check("page", "Page of metrics", daemon.check_page, ("daemon",)),
    Check("nginx_socket", "nginx to the daemon", nginx.check_way, ("settings",)),
    Check("nginx", "nginx with TLS", nginx.check_certificate),
    Check("answer", "Scrape", nginx.check_answer, ("daemon", "nginx_socket", "nginx")),
    Check("units", "systemd", units.check_units, ("settings",)),
)
"""What a check needs stands before it. Its name is that in `--json`."""
