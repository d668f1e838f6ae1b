"""The holder of clients, which a process has one of, as a test begins with it, and the folder of an application."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.metlog.holder import CLIENT_HOLDER


@pytest.fixture(autouse=True)
def holder() -> Iterator[None]:
    """An empty holder, as a process begins with it."""
    clients, config = CLIENT_HOLDER._clients, dict(CLIENT_HOLDER.global_config)
    CLIENT_HOLDER._clients = {}
    CLIENT_HOLDER.global_config.clear()
    yield
    CLIENT_HOLDER._clients = clients
    CLIENT_HOLDER.global_config.clear()
    CLIENT_HOLDER.global_config.update(config)


@pytest.fixture(autouse=True)
def application(holder: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of the application, whose logger has no handlers afterwards."""
    monkeypatch.chdir(tmp_path)
    yield
    logging.getLogger("shop.orders").handlers.clear()
