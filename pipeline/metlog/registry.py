"""The clients of a process by name, and the settings that all of them share."""

from __future__ import annotations

import os
import threading

from pipeline.metlog.client import MetlogClient

DEFAULT = "default"
DISABLED = "disabled_decorators"


class MetlogClientHolder:
    """Makes clients when they are first asked for. The first one is the default, until another is named."""

    def __init__(self) -> None:
        self._clients: dict[str, MetlogClient] = {}
        self.global_config: dict[str, object] = {}
        self.lock = threading.RLock()

    def get_client(self, name: str) -> MetlogClient:
        """Return the client of a name, always the same. A new one has no sender, and the name as its logger."""
        with self.lock:
            client = self._clients.get(name)
            if client is None:
                client = MetlogClient(None, name)
                self.set_client(name, client)
        return client

    def set_client(self, name: str, client: MetlogClient) -> None:
        """Keep a client that was made elsewhere."""
        with self.lock:
            self._clients[name] = client
            if self.global_config.get(DEFAULT) is None:
                self.global_config[DEFAULT] = name

    def set_default_client_name(self, name: str) -> None:
        """Say which client is the default."""
        self.global_config[DEFAULT] = name

    @property
    def default_client(self) -> MetlogClient | None:
        """The client that decorators use; None before there is one."""
        name = self.global_config.get(DEFAULT)
        return self.get_client(name) if isinstance(name, str) else None

    def delete_client(self, name: str) -> None:
        """Forget a client; nothing happens if there is none of the name."""
        with self.lock:
            self._clients.pop(name, None)
            if self.global_config.get(DEFAULT) == name:
                del self.global_config[DEFAULT]


CLIENT_HOLDER = MetlogClientHolder()


def _renew_lock() -> None:
    """Give a process that was forked a lock that no thread of its parent holds."""
    CLIENT_HOLDER.lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
