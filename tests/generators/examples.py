"""Which logs exercise which program: those of the mtail package's examples, and our own."""

from __future__ import annotations

from tests.generators import services, syslog_daemons, system_daemons
from tests.generators.shapes import LogShape

SYSLOG = LogShape("syslog", syslog_daemons.follow_noise)
MAIL = LogShape("mail.log", syslog_daemons.follow_postfix)
DHCP = LogShape("syslog", syslog_daemons.follow_dhcpd)

# By the stem of the program's file. A program that asks `getfilename()` needs the file name it asks for.
EXAMPLE_LOGS: dict[str, tuple[LogShape, ...]] = {
    "apache_combined": (LogShape("access.log", services.follow_apache_combined),),
    "apache_common": (LogShape("access.log", services.follow_apache_common),),
    "apache_metrics": (LogShape("metrics.log", services.follow_apache_metrics),),
    "dhcpd": (DHCP,),
    "histogram": (LogShape("latency.log", services.follow_latencies),),
    "lighttpd": (LogShape("lighttpd.access.log", services.follow_lighttpd),),
    "linecount": (SYSLOG,),
    "mysql_slowqueries": (LogShape("mysql-slow.log", services.follow_slow_queries),),
    "nocode": (SYSLOG,),
    "ntpd": (LogShape("syslog", syslog_daemons.follow_ntpd),),
    "ntpd_peerstats": (LogShape("peerstats", syslog_daemons.follow_peerstats),),
    "postfix": (MAIL,),
    "rails": (LogShape("production.log", services.follow_rails),),
    "rsyncd": (LogShape("rsyncd.log", services.follow_rsyncd),),
    "sftp": (LogShape("auth.log", syslog_daemons.follow_sftp),),
    "timer": (LogShape("vhosts.log", services.follow_vhosts),),
    "vsftpd": (
        LogShape("vsftpd.log", syslog_daemons.follow_vsftpd),
        LogShape("xferlog", syslog_daemons.follow_xferlog),
    ),
}

# The programs we ship.
SHIPPED_LOGS: dict[str, tuple[LogShape, ...]] = {
    "cron": (LogShape("syslog", system_daemons.follow_templates(system_daemons.CRON)),),
    "dhcp": (DHCP,),
    "doctor": (LogShape("syslog", system_daemons.follow_templates(system_daemons.DOCTOR)),),
    "fail2ban": (LogShape("syslog", system_daemons.follow_templates(system_daemons.FAIL2BAN)),),
    "firewall": (LogShape("syslog", system_daemons.follow_templates(system_daemons.FIREWALL)),),
    "kernel": (LogShape("syslog", system_daemons.follow_templates(system_daemons.KERNEL)),),
    "nginx_access": (LogShape("access.log", services.follow_nginx),),
    "postfix": (MAIL,),
    "sshd": (LogShape("auth.log", syslog_daemons.follow_sshd),),
    "sudo": (LogShape("auth.log", system_daemons.follow_templates(system_daemons.SUDO)),),
    "syslog_lines": (LogShape("syslog", system_daemons.follow_templates(system_daemons.SYSTEMD, noise=0.7)),),
    "systemd": (LogShape("syslog", system_daemons.follow_templates(system_daemons.SYSTEMD)),),
}
