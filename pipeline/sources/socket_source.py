"""What all sources have in common that are sockets: where theirs come from, and who has them at the end."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

from pipeline.descriptors import SOCKET_NAME, identify_descriptor
from pipeline.settings import SourceSettings
from pipeline.sources.single_source import SingleSource
from pipeline.sources.surroundings import Surroundings
from pipeline.unix_socket import BoundSocket


class SocketSource(SingleSource, ABC):
    """Takes the sockets of its address that were passed to us, and binds where none was."""

    def __init__(self, name: str, settings: SourceSettings, surroundings: Surroundings | None = None) -> None:
        super().__init__(name, settings, surroundings)
        self.sockets: list[BoundSocket] = []
        self.stored: list[str] = []
        """What identifies the sockets that we have given to systemd."""

    @abstractmethod
    def bind(self) -> list[BoundSocket]:
        """Return non-blocking sockets at our address, of which stream sockets listen; raises `SettingError`."""

    @abstractmethod
    def is_ours(self, sock: socket.socket) -> bool:
        """Return whether a socket is bound to our address, or is a connection to it."""

    def is_reachable(self) -> bool:
        """Return whether writers can still find a socket that was passed to us."""
        return True

    def tune(self, sock: socket.socket) -> None:
        """Set what a socket at our address is to have."""

    @property
    def descriptors(self) -> list[int]:
        return [one.socket.fileno() for one in self.sockets]

    def open(self, is_wanted: Callable[[socket.socket], bool]) -> None:
        """Take what was passed and is wanted, or bind; raises `SettingError`."""
        descriptors = self.surroundings.descriptors
        self.surroundings.add_counts(self.counts)
        for key in self.stored:
            # Those of an earlier attempt, which has failed. As long as systemd held them the address would be taken.
            descriptors.forget(key)
        self.sockets = [BoundSocket(sock) for sock in descriptors.take_sockets(is_wanted)]
        if not self.sockets or not self.is_reachable():
            self.sockets += self.bind()
        for descriptor in self.descriptors:
            descriptors.store(descriptor, SOCKET_NAME)
        self.stored = [identify_descriptor(descriptor) for descriptor in self.descriptors]
        for one in self.sockets:
            self.tune(one.socket)

    def is_kept(self, one: BoundSocket) -> bool:
        """Return whether systemd holds a socket of ours too, so that it is left to the next run as it is."""
        return self.surroundings.descriptors.keeps(one.socket.fileno())

    def close(self) -> None:
        for one in self.sockets:
            if not self.is_kept(one):
                one.unlink()
            one.socket.close()
        self.sockets = []
