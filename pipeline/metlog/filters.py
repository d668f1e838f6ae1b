"""Filters: each function here makes one of its settings, and it says whether a message is sent.

A filter is called with the message as the application gave it, before anything in it is made harmless, and may change
it. Those of a client run in their order; the first that says no is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pipeline.metlog.envelope import Message

Filter = Callable[[Message], bool]


def severity_max(severity: int) -> Filter:
    """Let pass what is at least as severe, which is a number up to `severity`."""
    limit = int(severity)

    def keep(msg: Message) -> bool:
        level = msg["severity"]
        return not isinstance(level, int) or level <= limit

    return keep


def type_blacklist(types: str | Iterable[str]) -> Filter:
    """Let all pass but these types."""
    refused = collect_types(types)

    def keep(msg: Message) -> bool:
        return msg["type"] not in refused

    return keep


def type_whitelist(types: str | Iterable[str]) -> Filter:
    """Let these types pass, and no others."""
    wanted = collect_types(types)

    def keep(msg: Message) -> bool:
        return msg["type"] in wanted

    return keep


def type_severity_max(types: object = None, **more: object) -> Filter:
    """Let messages of each type named here pass up to its own severity, and those of other types always.

    `types` maps names to severities, or to `{"severity": number}` as in metlog-py; or it is a list of `name:number`.
    """
    limits = {name: read_limit(limit) for name, limit in {**read_limits(types), **more}.items()}

    def keep(msg: Message) -> bool:
        level = msg["severity"]
        return not isinstance(level, int) or level <= limits.get(str(msg["type"]), level)

    return keep


def collect_types(types: str | Iterable[str]) -> frozenset[str]:
    """Return types as a set; one alone may be given as its name."""
    return frozenset({types} if isinstance(types, str) else types)


def read_limits(types: object) -> dict[str, object]:
    """Return a severity for each type. Raises `ValueError`."""
    match types:
        case None:
            return {}
        case Mapping():
            return {str(name): limit for name, limit in types.items()}
        case str():
            return read_limits([types])
        case list() | tuple():
            return {name.strip(): limit for name, _, limit in (str(text).rpartition(":") for text in types)}
    raise ValueError(f"Severities by type are a table or a list of name:number, not {types!r}.")


def read_limit(limit: object) -> int:
    """Return a severity. Raises `ValueError`."""
    if isinstance(limit, Mapping):
        limit = limit.get("severity")
    try:
        return int(str(limit))
    except ValueError:
        raise ValueError(f"A severity is a number from 0 to 7, not {limit!r}.") from None


# The names of metlog-py, of which its own pages use both.
severity_max_provider = severity_max
type_blacklist_provider = type_blacklist
type_whitelist_provider = type_whitelist
type_severity_max_provider = type_severity_max
