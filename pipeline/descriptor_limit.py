"""How many descriptors the process may have open: RLIMIT_NOFILE, getrlimit(2).

systemd starts a service with a soft limit of 1,024 and a high hard one, because select(2) fails on larger
descriptors, and asks daemons that do without it to raise the soft limit (systemd.exec(5)). We wait with epoll.
"""

from __future__ import annotations

import resource
from contextlib import suppress

RESERVED = 128
"""What is open beside the connections of sources: pipes, files, the store's, and `MAX_CONNECTIONS` of the server."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, if the system lets us; return how many may be open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def describe_shortage(limit: int, max_connections: int, listeners: int) -> str | None:
    """Return what to tell when `listeners` sources may have more connections than `limit` descriptors allow."""
    if not listeners or listeners * max_connections + RESERVED <= limit:
        return None
    per_source = max((limit - RESERVED) // listeners, 1)
    return (
        f"--max_connections={max_connections} is more than the {limit} descriptors allow that the process may have "
        f"open: what connects beyond them waits. Raise LimitNOFILE= in its unit, or set --max_connections={per_source}."
    )
