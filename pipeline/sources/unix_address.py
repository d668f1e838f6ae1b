"""Where a unix socket is: at a path, or at an abstract name, written `@name`."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from pipeline.ownership import Ownership
from pipeline.settings import SourceSettings
from pipeline.unix_socket import BoundSocket, bind_abstract_socket, bind_unix_socket, is_served


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """`text` is an absolute path, or a name after an `@`."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_abstract(self) -> bool:
        return self.text.startswith("@")

    @property
    def spelling(self) -> str | bytes:
        """The address as `getsockname` returns it."""
        return b"\0" + os.fsencode(self.text[1:]) if self.is_abstract else self.text

    def is_reachable(self) -> bool:
        """Return whether somebody's socket is there; for one without its file, it is at another place or none."""
        try:
            return self.is_abstract or is_served(Path(self.text))
        except OSError:
            return False

    def bind(self, kind: socket.SocketKind, settings: SourceSettings) -> BoundSocket:
        """Bind (a stream socket: listen too), with the mode, owner and group in `settings`; raises `SettingError`."""
        if self.is_abstract:
            return bind_abstract_socket(self.text[1:], kind)
        return bind_unix_socket(Path(self.text), kind, Ownership.of(settings))
