"""A stream as a central log host has it: ten applications in traditional headers, and others of no interest.

How often each speaks is assumed, not measured anywhere: a mail and login host, with DHCP for a few hundred machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.generators.clock import spell_syslog, tick_seconds
from tests.generators.shapes import LogShape
from tests.generators.syslog_daemons import pick_dhcpd, pick_ntpd, pick_postfix, pick_sshd
from tests.generators.system_daemons import CRON, FIREWALL, KERNEL, SUDO, SYSTEMD, fill
from tests.generators.vocabulary import CLIENTS, HOSTS, PATHS, USERS, pick_size

LINES_PER_SECOND = 50
Pick = Callable[[Random], str]

CRON_SESSION = (
    "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
    "CRON[{pid}]: (root) CMD (test -x /usr/local/bin/collect && /usr/local/bin/collect)",
    "CRON[{pid}]: pam_unix(cron:session): session closed for user root",
)
KERNEL_TALK = (
    "kernel: [ {small}.118244] usb 1-1: new high-speed USB device number {digit} using xhci_hcd",
    'kernel: [ {small}.702113] audit: type=1400 audit(1771680000.{small}:{pid}): apparmor="STATUS" pid={pid}',
    "kernel: [ {small}.330018] TCP: request_sock_TCP: Possible SYN flooding on port {port}. Sending cookies.",
    "kernel: [ {small}.441200] EXT4-fs (sd{letter}1): re-mounted. Opts: errors=remount-ro",
    "kernel: [ {small}.090807] perf: interrupt took too long ({pid} > 2500), lowering sample rate",
)
SYSTEMD_TALK = (
    "systemd[1]: Starting logrotate.service - Rotate log files...",
    "systemd[1]: logrotate.service: Deactivated successfully.",
    "systemd[1]: Finished logrotate.service - Rotate log files.",
    "systemd[1]: Started session-{pid}.scope - Session {pid} of User {user}.",
    "systemd[1]: session-{pid}.scope: Deactivated successfully.",
    "systemd[1]: Created slice user-1000.slice - User Slice of UID 1000.",
)
SUDO_TALK = (
    "sudo:    {user} : TTY=pts/{digit} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/systemctl restart worker",
    "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)",
    "sudo: pam_unix(sudo:session): session closed for user root",
)
NAMED = (
    "named[812]: client @0x7f2b6c0{small} {ip}#{port} (www.example.com): query: www.example.com IN A + (192.0.2.1)",
    "named[812]: client @0x7f2b6c0{small} {ip}#{port} (example.org): query (cache) 'example.org/ANY/IN' denied",
    "named[812]: lame-servers: info: connection refused resolving 'mx{digit}.example.net/AAAA/IN': {ip}#53",
    "named[812]: zone example.com/IN: sending notifies (serial 20260221{small})",
    "named[812]: transfer of 'example.net/IN' from {ip}#53: Transfer completed: 1 messages, {small} records",
)
OTHERS = (
    "dbus-daemon[412]: [system] Successfully activated service 'org.example.Hostname'",
    "rsyslogd: action 'action-3-builtin:omfwd' resumed (module 'builtin:omfwd') after {digit} retries",
    "NetworkManager[533]: <info>  [1771680000.{small}] dhcp4 (eth{digit}): state changed bound",
    "smartd[640]: Device: /dev/sd{letter} [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed to {digit}1",
    "puppet-agent[{pid}]: Applied catalog in {digit}.{small} seconds",
    "snmpd[702]: Connection from UDP: [{ip}]:{port}->[192.0.2.1]:161",
    "nrpe[{pid}]: Host {ip} is asking for command 'check_load' to be run...",
    'slapd[655]: conn={pid} op={digit} SRCH base="ou=people,dc=example,dc=com" scope=2 filter="(uid={user})"',
    'dockerd[901]: time="2026-02-21T13:20:00Z" level=info msg="ignoring event" container={pid}',
    "auditd[401]: Audit daemon rotating log files",
)


def from_templates(usual: tuple[str, ...], rare: tuple[str, ...] = (), rare_share: float = 0) -> Pick:
    """A line from `usual`, or for a share of the lines from `rare`."""

    def pick(rng: Random) -> str:
        return fill(rng, rare if rng.random() < rare_share else usual)

    return pick


def pick_mail(rng: Random) -> str:
    """A line of postfix, but for pipe(8): its relays are few, where the generator has thousands of hosts."""
    while (line := pick_postfix(rng)).startswith("postfix/pipe"):
        pass
    return line


def pick_kernel(rng: Random) -> str:
    """Refused packets mostly; one line in ten tells of trouble."""
    roll = rng.random()
    if roll < 0.5:
        return fill(rng, FIREWALL)
    return fill(rng, KERNEL if roll < 0.6 else KERNEL_TALK)


def pick_rsyncd(rng: Random) -> str:
    """What rsyncd says through syslog; the package's example reads rsyncd's own file, and knows none of it."""
    client = f"client.example.com ({rng.choice(CLIENTS)})"
    texts = (
        f"connect from {client}",
        f"rsync on repo/dists from {rng.choice(USERS)}@{client}",
        f"send client.example.com [{rng.choice(CLIENTS)}] repo () dists{rng.choice(PATHS)} {pick_size(rng)}",
        f"sent {pick_size(rng)} bytes  received {rng.randrange(40, 4000)} bytes  total size {pick_size(rng)}",
    )
    return f"rsyncd[{rng.randrange(8000, 9000)}]: {rng.choice(texts)}"


# Percent of the lines.
SHARES: dict[str, tuple[int, Pick]] = {
    "postfix": (24, pick_mail),
    "sshd": (12, pick_sshd),
    "dhcpd": (12, pick_dhcpd),
    "cron": (10, from_templates(CRON_SESSION, CRON, 0.03)),
    "systemd": (10, from_templates(SYSTEMD_TALK, SYSTEMD, 0.1)),
    "named": (8, from_templates(NAMED)),
    "kernel": (6, pick_kernel),
    "rsyncd": (3, pick_rsyncd),
    "sudo": (2, from_templates(SUDO_TALK, SUDO, 0.1)),
    "ntpd": (1, pick_ntpd),
    "others": (12, from_templates(OTHERS)),
}


def follow_mixed(rng: Random) -> Iterator[str]:
    picks = [pick for share, pick in SHARES.values() for _ in range(share)]
    for second in tick_seconds(rng, LINES_PER_SECOND):
        yield f"{spell_syslog(second)} {rng.choice(HOSTS)} {rng.choice(picks)(rng)}"


MIXED = LogShape("mixed.log", follow_mixed)
