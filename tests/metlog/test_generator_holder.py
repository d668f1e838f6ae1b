"""The holder has one client for each name, for all threads, forked processes and the standard library's logging."""

from __future__ import annotations

import logging
import logging.config
import signal
import threading

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.holder import CLIENT_HOLDER, get_client
from tests.metlog.generator_clients import read_messages
from tests.metlog.generator_holder import holder
from tests.metlog.senders.peers import run_forked

__all__ = ["holder"]


def test_client_of_a_name_is_always_the_same() -> None:
    """The first one is the default."""
    client = get_client("shop")
    assert get_client("shop") is client
    assert (client.logger, client.is_active) == ("shop", False)
    get_client("till")
    assert CLIENT_HOLDER.default_client is client
    CLIENT_HOLDER.set_default_client_name("till")
    assert CLIENT_HOLDER.default_client is get_client("till")


def test_client_is_configured_under_its_name() -> None:
    """Another logger is a mistake."""
    client = get_client("shop", {"sender_class": "capture", "severity": 2})
    assert (client.logger, client.severity, client.is_active) == ("shop", 2, True)
    assert get_client("shop", {"logger": "shop"}) is client
    with pytest.raises(ValueError, match="has its name as its logger"):
        get_client("shop", {"logger": "till"})


def test_client_made_elsewhere_is_kept() -> None:
    """And forgotten, also as the default."""
    client = MetlogClient(None, "own")
    CLIENT_HOLDER.set_client("own", client)
    assert get_client("own") is client
    defaults = [CLIENT_HOLDER.default_client]
    CLIENT_HOLDER.delete_client("own")
    CLIENT_HOLDER.delete_client("own")
    assert [*defaults, CLIENT_HOLDER.default_client] == [client, None]
    assert get_client("own") is not client


def test_holder_works_in_a_process_that_was_forked() -> None:
    """Even if another thread was about to make a client."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with CLIENT_HOLDER.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    def get() -> int:
        signal.alarm(20)  # it ends if it hangs
        return int(get_client("shop").logger == "shop")

    assert run_forked(get) == 1
    done.set()
    thread.join()


def test_configuration_of_logging_makes_handlers() -> None:
    """The class by its dotted name, and the client by its own."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"metlog": {"class": "pipeline.metlog.logging.MetlogHandler", "metlog_client": "shop"}},
            "loggers": {"tests.metlog.configured": {"handlers": ["metlog"], "propagate": False}},
        }
    )
    client = get_client("shop", {"sender_class": "capture"})
    logging.getLogger("tests.metlog.configured").error("hello")
    assert read_messages(client)[0]["payload"] == "hello"
