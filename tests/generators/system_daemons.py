"""Lines of the kernel, systemd, cron, sudo, the packet filter and fail2ban, under each header syslog has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

from tests.generators.clock import spell_iso, spell_syslog, tick_seconds
from tests.generators.vocabulary import CLIENTS, HOSTS, USERS, pick_noise

LINES_PER_SECOND = 12
TAG = re.compile(r"(?P<program>[^ \[:]+)(?:\[(?P<pid>\d+)\])?:? ?(?P<text>.*)")

KERNEL = (
    "kernel: [ {small}.567890] Out of memory: Killed process {pid} (worker) total-vm:9000000kB",
    "kernel: Memory cgroup out of memory: Killed process {pid} (php-fpm) total-vm:900000kB",
    "kernel: [ {small}.000001] worker[{pid}]: segfault at 10 ip 00007f2b sp 00007ffe error 4 in libexample.so",
    "kernel: [ {small}.000001] traps: worker[{pid}] trap divide error ip:55d0 sp:7ffe error:0",
    "kernel: [ {small}.000001] BUG: kernel NULL pointer dereference, address: 0000000000000010",
    "kernel: [ {small}.000001] blk_update_request: I/O error, dev sd{letter}, sector {pid} op 0x0:(READ)",
    "kernel: [ {small}.000001] e1000e 0000:00:1f.6 eth{digit}: NIC Link is Down",
    "kernel: [ {small}.000001] e1000e 0000:00:1f.6 eth{digit}: NIC Link is Up 1000 Mbps Full Duplex",
    "kernel: eth{digit}: link down",
    "kernel: CPU3: Core temperature above threshold, cpu clock throttled (total events = {small})",
    "kernel: [ {small}.000001] INFO: task kworker/0:1:{pid} blocked for more than 120 seconds.",
    "kernel: [ {small}.000001] usb 1-1: new high-speed USB device number 4 using xhci_hcd",
)
FIREWALL = (
    "kernel: [ {small}.345678] {rule} IN=eth{digit} OUT= MAC=52:54:00:00:00:01 SRC={ip} DST=192.0.2.1 LEN={size} "
    "TOS=0x00 PREC=0x00 TTL=50 ID=1 DF PROTO=TCP SPT=40000 DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0",
    "kernel: {rule} IN= OUT=eth{digit} SRC=192.0.2.1 DST={ip} LEN={size} TOS=0x00 PREC=0x00 TTL=64 ID=4 DF "
    "PROTO=UDP SPT=123 DPT={port} LEN=56",
    "kernel: {rule} IN=eth{digit} OUT= SRC={ip} DST=192.0.2.1 LEN={size} TOS=0x00 PROTO=ICMP TYPE=8 CODE=0 ID=7",
    "kernel: [ {small}.345678] {rule} IN=eth{digit} OUT= MAC=52:54:00:00:00:01 SRC=2001:db8::7 DST=2001:db8::1 "
    "LEN={size} TC=0 HOPLIMIT=64 FLOWLBL=0 PROTO=TCP SPT=40000 DPT={port} WINDOW=64240",
)
SYSTEMD = (
    "systemd[1]: Started nginx.service - A high performance web server.",
    "systemd[1]: Stopped worker@{digit}.service - Worker.",
    "systemd[1]: backup.service: Main process exited, code=exited, status=1/FAILURE",
    "systemd[1]: backup.service: Failed with result 'exit-code'.",
    "systemd[1]: worker@{digit}.service: Main process exited, code=killed, status=9/KILL",
    "systemd[1]: worker@{digit}.service: Failed with result 'signal'.",
    "systemd[1]: worker@{digit}.service: Scheduled restart job, restart counter is at {small}.",
    "systemd[1]: backup.service: Consumed {digit}.{small}s CPU time.",
    "systemd[1]: user@1000.service: Consumed {digit}min {digit}.{small}s CPU time.",
    "systemd[{pid}]: Started pipewire.service - PipeWire Multimedia Service.",
)
CRON = (
    "CRON[{pid}]: (root) CMD (test -x /usr/local/bin/collect && /usr/local/bin/collect)",
    "CRON[{pid}]: ({user}) CMD (/home/{user}/bin/fetch)",
    "CRON[{pid}]: (CRON) info (No MTA installed, discarding output)",
    "cron[{pid}]: ({user}) ORPHAN (no passwd entry)",
    "cron[{pid}]: Error: bad minute; while reading /etc/cron.d/broken",
    "CROND[{pid}]: ({user}) FAILED to authorize user with PAM (Authentication failure)",
)
SUDO = (
    "sudo:    {user} : TTY=pts/{digit} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/id",
    "sudo[{pid}]:   deploy : PWD=/srv ; USER=www-data ; COMMAND=/usr/bin/env",
    "sudo:    {user} : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
    "sudo:    {user} : user NOT in sudoers ; TTY=pts/2 ; PWD=/ ; USER=root ; COMMAND=/bin/cat /etc/shadow",
    "sudo:    {user} : command not allowed ; TTY=pts/3 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/passwd",
    "sudo:    {user} : a password is required ; PWD=/ ; USER=root ; COMMAND=/usr/bin/true",
    "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)",
)
FAIL2BAN = (
    "fail2ban.filter[711]: INFO [sshd] Found {ip} - 2026-02-21 13:20:00",
    "fail2ban.actions[711]: NOTICE [sshd] Ban {ip}",
    "fail2ban.actions[711]: NOTICE [postfix-sasl] Ban {ip}",
    "fail2ban.actions[711]: NOTICE [sshd] Unban {ip}",
    "fail2ban.utils[711]: ERROR 7f3a -- exec: nft add rule -- stderr: 'nft: not found'",
    "fail2ban.server[711]: INFO --------------------------------------------------",
)
DOCTOR = (
    "syslog-pipeline-doctor: test line 0123456789abcde{digit}",
    "syslog-pipeline-doctor[{pid}]: test line fedcba987654321{letter}",
    "syslog-pipeline-doctor: test line 0123456789abcde",
    "syslog-pipeline-doctor: test line 0123456789abcde{digit}0",
    "syslog-pipeline-doctor: test line 0123456789ABCDE{digit}",
    "{user}: syslog-pipeline-doctor test line 0123456789abcde{digit}",
)


def spell_line(rng: Random, second: int, message: str) -> str:
    """A line under a header as rsyslog and syslog-ng write it: traditional, ISO, RFC 5424; with priority or not."""
    host = rng.choice(HOSTS)
    priority = f"<{rng.randrange(192)}>"
    form = rng.randrange(5)
    if form <= 1:
        return f"{priority if form else ''}{spell_syslog(second)} {host} {message}"
    stamp = f"{spell_iso(second)}.{rng.randrange(1_000_000):06}+00:00"
    if form <= 3:
        return f"{priority if form == 3 else ''}{stamp} {host} {message}"
    tag = TAG.fullmatch(message)
    assert tag is not None
    return f"{priority}1 {stamp} {host} {tag['program']} {tag['pid'] or '-'} - - {tag['text'].lstrip()}"


def follow_templates(templates: tuple[str, ...], noise: float = 0.3) -> Callable[[Random], Iterator[str]]:
    """Return a generator of lines made of templates, among lines of other daemons."""

    def follow(rng: Random) -> Iterator[str]:
        for second in tick_seconds(rng, LINES_PER_SECOND):
            yield spell_line(rng, second, pick_noise(rng) if rng.random() < noise else fill(rng, templates))

    return follow


def fill(rng: Random, templates: tuple[str, ...]) -> str:
    return rng.choice(templates).format(
        pid=rng.randrange(300, 32768),
        small=rng.randrange(100, 1000),
        digit=rng.randrange(4),
        letter=rng.choice("abc"),
        user=rng.choice(USERS),
        ip=rng.choice(CLIENTS),
        size=rng.randrange(40, 1500),
        port=rng.choice((22, 23, 80, 443, 3389, 5060, 8080)),
        rule=rng.choice(("DROP", "REJECT")),
    )
