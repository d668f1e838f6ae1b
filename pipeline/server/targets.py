"""What a request asks for, and whether it can be answered at all, before any page is looked for.

The limits are counted here again: h11 counts what has arrived of a request that is not complete yet, so that one which
comes in one piece passes it.
"""

from __future__ import annotations

import re
from http import HTTPStatus

import h11

HEADER_LINE_BYTES = len(": \r\n")
"""What a header has beside its name and its value."""

MAX_TARGET_BYTES = 8 * 1024
"""RFC 9110 section 4.1 asks for 8,000 at least; nginx passes on no more than this."""

AUTHORITY = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


def find_refusal(request: h11.Request, max_bytes: int) -> HTTPStatus | None:
    """Return what a request that nobody shall answer is refused with. Its lines may have `max_bytes`."""
    if not request.http_version.startswith(b"1."):
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    if len(request.target) > MAX_TARGET_BYTES:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    headers = sum(len(name) + len(value) + HEADER_LINE_BYTES for name, value in request.headers)
    if len(request.target) + headers > max_bytes:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None


def find_origin_form(method: bytes, target: bytes) -> bytes:
    """Return the path and the parameters of a target, which may be a whole URL (RFC 9112 section 3.2.2).

    We are the host that is asked, whatever name somebody has for it. Who asks for the options of the server in general,
    by `*` (section 3.2.4), is told those of all paths, which are the same.
    """
    if (method, target) == (b"OPTIONS", b"*"):
        return b"/"
    found = AUTHORITY.match(target)
    if found is None:
        return target
    rest = target[found.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest
