"""Lines that are records: an access log in JSON and in logfmt, as web servers and Go programs write it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from tests.generators.clock import spell_iso, tick_seconds
from tests.generators.vocabulary import AGENTS, CLIENTS, METHODS, PATHS, STATUSES

LINES_PER_SECOND = 50


def follow_requests(rng: Random) -> Iterator[dict[str, str | int | float]]:
    """Yield requests, each with its parts in the same order."""
    for second in tick_seconds(rng, LINES_PER_SECOND):
        yield {
            "time": f"{spell_iso(second)}.{rng.randrange(1000):03}Z",
            "client": rng.choice(CLIENTS),
            "method": rng.choice(METHODS),
            "route": rng.choice(PATHS),
            "status": int(rng.choice(STATUSES)),
            "latency": round(rng.expovariate(8), 3),
            "bytes": rng.randrange(60_000),
            "agent": rng.choice(AGENTS),
        }


def follow_json(rng: Random) -> Iterator[str]:
    """As nginx writes with `escape=json`, or a logging library: compact, and always in one order."""
    for request in follow_requests(rng):
        yield json.dumps(request, separators=(",", ":"))


def follow_logfmt(rng: Random) -> Iterator[str]:
    """As go-logfmt writes: what has a space or an equals sign stands in quotes."""
    for request in follow_requests(rng):
        words = {key: str(value) for key, value in request.items()}
        yield " ".join(f'{key}="{word}"' if set(word) & set(" =") else f"{key}={word}" for key, word in words.items())
