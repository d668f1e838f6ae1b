"""Bytes as text of a format, and back: what is not valid UTF-8 becomes U+FFFD.

One U+FFFD for each invalid byte, as Go's range over a string has it; Python's own "replace" makes
one for several.
"""

from __future__ import annotations

import re

INVALID = re.compile("[\udc80-\udcff]")
"""What the error handler "surrogateescape" makes of invalid bytes."""


def decode_text(data: bytes) -> str:
    """Return `data` as text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return INVALID.sub("\ufffd", data.decode(errors="surrogateescape"))


def encode_text(text: str) -> bytes:
    """Return `text` as UTF-8. A file name may hold invalid bytes, as the operating system gives it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return INVALID.sub("\ufffd", text).encode()
