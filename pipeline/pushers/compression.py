"""What is sent compressed, in turns with everything else."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import trio

# Level 6 makes a page or a request 3 % smaller, in three times the time (measured).
GZIP_LEVEL = 1
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


async def compress(pieces: Iterator[bytes]) -> bytes:
    """Return what gzip makes of `pieces`, each of which is made when others have had their turn."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW_BITS)
    parts = []
    for piece in pieces:
        parts.append(compressor.compress(piece))
        await trio.lowlevel.checkpoint()
    parts.append(compressor.flush())
    return b"".join(parts)


def decompress(body: bytes) -> bytes:
    """Return what `compress` was given."""
    return zlib.decompress(body, GZIP_WINDOW_BITS)
