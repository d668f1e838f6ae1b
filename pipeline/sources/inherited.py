"""`fd://NAME`: a source by the name of what systemd passes.

A `.socket` unit says `FileDescriptorName=lines`, and `--logs=fd://lines` reads what it passes, whatever it is: the
descriptor tells its kind and its address. From then on the source is called by that address, as if it had been
written, so that programs, metrics and the next run know it by one name.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from pipeline.descriptors import Descriptors, Inherited, show_address
from pipeline.errors import SettingError
from pipeline.unix_socket import is_listening

SCHEME = "fd://"

SCHEMES = {
    (True, socket.SOCK_STREAM): "unix://",
    (True, socket.SOCK_DGRAM): "unixgram://",
    (False, socket.SOCK_STREAM): "tcp://",
    (False, socket.SOCK_DGRAM): "udp://",
}
"""By whether it is a unix socket, and its type."""


def resolve_names(specs: Sequence[str], descriptors: Descriptors) -> list[str]:
    """Return the items of `--logs` with addresses for names; raises `SettingError` for a name that is not passed."""
    return [item for spec in specs for item in resolve_name(spec, descriptors)]


def resolve_name(spec: str, descriptors: Descriptors) -> list[str]:
    """Return the addresses of one item: several if systemd passes several under its name."""
    if not spec.startswith(SCHEME):
        return [spec]
    name = spec.removeprefix(SCHEME)
    found = [one for one in descriptors.inherited if one.name == name]
    if not found:
        names = sorted({one.name for one in descriptors.inherited if not one.is_kept})
        known = f"only {', '.join(names)}" if names else "nothing"
        raise SettingError(f"systemd passes no descriptor named {name!r}; it passes {known}.")
    return [find_address(one) for one in found]


def find_address(one: Inherited) -> str:
    """Return what `--logs` would name a descriptor by; raises `SettingError` if it is nothing to read lines from."""
    if one.is_pipe and one.path.is_absolute():
        return str(one.path)
    with one.borrow_socket() as sock:
        if sock is not None and sock.family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            scheme = SCHEMES.get((sock.family == socket.AF_UNIX, sock.type))
            if scheme and (sock.type == socket.SOCK_DGRAM or is_listening(sock)):
                return scheme + show_address(sock)
    raise SettingError(
        f"The descriptor {one.name!r}, which systemd passes, is neither a named pipe nor a socket that listens for "
        "streams or receives datagrams."
    )
