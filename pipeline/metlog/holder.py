"""The clients of this process: `get_client` is the way for modules that know no more than the application's name."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config import client_from_dict_config
from pipeline.metlog.exceptions import ConfigError
from pipeline.metlog.registry import CLIENT_HOLDER, MetlogClientHolder

__all__ = ["CLIENT_HOLDER", "MetlogClientHolder", "get_client"]


def get_client(name: str, config: Mapping[str, object] | None = None) -> MetlogClient:
    """Return the client of a name, and configure it if there is something to configure it by.

    Its logger is the name: a configuration that says another one raises `ConfigError`, a `ValueError`.
    """
    client = CLIENT_HOLDER.get_client(name)
    if config:
        if config.get("logger") not in (None, "", name):
            raise ConfigError(f"The client {name!r} has its name as its logger, and not {config['logger']!r}.")
        client_from_dict_config({**config, "logger": name}, client)
    return client
