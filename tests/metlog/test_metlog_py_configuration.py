"""Each row that docs/metlog.md has of metlog-py's configuration, filters, senders and relatives is true."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config import (
    client_from_dict_config,
    client_from_stream_config,
    client_from_text_config,
    dict_from_stream_config,
    nest_prefixes,
)
from pipeline.metlog.decorators import incr_count, timeit
from pipeline.metlog.endpoints.sentry_event import make_exception
from pipeline.metlog.exceptions import ConfigError, EnvironmentNotFoundError
from pipeline.metlog.filters import severity_max, type_blacklist, type_severity_max, type_whitelist
from pipeline.metlog.holder import CLIENT_HOLDER
from pipeline.metlog.logging import MetlogHandler
from pipeline.metlog.path import DottedNameResolver, resolve_name
from pipeline.metlog.senders import (
    DebugCaptureSender,
    FileSender,
    NoSendSender,
    StdLibLoggingSender,
    StdOutSender,
    StreamSender,
    UdpSender,
)
from tests.metlog.generator_clients import from_config, make_client, read_message, read_messages
from tests.metlog.generator_holder import application, holder
from tests.metlog.generator_plugins import OwnSender, own_incr
from tests.metlog.test_metlog_py_calls import CHECKS as CHECKS_OF_CALLS
from tests.metlog.test_metlog_py_calls import check_is_active
from tests.test_docs import read_page

__all__ = ["application", "holder"]

PAGE = read_page("metlog.md")
TABLE = PAGE.partition("\n## From metlog-py\n")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
ROWS = [found[1] for found in ROW.finditer(TABLE) if found[1] not in ("metlog-py", "---")]

OWN = "tests.metlog.generator_plugins"


def from_ini(text: str) -> MetlogClient:
    """Return a client of an INI file, with a ring of messages."""
    return client_from_text_config(f"[metlog]\nsender_class = metlog.senders.dev.DebugCaptureSender\n{text}", "metlog")


def check_dict_config() -> None:
    client = make_client()
    CLIENT_HOLDER.global_config["old"] = 1
    assert client_from_dict_config({"logger": "a"}, client, True) is client
    assert (client.logger, CLIENT_HOLDER.global_config) == ("a", {})


def check_stream_config() -> None:
    client = make_client()
    assert client_from_stream_config(io.StringIO("[m]\nlogger = a"), "m", client, True) is client
    assert client.logger == "a"


def check_text_config() -> None:
    client = make_client()
    assert client_from_text_config("  [m]\n  logger = a", "m", client=client, clear_global=False) is client
    assert client.logger == "a"


def check_dict_from_stream() -> None:
    config = dict_from_stream_config(io.StringIO("[m]\nlogger = a\nsender_class = x"), "m")
    assert config == {"logger": "a", "sender": {"class": "x"}, "filters": [], "plugins": {}}


def check_nest_prefixes() -> None:
    assert nest_prefixes({"sender_a": 1, "b": 2}) == {"b": 2, "sender": {"a": 1}}
    assert nest_prefixes({"x.a": 1}, ["x"], ".") == {"x": {"a": 1}}


def check_environment_error() -> None:
    with pytest.raises(EnvironmentNotFoundError) as error:
        from_ini("logger = ${METLOG_NOT_SET}")
    assert error.value.varname == "METLOG_NOT_SET"


def check_resolve_name() -> None:
    assert resolve_name("metlog.client.MetlogClient") is MetlogClient
    assert DottedNameResolver().resolve("json:loads") is json.loads


def check_severity_max() -> None:
    assert [severity_max(4)({"severity": level}) for level in (4, 5)] == [True, False]
    assert resolve_name("metlog.filters.severity_max_provider") is severity_max


def check_blacklist() -> None:
    assert [type_blacklist(["a"])({"type": kind}) for kind in "ab"] == [False, True]


def check_whitelist() -> None:
    assert [type_whitelist(["a"])({"type": kind}) for kind in "ab"] == [True, False]


def check_type_severity() -> None:
    keep = type_severity_max({"a": {"severity": 3}})
    assert [keep({"type": kind, "severity": 5}) for kind in "ab"] == [False, True]


def check_std_out() -> None:
    assert from_config(sender_class="metlog.senders.StdOutSender").is_active
    assert StdOutSender(formatter=lambda message: "x").encode({}) == b"x"


def check_stream_sender() -> None:
    stream = io.StringIO()
    MetlogClient(StreamSender(stream, lambda message: str(message["type"])), "a").metlog("audit")
    assert stream.getvalue() == "audit\n"


def check_file_sender() -> None:
    client = MetlogClient(FileSender("app.log", formatter=lambda message: str(message["type"])), "a")
    client.metlog("audit")
    client.close()
    assert Path("app.log").read_text() == "audit\n"


def check_udp_sender() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        client = MetlogClient(UdpSender(["127.0.0.1", "127.0.0.1"], receiver.getsockname()[1]), "a")
        client.metlog("audit")
        assert [json.loads(receiver.recv(65536))["type"] for _ in range(2)] == ["audit", "audit"]
        client.close()


def check_logging_sender() -> None:
    client = MetlogClient(StdLibLoggingSender("shop.orders", payload_types=["audit"], json_types=["counter"]), "a")
    handler = MetlogHandler(kept := make_client())
    logging.getLogger("shop.orders").addHandler(handler)
    client.metlog("audit", severity=3, payload="text")
    client.metlog("other", severity=3)
    assert read_message(kept)["payload"] == "text"


def check_capture_sender() -> None:
    sender = DebugCaptureSender(purpose="tests")
    client = MetlogClient(sender, "a")
    for number in range(120):
        client.incr("x", number)
    assert (len(sender.msgs), json.loads(sender.msgs[-1])["payload"]) == (100, "119")
    assert sender.purpose == "tests"  # type: ignore[attr-defined]


def check_no_send_sender() -> None:
    with pytest.raises(NotImplementedError):
        NoSendSender().send_message({})


def check_zmq_senders() -> None:
    for name in ("zmq.ZmqPubSender", "ZmqPubSender", "zmq.ZmqHandshakePubSender"):
        with pytest.raises(ConfigError, match="UnixDatagramSender"):
            from_config(sender_class=f"metlog.senders.{name}", sender_bindstrs="tcp://x:1")


def check_key_logger() -> None:
    assert from_ini("logger = a").logger == from_config(logger="a").logger == "a"


def check_key_severity() -> None:
    assert from_ini("severity = 3").severity == from_config(severity=3).severity == 3


def check_key_disabled_timers() -> None:
    assert from_ini("disabled_timers = a\n    b")._disabled_timers == {"a", "b"}


def check_key_sender_class() -> None:
    assert isinstance(from_config(sender_class=f"{OWN}.OwnSender").sender, OwnSender)


def check_keys_sender() -> None:
    sender = from_config(sender_class=f"{OWN}.OwnSender", sender_a=1, sender_b=[2]).sender
    assert isinstance(sender, OwnSender)
    assert sender.options == {"a": 1, "b": [2]}


def check_keys_global() -> None:
    from_ini("global_a = 1")
    assert CLIENT_HOLDER.global_config == {"a": 1}


def check_disabled_decorators() -> None:
    client = from_ini("global_disabled_decorators = timeit")
    CLIENT_HOLDER.set_client("a", client)
    timeit(incr_count(check_is_active))()
    assert read_message(client)["type"] == "counter"


def check_filter_section() -> None:
    client = from_ini("[metlog_filter_any]\nprovider = metlog.filters.type_whitelist_provider\ntypes = a\n    b")
    client.metlog("b")
    client.metlog("c")
    assert read_message(client)["type"] == "b"


def check_plugin_section() -> None:
    client = from_ini(f"[metlog_plugin_any]\nprovider = {OWN}:own_plugin\nport = 80")
    assert client.dummy() == ("", {"port": 80}, ())  # type: ignore[attr-defined]


def check_override() -> None:
    section = f"[metlog_plugin_any]\nprovider = {OWN}:own_incr\nprefix = p"
    with pytest.raises(SyntaxError):
        from_ini(section)
    assert from_ini(f"{section}\noverride = true").incr("x") == "px"  # type: ignore[func-returns-value]
    assert own_incr({"prefix": ""}).metlog_name == "incr"  # type: ignore[attr-defined]


def check_variables() -> None:
    assert from_ini("logger = a-${HOME}").logger == f"a-{os.environ['HOME']}"


def check_values() -> None:
    text = "sender_a = 5\nsender_b = T\nsender_c = off\nsender_d = x\n    7"
    sender = from_ini(text).sender
    assert [sender.a, sender.b, sender.c, sender.d] == [5, True, False, ["x", 7]]  # type: ignore[attr-defined]


def check_dict_sender() -> None:
    client = client_from_dict_config({"sender": {"class": f"{OWN}.OwnSender", "args": [1, 2], "x": 3}})
    assert isinstance(client.sender, OwnSender)
    assert (client.sender.places, client.sender.options) == ((1, 2), {"x": 3})


def check_dict_filters() -> None:
    client = from_config(filters=[("metlog.filters.severity_max", {"severity": 3})])
    client.metlog("a", severity=4)
    assert (read_messages(client), client.counts.filtered) == ([], 1)


def check_dict_plugins() -> None:
    client = from_config(plugins={"any": (f"{OWN}.own_plugin", {"a": 1})})
    assert client.dummy()[1] == {"a": 1}  # type: ignore[attr-defined]


def check_dict_global() -> None:
    from_config(**{"global": {"a": 1}})
    assert CLIENT_HOLDER.global_config == {"a": 1}


def check_raven() -> None:
    client = make_client()
    client.error("x", exc_info=LookupError("no"))
    fields = read_message(client)["fields"]
    assert make_exception(fields["exception"]) == {"type": "LookupError", "module": "builtins", "value": "no"}  # type: ignore[index]


def check_plugins_of_others() -> None:
    def cef(client: MetlogClient, name: str, severity: int) -> None:
        client.metlog("cef", payload=f"CEF:0|{name}", severity=severity)

    client = make_client()
    client.add_method(cef)
    client.cef("login", 3)  # type: ignore[attr-defined]
    assert (read_message(client)["type"]) == "cef"


def check_load_generator() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        arguments = ["emit", "--to", f"udp://127.0.0.1:{receiver.getsockname()[1]}", "--count", "1", "--type", "audit"]
        result = CliRunner().invoke(main, arguments)
        assert (result.exit_code, json.loads(receiver.recv(65536))["type"]) == (0, "audit")


CHECKS: dict[str, Callable[[], None]] = {
    "`client_from_dict_config(config, client, clear_global)`": check_dict_config,
    "`client_from_stream_config(stream, section, client, clear_global)`": check_stream_config,
    "`client_from_text_config(text, section, client, clear_global)`": check_text_config,
    "`dict_from_stream_config(stream, section)`": check_dict_from_stream,
    "`nest_prefixes(config)`": check_nest_prefixes,
    "`EnvironmentNotFoundError`": check_environment_error,
    "`resolve_name(name)`, `DottedNameResolver`": check_resolve_name,
    "`severity_max(severity)`": check_severity_max,
    "`type_blacklist(types)`": check_blacklist,
    "`type_whitelist(types)`": check_whitelist,
    "`type_severity_max(types)`": check_type_severity,
    "`StdOutSender(formatter)`": check_std_out,
    "`StreamSender(stream, formatter)`": check_stream_sender,
    "`FileSender(filepath, formatter)`": check_file_sender,
    "`UdpSender(host, port)`": check_udp_sender,
    "`StdLibLoggingSender(logger_name, payload_types, json_types)`": check_logging_sender,
    "`DebugCaptureSender(**attributes)`": check_capture_sender,
    "`NoSendSender()`": check_no_send_sender,
    "`ZmqPubSender(…)`, `ZmqHandshakePubSender(…)`": check_zmq_senders,
    "key `logger`": check_key_logger,
    "key `severity`": check_key_severity,
    "key `disabled_timers`": check_key_disabled_timers,
    "key `sender_class`": check_key_sender_class,
    "keys `sender_*`": check_keys_sender,
    "keys `global_*`": check_keys_global,
    "key `global_disabled_decorators`": check_disabled_decorators,
    "section `[…_filter_…]` with `provider`": check_filter_section,
    "section `[…_plugin_…]` with `provider`": check_plugin_section,
    "key `override` of a plugin": check_override,
    "`${NAME}` in a value": check_variables,
    "whole numbers, `true t on yes`, `false f off no`, a list in lines": check_values,
    "key `sender` of a dict, with `class` and `args`": check_dict_sender,
    "key `filters` of a dict": check_dict_filters,
    "key `plugins` of a dict": check_dict_plugins,
    "key `global` of a dict": check_dict_global,
    "metlog-raven's `client.raven(…)`, `@capture_stack`": check_raven,
    "metlog-cef's `client.cef(…)`, metlog-psutils' `client.procinfo(…)`": check_plugins_of_others,
    "`mb HOST PORT`": check_load_generator,
}


def test_each_row_has_its_check() -> None:
    """And no check is of a row that is gone."""
    assert [*CHECKS_OF_CALLS, *CHECKS] == ROWS


@pytest.mark.parametrize("row", CHECKS)
def test_row_is_true(row: str) -> None:
    """What metlog-py had is here, and does the same."""
    CHECKS[row]()
