"""Lines of services that keep log files of their own: web servers, rsync, MySQL, Rails."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.generators.clock import spell_apache, spell_slashes, tick_seconds
from tests.generators.vocabulary import AGENTS, CLIENTS, METHODS, PATHS, STATUSES, USERS, pick_client, pick_size

LINES_PER_SECOND = 20


def pick_bytes(rng: Random, status: str) -> str:
    """The size column of an access log: a dash where there was no body."""
    return "-" if status == "304" else str(pick_size(rng))


def follow_apache_combined(rng: Random) -> Iterator[str]:
    for second in tick_seconds(rng, LINES_PER_SECOND):
        status = rng.choice(STATUSES)
        user = rng.choice(USERS) if rng.random() < 0.1 else "-"
        referer = "https://www.example.com/" if rng.random() < 0.5 else "-"
        yield (
            f"{pick_client(rng)} - {user} [{spell_apache(second)}] "
            f'"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/1.1" {status} {pick_bytes(rng, status)} '
            f'"{referer}" "{rng.choice(AGENTS)}"'
        )


def follow_apache_common(rng: Random) -> Iterator[str]:
    """Yield the common format with the time taken in microseconds, and few clients: they become labels."""
    for second in tick_seconds(rng, LINES_PER_SECOND):
        status = rng.choice(STATUSES)
        yield (
            f"{rng.choice(CLIENTS[:12])} - - [{spell_apache(second)}] "
            f'"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/1.1" {status} {pick_bytes(rng, status)} '
            f'{int(rng.expovariate(1 / 9000))} "-" "{rng.choice(AGENTS)}"'
        )


def follow_apache_metrics(rng: Random) -> Iterator[str]:
    while True:
        yield (
            f"www.example.com:{rng.choice(('443', '80'))} {rng.choice(('proxy-server', 'php', '-'))} "
            f"{rng.choice(METHODS)} {rng.choice(STATUSES)} HTTP/1.1 conn={rng.choice('+++++-X')} "
            f"{int(rng.expovariate(1 / 40000))} {pick_size(rng)} {rng.randrange(200, 2000)} {rng.randrange(9)}"
        )


def follow_lighttpd(rng: Random) -> Iterator[str]:
    for second in tick_seconds(rng, LINES_PER_SECOND):
        body = pick_size(rng)
        yield (
            f"{rng.choice(CLIENTS) if rng.random() < 0.3 else '-'} {rng.choice(CLIENTS[:20])} - "
            f'[{spell_apache(second)}] "{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/1.1" '
            f"{rng.choice(STATUSES)} {body} {rng.randrange(200, 2000)} {body + rng.randrange(150, 400)} "
            f'{rng.randrange(3)} "-" "{rng.choice(AGENTS)}"'
        )


def follow_nginx(rng: Random) -> Iterator[str]:
    """Yield nginx's combined format, then the request's and the upstream's time in seconds."""
    for second in tick_seconds(rng, LINES_PER_SECOND):
        taken = rng.expovariate(20)
        upstream = f"{taken * rng.random():.3f}" if rng.random() < 0.8 else "-"
        referer = "https://www.example.com/" if rng.random() < 0.5 else "-"
        request = (
            f"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/{rng.choice(('1.1', '2.0'))}"
            if rng.random() < 0.99
            else "\\x16\\x03\\x01"
        )
        yield (
            f'{pick_client(rng)} - - [{spell_apache(second)}] "{request}" {rng.choice(STATUSES)} {pick_size(rng)} '
            f'"{referer}" "{rng.choice(AGENTS)}" {taken:.3f} {upstream}'
        )


def follow_latencies(rng: Random) -> Iterator[str]:
    while True:
        latency = int(rng.expovariate(0.5))
        if rng.random() < 0.8:
            yield f"GET {rng.choice(PATHS)} latency={latency}s httpcode={rng.choice(STATUSES)}"
        else:
            yield f"GET {rng.choice(PATHS)} latency={latency}"


def follow_vhosts(rng: Random) -> Iterator[str]:
    while True:
        yield f"{rng.choice(('www', 'api', 'static', 'blog'))}.example.com {int(rng.expovariate(1 / 4000))}"


def follow_rails(rng: Random) -> Iterator[str]:
    for second in tick_seconds(rng, LINES_PER_SECOND):
        roll = rng.random()
        if roll < 0.25:
            when = spell_slashes(second).replace("/", "-")
            yield f'Started {rng.choice(METHODS)} "{rng.choice(PATHS)}" for {pick_client(rng)} at {when} +0000'
        elif roll < 0.5:
            yield "Processing by ItemsController#index as HTML"
        elif roll < 0.62:
            yield '  Parameters: {"id"=>"1047", "page"=>"2"}'
        elif roll < 0.75:
            yield f"  Rendered items/index.html.erb within layouts/application ({rng.random() * 90:.1f}ms)"
        else:
            taken = int(rng.expovariate(1 / 120))
            yield (
                f"Completed {rng.choice(STATUSES)} OK in {taken}ms "
                f"(Views: {taken * 0.6:.1f}ms | ActiveRecord: {taken * 0.3:.1f}ms)"
            )


# --- rsync -----------------------------------------------------------------


def follow_rsyncd(rng: Random) -> Iterator[str]:
    """Yield sessions that overlap: each connects, sends a few files, and is summed up at its end."""
    sessions: list[int] = []
    next_pid = 8000
    for second in tick_seconds(rng, 3):
        stamp = spell_slashes(second)
        client = "client.example.com"
        roll = rng.random()
        if len(sessions) < 3 or (roll < 0.12 and len(sessions) < 40):
            next_pid = next_pid + 1 if next_pid < 32_000 else 8000
            sessions.append(next_pid)
            yield f"{stamp} [{next_pid}] connect from {client} ({rng.choice(CLIENTS)})"
        elif roll < 0.24:
            pid = sessions.pop(rng.randrange(len(sessions)))
            sent, received = pick_size(rng), rng.randrange(40, 4000)
            yield f"{stamp} [{pid}] sent {sent} bytes  received {received} bytes  total size {sent * 3}"
        elif roll < 0.34:
            yield f"{stamp} [{rng.choice(sessions)}] building file list"
        else:
            way = "send" if rng.random() < 0.8 else "recv"
            module = rng.choice(("repo", "backup", "pub"))
            yield (
                f"{stamp} [{rng.choice(sessions)}] {way} {client} [{rng.choice(CLIENTS)}] {module} () "
                f"dists/file-{rng.randrange(2000)}.deb {pick_size(rng)}"
            )


# --- MySQL -----------------------------------------------------------------

QUERIES = (
    ("SELECT * FROM items WHERE id = 1047 # catalog;",),
    ("UPDATE orders SET state = 'paid' WHERE id = 9 # checkout;",),
    ("DELETE FROM sessions WHERE expires < NOW();",),
    ("INSERT INTO audit VALUES (1, 'login');",),
    ("SELECT a.id, b.name", "FROM a JOIN b ON a.id = b.a", "WHERE a.state = 3 # reports;"),
    ("SELECT id", "FROM outbox", "LIMIT 100;"),
)


def follow_slow_queries(rng: Random) -> Iterator[str]:
    yield "Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock"
    yield "Time                 Id Command    Argument"
    for entry, second in enumerate(tick_seconds(rng, 2)):
        if entry % 5 == 0:
            clock = spell_slashes(second)
            hour = int(clock[11:13]) % 10
            yield f"# Time: {clock[2:10].replace('/', '')}  {hour}{clock[13:]}"
        user = rng.choice(USERS)
        yield f"# User@Host: {user}[{user}] @ {rng.choice(('app1', 'app2', 'batch'))} [{rng.choice(CLIENTS)}]"
        yield f"# Query_time: {rng.randrange(2, 60)}  Lock_time: {rng.randrange(3)}  Rows_sent: 1  Rows_examined: 7000"
        if rng.random() < 0.3:
            yield f"SET timestamp={second};"
        yield from rng.choice(QUERIES)
