"""Each row that docs/metlog.md has of metlog-py's clients, decorators, holder and logging is true."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable

import pytest

from pipeline.metlog.client import SEVERITY, MetlogClient
from pipeline.metlog.decorators import MetlogDecorator, incr_count, timeit
from pipeline.metlog.filters import type_whitelist
from pipeline.metlog.holder import CLIENT_HOLDER, get_client
from pipeline.metlog.logging import MetlogHandler, hook_logger
from pipeline.metlog.senders import DebugCaptureSender
from tests.metlog.generator_clients import from_config, make_client, read_message, read_messages
from tests.metlog.generator_holder import application, holder
from tests.metlog.generator_plugins import own_plugin

__all__ = ["application", "holder"]


def check_client() -> None:
    client = MetlogClient(DebugCaptureSender(), "app", 3, ["slow"], [type_whitelist("audit")])
    client.metlog("audit")
    client.metlog("other")
    assert client.timer("slow").result is None
    assert (read_message(client)["severity"], client.logger) == (3, "app")
    assert MetlogClient(sender=None, logger="", severity=6, disabled_timers=None, filters=None).logger == ""


def check_setup() -> None:
    client = make_client()
    client.setup(sender=DebugCaptureSender(), logger="b", severity=2, disabled_timers=["x"], filters=[])
    client.metlog("audit")
    message = read_message(client)
    assert (message["logger"], message["severity"]) == ("b", 2)


def check_is_active() -> None:
    assert [MetlogClient(None, "a").is_active, make_client().is_active] == [False, True]


def check_attributes() -> None:
    client = make_client()
    assert isinstance(client.sender, DebugCaptureSender)
    assert (client.logger, client.severity, list(client.filters), client.env_version) == ("shop", 6, [], "0.8")
    assert (client.hostname, client.pid) == (socket.gethostname(), os.getpid())


def check_metlog() -> None:
    client = make_client()
    client.metlog("audit", "l", 1, "p", {"a": 1})
    client.metlog(type="audit", logger="l", severity=1, payload="p", fields={"a": 1}, timestamp=0)
    first, second = read_messages(client)
    assert second.pop("timestamp") == "1970-01-01T00:00:00.000000Z"
    assert first.pop("timestamp") != second
    assert first == second


def check_incr() -> None:
    client = make_client()
    own = {"a": 1}
    client.incr("n", 2, "l", 1, own, 1.0)
    client.incr(name="n", count=2, logger="l", severity=1, fields=own, rate=1.0)
    assert [message["fields"] for message in read_messages(client)] == [{"a": 1, "name": "n", "rate": 1.0}] * 2
    assert own == {"a": 1}


def check_gauge() -> None:
    client = make_client()
    client.gauge("n", 2, "l", 1, {"a": 1}, 1.0)
    message = read_message(client)
    assert (message["type"], message["payload"], message["severity"]) == ("gauge", "2", 1)


def check_timer() -> None:
    client = make_client()
    first, second = client.timer("n", "l", 1, {"a": 1}, 1.0), client.timer("n")
    assert first is not second
    with first:
        pass
    message = read_message(client)
    assert (message["type"], message["logger"], message["fields"]) == ("timer", "l", {"a": 1, "name": "n", "rate": 1.0})


def check_timer_block() -> None:
    client = make_client()
    with client.timer("n") as timer:
        results = [timer.result]
    assert [*results, str(timer.result)] == [None, read_message(client)["payload"]]


def check_timer_decorator() -> None:
    client = make_client(disabled_timers=["off"])

    def work() -> int:
        return 5

    assert client.timer("n")(work)() == 5
    assert client.timer("off")(work) is work
    assert read_message(client)["type"] == "timer"


def check_result() -> None:
    client = make_client()
    with client.timer("n") as timer:
        pass
    assert [type(timer.result), make_client(disabled_timers="n").timer("n").result] == [int, None]


def check_timer_send() -> None:
    client = make_client()
    client.timer_send("n", 5, "l", 1, {"a": 1}, 0.5)
    message = read_message(client)
    assert (message["payload"], message["fields"]) == ("5", {"a": 1, "name": "n", "rate": 0.5})


def check_levels() -> None:
    client = make_client()
    for method in (client.debug, client.info, client.warn, client.warning, client.error, client.critical):
        method("%s", "x")
    client.info("%d", "wrong")
    assert [message["severity"] for message in read_messages(client)] == [7, 6, 4, 4, 3, 2, 6]


def check_exception() -> None:
    client = make_client()
    try:
        raise LookupError
    except LookupError:
        client.exception("x")
        client.exception("x", False)
        client.exception("%s", "x", exc_info=True)
    payloads = [str(message["payload"]).count("Traceback") for message in read_messages(client)]
    assert payloads == [1, 0, 1]


def check_exc_info() -> None:
    client = make_client()
    client.error("x", exc_info=LookupError("no"))
    message = read_message(client)
    assert str(message["payload"]) == "x\nLookupError: no"
    assert message["fields"]["exception"]["value"] == "no"  # type: ignore[index]


def check_add_method() -> None:
    client = make_client()
    client.add_method(own_plugin({}))
    assert client.dummy(1) == ("shop", {}, (1,))  # type: ignore[attr-defined]
    with pytest.raises(SyntaxError):
        client.add_method(own_plugin({}))
    client.add_method(own_plugin({"a": 1}), override=True)


def check_send_message() -> None:
    client = make_client()
    client.send_message({"type": "audit"})
    assert len(read_message(client)) == 9


def check_config_text() -> None:
    assert json.loads(from_config(severity=3)._config)["severity"] == 3


def check_severities() -> None:
    names = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "DEBUG"]
    assert [getattr(SEVERITY, name) for name in names] == list(range(8))


def check_timeit() -> None:
    client = get_client("shop", {"sender_class": "capture"})
    timeit(check_is_active)()
    timeit("n")(check_is_active)()
    assert [message["type"] for message in read_messages(client)] == ["timer", "timer"]


def check_incr_count() -> None:
    client = get_client("shop", {"sender_class": "capture"})
    incr_count(check_is_active)()
    incr_count("n", count=4)(check_is_active)()
    assert [message["payload"] for message in read_messages(client)] == ["1", "4"]


def check_client_of_decorator() -> None:
    client = make_client()
    CLIENT_HOLDER.set_client("named", client)
    timeit("n", client=client)(check_is_active)()
    timeit("n", client_name="named")(check_is_active)()
    assert len(read_messages(client)) == 2


def check_own_decorator() -> None:
    class Own(MetlogDecorator):
        def metlog_call(self, *args: object, **kwargs: object) -> object:
            return [self._fn(*args, **kwargs)]

    get_client("shop", {"sender_class": "capture"})
    assert Own()(lambda: 5)() == [5]
    assert Own.predicate(Own()) is True


def check_chain() -> None:
    assert timeit("n")(check_chain)._metlog_decorators == {(timeit, ("n",), "{}")}  # type: ignore[attr-defined]


def check_holder_get() -> None:
    client = CLIENT_HOLDER.get_client("a")
    assert CLIENT_HOLDER.get_client("a") is client
    assert client.logger == "a"


def check_holder_set() -> None:
    client = make_client()
    CLIENT_HOLDER.set_client("b", client)
    assert CLIENT_HOLDER.get_client("b") is client


def check_holder_default_name() -> None:
    CLIENT_HOLDER.get_client("a")
    second = CLIENT_HOLDER.get_client("b")
    CLIENT_HOLDER.set_default_client_name("b")
    assert CLIENT_HOLDER.default_client is second


def check_holder_default() -> None:
    before = CLIENT_HOLDER.default_client
    first = CLIENT_HOLDER.get_client("a")
    CLIENT_HOLDER.get_client("b")
    assert [before, CLIENT_HOLDER.default_client] == [None, first]


def check_holder_delete() -> None:
    client = CLIENT_HOLDER.get_client("a")
    CLIENT_HOLDER.delete_client("a")
    CLIENT_HOLDER.delete_client("none")
    assert CLIENT_HOLDER.get_client("a") is not client


def check_holder_config() -> None:
    from_config(global_a=1)
    assert CLIENT_HOLDER.global_config == {"a": 1}


def check_get_client() -> None:
    client = get_client("a", {"sender_class": "capture"})
    assert (get_client("a"), client.is_active, client.logger) == (client, True, "a")
    with pytest.raises(ValueError, match="logger"):
        get_client("a", {"logger": "b"})


def check_hook_logger() -> None:
    client = make_client()
    hook_logger("shop.orders", client)
    logging.getLogger("shop.orders").warning("%d left", 2)
    assert read_message(client)["payload"] == "2 left"


def check_handler() -> None:
    client = make_client()
    CLIENT_HOLDER.set_client("a", client)
    for given in (client, "a", None):
        MetlogHandler(given).handle(logging.makeLogRecord({"levelno": 20, "msg": "x"}))
    assert len(read_messages(client)) == 3


CHECKS: dict[str, Callable[[], None]] = {
    "`MetlogClient(sender, logger, severity, disabled_timers, filters)`": check_client,
    "`client.setup(…)`": check_setup,
    "`client.is_active`": check_is_active,
    "`client.sender`, `logger`, `severity`, `filters`, `hostname`, `pid`, `env_version`": check_attributes,
    "`client.metlog(type, logger, severity, payload, fields)`": check_metlog,
    "`client.incr(name, count, logger, severity, fields, rate)`": check_incr,
    "`client.gauge(name, value, logger, severity, fields, rate)` (heka-py)": check_gauge,
    "`client.timer(name, logger, severity, fields, rate)`": check_timer,
    "`with client.timer(name) as timer`": check_timer_block,
    "`@client.timer(name)`": check_timer_decorator,
    "`timer.result`": check_result,
    "`client.timer_send(name, elapsed, logger, severity, fields, rate)`": check_timer_send,
    "`client.debug(msg, *args)`, `info`, `warn`, `error`, `critical`": check_levels,
    "`client.exception(msg, exc_info)`": check_exception,
    "`exc_info=True`": check_exc_info,
    "`client.add_method(method, override)`": check_add_method,
    "`client.send_message(msg)`": check_send_message,
    "`client._config`": check_config_text,
    "`SEVERITY`": check_severities,
    "`@timeit`": check_timeit,
    "`@incr_count`": check_incr_count,
    "`client`, `client_name` of a decorator": check_client_of_decorator,
    "`MetlogDecorator`": check_own_decorator,
    "`function._metlog_decorators`": check_chain,
    "`CLIENT_HOLDER.get_client(name)`": check_holder_get,
    "`CLIENT_HOLDER.set_client(name, client)`": check_holder_set,
    "`CLIENT_HOLDER.set_default_client_name(name)`": check_holder_default_name,
    "`CLIENT_HOLDER.default_client`": check_holder_default,
    "`CLIENT_HOLDER.delete_client(name)`": check_holder_delete,
    "`CLIENT_HOLDER.global_config`": check_holder_config,
    "`get_client(name, config)`": check_get_client,
    "`hook_logger(name, client)`": check_hook_logger,
    "`MetlogHandler(client)`": check_handler,
}


@pytest.mark.parametrize("row", CHECKS)
def test_row_is_true(row: str) -> None:
    """What metlog-py had is here, and does the same."""
    CHECKS[row]()
