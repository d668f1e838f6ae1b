"""Lines of daemons that log through syslog, with the traditional header, among lines of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.generators.clock import spell_ctime, spell_syslog, tick_seconds
from tests.generators.vocabulary import CLIENTS, HEX, HOSTS, MACS, USERS, pick_client, pick_noise, pick_size

LINES_PER_SECOND = 12


def follow_syslog(rng: Random, pick_message: Callable[[Random], str], noise: float) -> Iterator[str]:
    """Yield `Feb 21 13:20:00 host tag: text` for ever; a share of `noise` is by daemons of no interest."""
    for second in tick_seconds(rng, LINES_PER_SECOND):
        message = pick_noise(rng) if rng.random() < noise else pick_message(rng)
        yield f"{spell_syslog(second)} {rng.choice(HOSTS)} {message}"


def follow_noise(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_noise, 1)


# --- dhcpd -----------------------------------------------------------------

LEASE_TALK = (
    "DHCPDISCOVER from {mac} via eth0",
    "DHCPOFFER on {ip} to {mac} via eth0",
    "DHCPREQUEST for {ip} ({server}) from {mac} via eth0",
    "DHCPACK on {ip} to {mac} via eth0",
)
LEASE_TROUBLE = (
    "DHCPINFORM from {ip} via eth0",
    "DHCPNAK on {ip} to {mac} via eth0",
    "DHCPRELEASE of {ip} from {mac} via eth0 (found)",
    "DHCPDECLINE of {ip} from {mac} via eth0: abandoned",
    "BOOTREQUEST from {mac} via eth0",
    "BOOTREPLY for {ip} to host.example.com ({mac}) via eth0",
    "balancing pool 7f2 198.51.100.0/24  total 200  free 90  backup 88  lts 1  max-own (+/-)18",
    "balanced pool 7f2 198.51.100.0/24  total 200  free 90  backup 90  lts 0  max-misbal 27",
    "DHCPDISCOVER from {mac} via {server}: network 198.51.100.0/24: no free leases",
    "DHCPDISCOVER from {mac} via {server}: unknown network segment",
    "DHCPREQUEST for {ip}({server}) from {mac} via {server}: unknown lease {ip}.",
    "Configuration file errors encountered -- exiting",
    "failover peer dhcp-failover: peer standby: disconnected",
    "peer standby: Got POOLREQ, answering negatively!",
    "bind update on {ip} got ack from standby: xid mismatch.",
    "uid lease {ip} for client {mac} is duplicate on 198.51.100.0/24",
    "{small} bad udp checksums in {small} packets",
    "bind update on {ip} from standby rejected: incoming update is less critical than the outgoing update",
    "bind update on {ip} from standby rejected: {server}: invalid state transition",
    "timeout waiting for failover peer standby",
    "ICMP Echo reply while lease {ip}valid.",
    "unexpected ICMP Echo reply from {ip}",
    "Abandoning IP address {ip}: pinged before offer",
    "Abandoning IP address {ip}: declined.",
    "Lease conflict at {ip}",
    "Wrote {small} leases to leases file.",
)


def pick_dhcpd(rng: Random) -> str:
    template = rng.choice(LEASE_TALK if rng.random() < 0.85 else LEASE_TROUBLE)
    tag = "dhcpd" if rng.random() < 0.5 else "dhcpd[713]"
    return f"{tag}: " + template.format(
        mac=rng.choice(MACS), ip=rng.choice(CLIENTS), server="198.51.100.1", small=rng.randrange(1, 60)
    )


def follow_dhcpd(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_dhcpd, 0.2)


# --- ntpd ------------------------------------------------------------------

NTP_TALK = (
    "select(5, ...) error: Interrupted system call",
    "too many recvbufs allocated ({small})",
    "ntpd exiting on signal 15",
    "ntpd 4.2.8p15@1.3728-o Wed Sep 23 11:46:38 UTC 2020 ({digit})",
    "kernel time sync status change {state}",
    "kernel time sync enabled {state}",
    "kernel time sync disabled {state}",
    "kernel pll status change {state}",
    "synchronized to {ip}, stratum {digit}",
    "synchronized to LOCAL({digit}), stratum={digit}",
    "can't open /var/lib/ntp/ntp.drift: No such file or directory",
    "synchronisation lost",
    "Listening on interface #3 eth0, {ip}#123 Enabled",
    "time reset +0.{small:03} s",
)


def pick_ntpd(rng: Random) -> str:
    text = rng.choice(NTP_TALK).format(
        small=rng.randrange(1, 60), digit=rng.randrange(10), state=rng.randrange(1, 9999), ip=rng.choice(CLIENTS)
    )
    return f"ntpd[{rng.randrange(300, 400)}]: {text}"


def follow_ntpd(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_ntpd, 0.4)


# --- postfix ---------------------------------------------------------------

CIPHERS = (
    "Trusted TLS connection established {way} {peer}[{ip}]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
    "(256/256 bits)",
    "Untrusted TLS connection established {way} {peer}[{ip}]:25: TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 "
    "(128/128 bits)",
    "Anonymous TLS connection established {way} {peer}[{ip}]:25: TLSv1.2 with cipher AECDH-AES256-SHA (256/256 bits)",
)
DELIVERY = (
    "{queue}: to=<{user}@example.com>, relay={peer}[{ip}]:25, delay={delay}, delays={delays}, "
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {queue})"
)
SMTPD_TALK = (
    "connect from {peer}[{ip}]",
    "disconnect from {peer}[{ip}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    "{queue}: client={peer}[{ip}]",
    "{queue}: client={peer}[{ip}], sasl_method=PLAIN, sasl_username={user}",
)
SMTPD_TROUBLE = (
    "warning: hostname {peer} does not resolve to address {ip}: Name or service not known",
    "lost connection after EHLO from {peer}[{ip}]",
    "lost connection after RCPT from unknown[{ip}]",
    "NOQUEUE: reject: RCPT from {peer}[{ip}]: 554 5.7.1 Service unavailable; Client host [{ip}] blocked",
    "NOQUEUE: reject: RCPT from {peer}[{ip}]: 450 4.7.1 Client host rejected: cannot find your hostname",
    "warning: {peer}[{ip}]: SASL LOGIN authentication failed: authentication failure",
)


def spell_delays(rng: Random) -> str:
    return f"{rng.randrange(90) / 100:g}/{rng.randrange(20) / 1000:g}/{rng.randrange(300) / 100:g}/{rng.random():.2g}"


def pick_postfix_text(rng: Random) -> tuple[str, str]:
    """The postfix daemon that speaks, and a template of what it says."""
    roll = rng.random()
    if roll < 0.16:
        return "smtp", rng.choice(CIPHERS) if rng.random() < 0.2 else DELIVERY
    if roll < 0.30:
        return "lmtp" if rng.random() < 0.6 else "pipe", DELIVERY
    if roll < 0.42:
        return "cleanup", (
            "{queue}: message-id=<{queue}@{peer}>"
            if rng.random() < 0.95
            else "{queue}: reject: header Subject: offer from {peer}[{ip}]; from=<{user}@example.com>"
        )
    if roll < 0.65:
        return "qmgr", (
            "{queue}: removed"
            if rng.random() < 0.5
            else "{queue}: from=<{user}@example.com>, size={size}, nrcpt={recipients} (queue active)"
        )
    if roll < 0.68:
        return "anvil", "statistics: max connection rate 2/60s for (smtp:{ip}) at Feb 21 13:19:11"
    daemon = "submission/smtpd" if rng.random() < 0.2 else "smtpd"
    if roll > 0.97:
        return daemon, rng.choice(CIPHERS)
    return daemon, rng.choice(SMTPD_TALK if rng.random() < 0.85 else SMTPD_TROUBLE)


def pick_postfix(rng: Random) -> str:
    daemon, template = pick_postfix_text(rng)
    text = template.format(
        queue=f"{rng.randrange(16**10):010X}",
        user=rng.choice(USERS),
        peer=f"mx{rng.randrange(1, 9)}.example.com",
        ip=rng.choice(CLIENTS),
        way="to" if daemon == "smtp" else "from",
        delay=f"{rng.random() * 3:.2g}",
        delays=spell_delays(rng),
        size=pick_size(rng),
        recipients=min(int(rng.paretovariate(1.5)), 200),
    )
    return f"postfix/{daemon}[{rng.randrange(900, 1400)}]: {text}"


def follow_postfix(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_postfix, 0.15)


# --- sftp-server -----------------------------------------------------------


def pick_sftp(rng: Random) -> str:
    user = rng.choice(USERS)
    roll = rng.random()
    if roll < 0.12:
        text = f"session opened for local user {user} from [{rng.choice(CLIENTS)}]"
    elif roll < 0.24:
        text = f"session closed for local user {user} from [{rng.choice(CLIENTS)}]"
    elif roll < 0.55:
        text = f'open "/home/{user}/data-{rng.randrange(40)}.csv" flags READ mode 0666'
    else:
        folder = f"/home/{user}" if rng.random() < 0.8 else "/srv/shared"
        read, written = (pick_size(rng), 0) if rng.random() < 0.7 else (0, pick_size(rng))
        text = f'close "{folder}/data-{rng.randrange(40)}.csv" bytes read {read} written {written}'
    return f"sftp-server[{rng.randrange(2000, 2600)}]: {text}"


def follow_sftp(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_sftp, 0.3)


# --- sshd ------------------------------------------------------------------

SSHD_TALK = (
    "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:{print}",
    "Accepted password for {user} from {ip} port {port} ssh2",
    "pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
    "pam_unix(sshd:session): session closed for user {user}",
    "Received disconnect from {ip} port {port}:11: disconnected by user",
    "Disconnected from user {user} {ip} port {port}",
    "Failed password for {user} from {ip} port {port} ssh2",
    "Failed password for invalid user admin from {ip} port {port} ssh2",
    "Invalid user oracle from {ip} port {port}",
    "Connection closed by authenticating user root {ip} port {port} [preauth]",
    "Connection closed by {ip} port {port}",
    "Connection reset by {ip} port {port} [preauth]",
    "error: maximum authentication attempts exceeded for root from {ip} port {port} ssh2 [preauth]",
    "Unable to negotiate with {ip} port {port}: no matching key exchange method found. Their offer: x [preauth]",
    "banner exchange: Connection from {ip} port {port}: invalid format",
    "Server listening on 0.0.0.0 port 22.",
)


def pick_sshd(rng: Random) -> str:
    text = rng.choice(SSHD_TALK).format(
        user=rng.choice(USERS),
        ip=pick_client(rng),
        port=rng.randrange(1024, 65536),
        print="".join(rng.choices(HEX, k=12)),
    )
    return f"sshd[{rng.randrange(2000, 9000)}]: {text}"


def follow_sshd(rng: Random) -> Iterator[str]:
    return follow_syslog(rng, pick_sshd, 0.5)


# --- ntpd's statistics -----------------------------------------------------


def follow_peerstats(rng: Random) -> Iterator[str]:
    """Yield ntpd's peer statistics: day, second, peer, status word, offset, delay, dispersion (and skew)."""
    for second in tick_seconds(rng, 3):
        day, rest = divmod(second, 86_400)
        yield (
            f"{day + 40_587} {rest}.{rng.randrange(1000):03} "
            f"{rng.choice(CLIENTS[:8])} {rng.randrange(0x9000, 0x9800):x} "
            f"{rng.uniform(-0.01, 0.01):.9f} {rng.random() / 10:.9f} {rng.random() / 100:.9f} {rng.random() / 1000:.9f}"
        )


# --- vsftpd ----------------------------------------------------------------

FTP_COMMANDS = ("USER anonymous", "PASS <password>", "CWD /pub", "PASV", "RETR a.bin", "LIST", "TYPE I", "QUIT", "QUIT")
FTP_RESPONSES = (
    "220 (vsFTPd 3.0.3)",
    "331 Please specify the password.",
    "230 Login successful.",
    "226-Done",
    "550 Failed",
)


def pick_vsftpd(rng: Random) -> str:
    client = f'Client "{rng.choice(CLIENTS)}"'
    user = rng.choice(USERS)
    roll = rng.random()
    if roll < 0.1:
        return f"CONNECT: {client}"
    if roll < 0.18:
        return f"[{user}] OK LOGIN: {client}, anon password {user}@example.com"
    if roll < 0.25:
        return f'[{user}] OK UPLOAD: {client}, "/incoming/a.bin", {pick_size(rng)} bytes, 71.2Kbyte/sec'
    if roll < 0.3:
        return f'[{user}] FAIL DOWNLOAD: {client}, "/pub/none.bin", 0.00Kbyte/sec'
    if roll < 0.65:
        return f'FTP command: {client}, "{rng.choice(FTP_COMMANDS)}"'
    return f'[{user}] FTP response: {client}, "{rng.choice(FTP_RESPONSES)}"'


def follow_vsftpd(rng: Random) -> Iterator[str]:
    for second in tick_seconds(rng, 8):
        yield f"{spell_ctime(second)} [pid {rng.randrange(100, 999)}] {pick_vsftpd(rng)}"


def follow_xferlog(rng: Random) -> Iterator[str]:
    for second in tick_seconds(rng, 8):
        way = "i" if rng.random() < 0.3 else "o"
        ending = "c" if rng.random() < 0.9 else "i"
        yield (
            f"{spell_ctime(second)} {rng.randrange(1, 90)} {rng.choice(CLIENTS)} {pick_size(rng)} "
            f"/pub/file-{rng.randrange(900)}.bin b _ {way} a {rng.choice(USERS)}@example.com ftp 0 * {ending}"
        )
