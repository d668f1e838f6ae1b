"""Where the lines are of a file that was renamed while nobody looked, or truncated after a copy was made of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline.sources.files.identity import HEAD_BYTES, MIN_COPY_BYTES, Identity, Mark, is_name_of_copy
from pipeline.sources.files.tail import open_regular
from pipeline.unix_socket import identify


def open_remains(mark: Mark, known: Collection[Identity]) -> int | None:
    """Open the file that `mark` was made of, or else a copy of it, in the same folder; None if there is none.

    One of those `known` is read already.
    """
    for path in list_candidates(mark):
        try:
            descriptor = open_regular(path)
        except OSError:
            continue
        status = os.fstat(descriptor)
        if identify(status) not in known and mark.fits(os.pread(descriptor, HEAD_BYTES, 0), status.st_size):
            return descriptor
        os.close(descriptor)
    return None


def list_candidates(mark: Mark) -> Iterator[str]:
    """Return paths where it may be: first that of the same file under another name, then those of copies."""
    copies = []
    is_known = mark.fingerprint.length > 0  # of an empty file the inode alone would say too little
    try:
        with os.scandir(Path(mark.path).parent) as entries:
            for entry in entries:
                has_name = is_name_of_copy(entry.path, mark.path)
                if entry.inode() == mark.identity[1] and (is_known or has_name):
                    yield entry.path
                elif mark.fingerprint.length >= MIN_COPY_BYTES and has_name:
                    copies.append(entry.path)
    except OSError:
        return
    yield from copies
