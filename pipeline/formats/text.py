"""Bytes of a log line as text of a format: what is not valid UTF-8 becomes U+FFFD.

One U+FFFD for each invalid byte, as Go's range over a string has it; Python's own "replace" makes
one for several.
"""

from __future__ import annotations

import re

INVALID = re.compile("[\udc80-\udcff]")
"""What the error handler "surrogateescape" makes of invalid bytes."""


def decode_text(data: bytes, replacement: str = "\ufffd") -> str:
    """Return `data` as text with `replacement` for each byte that is not part of valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return INVALID.sub(replacement, data.decode(errors="surrogateescape"))
