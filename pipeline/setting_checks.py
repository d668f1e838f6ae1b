"""What settings of several kinds check about their values. Each raises `SettingError`, a sentence for the operator."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import SettingError

HOST_AND_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]\s]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})")
MAX_PORT = 65535

UNIX_SCHEME = "unix://"
# What Linux has room for (unix(7), sun_path), without the NUL at the end.
MAX_SOCKET_PATH_BYTES = 107
LABEL_NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""A token and the text of a value (RFC 9110 section 5), in ASCII."""
RESERVED_HEADERS = (
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
"""Headers that say how a request is written."""
RESERVED_LABELS = ("prog", "le", "quantile")
"""Labels that we write ourselves, or that Prometheus reads numbers from."""


def require_at_least(name: str, value: int, least: int) -> None:
    """Raise `SettingError` unless `value` is at least `least`."""
    if value < least:
        raise SettingError(f"--{name} must be at least {least}, not {value}.")


def require_not_negative(name: str, seconds: float) -> None:
    """Raise `SettingError` when `seconds` is below 0."""
    if seconds < 0:
        raise SettingError(f"--{name} must not be negative.")


def require_no_blank(name: str, text: str) -> None:
    """Raise `SettingError` when `text` has a character that would end a name in a line of text."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise SettingError(f"--{name} must have neither blanks nor control characters.")


def require_labels(flag: str, labels: Sequence[tuple[str, str]], reserved: Sequence[str] = RESERVED_LABELS) -> None:
    """Raise `SettingError` unless `labels` are names and values that each series can have."""
    names = [name for name, _ in labels]
    for name, value in labels:
        if not LABEL_NAME.fullmatch(name):
            raise SettingError(
                f"--{flag}: {name!r} is no name of a label: it may have letters, digits and _, no digit at its "
                "beginning, and no two underscores there."
            )
        if name in reserved:
            raise SettingError(f"--{flag}: the label {name} has a meaning of its own.")
        if names.count(name) > 1:
            raise SettingError(f"--{flag}: the label {name} is given twice.")
        require_printable(flag, name, value)


def require_printable(flag: str, name: str, value: str) -> None:
    """Raise `SettingError` unless the value of a label is one that people can read."""
    if not value.isprintable():
        raise SettingError(f"--{flag}: the value {value!r} of {name} cannot be printed.")


def require_headers(flag: str, headers: Sequence[tuple[str, str]], reserved: Sequence[str] = ()) -> None:
    """Raise `SettingError` unless `headers` can go with a request. It does not show what is wrong with one."""
    for number, (name, value) in enumerate(headers, 1):
        if not name or not value:
            raise SettingError(f"--{flag}: header {number} has no name or no value: write NAME=VALUE.")
        if not HEADER_NAME.fullmatch(name):
            raise SettingError(f"--{flag}: the name of header {number} has characters that no such name has.")
        if name.lower() in (*RESERVED_HEADERS, *reserved):
            raise SettingError(f"--{flag}: the header {name.lower()} is not for you to set.")
        if not HEADER_VALUE.fullmatch(value):
            raise SettingError(f"--{flag}: the value of {name} has characters that no header has.")
        if name.lower() in (other.lower() for other, _ in headers[: number - 1]):
            raise SettingError(f"--{flag}: the header {name.lower()} is given twice.")


def split_host_port(name: str, text: str) -> tuple[str, int]:
    """Return the host and the port that `text` names; no host is this one. `SettingError` if it names none."""
    found = HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) <= MAX_PORT:
        raise SettingError(f"--{name} {text!r} names no host and port: write HOST:PORT or [IPV6]:PORT.")
    return found["bracketed"] or found["host"] or "localhost", int(found["port"])


def split_place(name: str, text: str) -> Path | tuple[str, int]:
    """Return the unix socket that `text` names as `unix://PATH`, or else the host and the port."""
    if not text.startswith(UNIX_SCHEME):
        return split_host_port(name, text)
    path = Path(text.removeprefix(UNIX_SCHEME))
    require_socket_path(name, path)
    return path


def require_socket_path(name: str, path: Path) -> None:
    """Raise `SettingError` unless `path` can be that of a unix socket, whatever folder we run in."""
    if not path.is_absolute():
        raise SettingError(f"--{name} must name a socket by its whole path, which begins with /.")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES or "\0" in str(path):
        raise SettingError(f"--{name} must name a socket whose path has at most {MAX_SOCKET_PATH_BYTES} bytes.")


def require_mode(name: str, mode: int) -> None:
    """Raise `SettingError` unless `mode` is one of a file that is neither setuid nor the like."""
    if not 0 <= mode <= 0o777:
        raise SettingError(f"--{name} must be an octal number up to 0777, not {mode:04o}.")


def require_url(name: str, url: str) -> None:
    """Raise `SettingError` unless `url` is that of an HTTP or HTTPS server, with neither query nor fragment."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not url.isprintable() or " " in url or parts.query or parts.fragment:
        raise SettingError(f"--{name} must be http:// or https:// with a host, and perhaps a port and a path.")


def is_https_url(url: str) -> bool:
    """Return whether `url` is that of an HTTPS server."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
