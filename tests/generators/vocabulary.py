"""The people, machines and words that generated logs speak of.

Addresses are those RFC 5737 and RFC 3849 set aside, names end in example.com.
The pools are small enough that labels repeat, as they do in real logs.
"""

from __future__ import annotations

from random import Random

HOSTS = ("alpha", "bravo", "charlie", "delta", "web-1", "mail.example.com")
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
PATHS = (
    "/",
    "/index.html",
    "/login",
    "/api/v1/items",
    "/api/v1/items/1047",
    "/static/site.css",
    "/static/app.js",
    "/images/logo.png",
    "/search?q=pump&page=2",
    "/healthz",
    "/feed.xml",
    "/docs/install.html",
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15",
    "curl/7.88.1",
    "ExampleBot/2.1 (+http://bot.example.com/)",
)
METHODS = ("GET",) * 12 + ("POST",) * 4 + ("HEAD", "PUT", "DELETE")
STATUSES = ("200",) * 20 + ("304",) * 4 + ("301", "302", "403", "404", "404", "500", "503")
HEX = "0123456789abcdef"
MACS = tuple(f"52:54:00:{number % 256:02x}:{number * 7 % 256:02x}:{number * 13 % 256:02x}" for number in range(300))
CLIENTS = tuple(f"192.0.2.{number}" for number in range(1, 255)) + tuple(
    f"198.51.100.{number}" for number in range(1, 255)
)
SIX_CLIENTS = tuple(f"2001:db8::{number:x}" for number in range(1, 40))
NOISE = (
    "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
    "CRON[{pid}]: (root) CMD (test -x /usr/local/bin/collect && /usr/local/bin/collect)",
    "systemd[1]: Started session-{pid}.scope - Session {pid} of User alice.",
    "systemd[1]: apt-daily.service: Deactivated successfully.",
    "kernel: [{pid}.118244] eth0: link up, 1000 Mbps, full duplex",
    "sshd[{pid}]: Accepted publickey for alice from 192.0.2.17 port 40122 ssh2: ED25519 SHA256:Zm9vYmFy",
    "dbus-daemon[412]: [system] Successfully activated service 'org.example.Hostname'",
    "rsyslogd: action 'action-3-builtin:omfwd' resumed (module 'builtin:omfwd') after {pid} retries",
)


def pick_noise(rng: Random) -> str:
    """Tag and text of a line by some daemon that the program at hand does not care for."""
    return rng.choice(NOISE).format(pid=rng.randrange(300, 32768))


def pick_client(rng: Random) -> str:
    """An IPv4 address mostly, sometimes one of IPv6."""
    return rng.choice(SIX_CLIENTS) if rng.random() < 0.05 else rng.choice(CLIENTS)


def pick_size(rng: Random) -> int:
    """A number of bytes: many small, few large."""
    return int(rng.paretovariate(0.9) * 180)
