"""How to know what a program has compressed: by its beginning."""

from __future__ import annotations

COMPRESSED = {
    b"\x1f\x8b": "gzip",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    b"\xfd7zXZ\x00": "xz",
    b"(\xb5/\xfd": "zstd",
}
"""How the files begin that these programs write (RFC 1952, RFC 8878, and the formats' own specifications)."""


def find_compression(head: bytes) -> str | None:
    """Return the program that compressed a file which begins with `head`, None if it is not compressed."""
    return next((name for magic, name in COMPRESSED.items() if head.startswith(magic)), None)


def may_be_compressed(head: bytes) -> bool:
    """Return whether `head` is too short to say."""
    return any(len(head) < len(magic) and magic.startswith(head) for magic in COMPRESSED)
