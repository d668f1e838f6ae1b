"""What settings of several kinds check about their values. Each raises `SettingError`, a sentence for the operator."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pipeline.errors import SettingError

HOST_AND_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]\s]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})")
MAX_PORT = 65535


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


def split_host_port(name: str, text: str) -> tuple[str, int]:
    """Return the host and the port that `text` names; no host is this one. `SettingError` if it names none."""
    found = HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) <= MAX_PORT:
        raise SettingError(f"--{name} {text!r} names no host and port: write HOST:PORT or [IPV6]:PORT.")
    return found["bracketed"] or found["host"] or "localhost", int(found["port"])


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
