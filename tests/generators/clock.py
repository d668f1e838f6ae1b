"""Time as logs tell it: a second that moves on, in the spellings of the daemons that write it."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from random import Random

# 2026-02-21 13:20:00 UTC. A fixed start: a generated log is the same at every run.
START_SECONDS = 1_771_680_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tick_seconds(rng: Random, per_second: int) -> Iterator[int]:
    """Yield the second of each line for ever; about `per_second` lines share one."""
    now = START_SECONDS
    while True:
        yield now
        if rng.random() * per_second < 1:
            now += 1


@functools.lru_cache(maxsize=4)
def spell_syslog(second: int) -> str:
    """`Feb 21 13:20:00`, with the day padded by a space (RFC 3164)."""
    parts = time.gmtime(second)
    return f"{MONTHS[parts.tm_mon - 1]} {parts.tm_mday:2} {parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}"


@functools.lru_cache(maxsize=4)
def spell_iso(second: int) -> str:
    """`2026-02-21T13:20:00`, to which the caller adds fraction and zone (RFC 5424)."""
    parts = time.gmtime(second)
    return (
        f"{parts.tm_year}-{parts.tm_mon:02}-{parts.tm_mday:02}T{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}"
    )


@functools.lru_cache(maxsize=4)
def spell_apache(second: int) -> str:
    """`21/Feb/2026:13:20:00 +0000`, as web servers write it."""
    parts = time.gmtime(second)
    clock = f"{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}"
    return f"{parts.tm_mday:02}/{MONTHS[parts.tm_mon - 1]}/{parts.tm_year}:{clock} +0000"


@functools.lru_cache(maxsize=4)
def spell_slashes(second: int) -> str:
    """`2026/02/21 13:20:00`, as rsync and nginx's error log write it."""
    return spell_iso(second).replace("-", "/").replace("T", " ")


@functools.lru_cache(maxsize=4)
def spell_ctime(second: int) -> str:
    """`Sat Feb 21 13:20:00 2026`, as C's ctime writes it."""
    return time.asctime(time.gmtime(second))
