"""What a program reads of a record: a field by its path, as the type that the use demands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.decoders.decoder import Record, Value


def find_field(record: Record, path: Sequence[str]) -> Value:
    """Return the value of the field at `path`, such as ("a", "b") or ("a", "0"); None if it is absent, or null.

    Where there are no such tables within tables, the names joined by dots are tried as one, as many loggers write them.
    """
    value = record
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = None
            break
    if value is None and len(path) > 1 and isinstance(record, Mapping):
        return record.get(".".join(path))
    return value
