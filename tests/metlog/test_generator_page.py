"""What docs/metlog.md says of the generator: its examples run, and each row of its tables is true."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.metlog.client import SEVERITY, MetlogClient
from pipeline.metlog.config import (
    client_from_dict_config,
    client_from_stream_config,
    client_from_text_config,
    dict_from_stream_config,
    nest_prefixes,
)
from pipeline.metlog.config_files import TOML_KEYS
from pipeline.metlog.decorators import MetlogDecorator, incr_count, timeit
from pipeline.metlog.endpoints.sentry_event import make_exception
from pipeline.metlog.exceptions import ConfigError, EnvironmentNotFoundError
from pipeline.metlog.filters import severity_max, type_blacklist, type_severity_max, type_whitelist
from pipeline.metlog.holder import CLIENT_HOLDER, get_client
from pipeline.metlog.logging import MetlogHandler, hook_logger
from pipeline.metlog.path import DottedNameResolver, resolve_name
from pipeline.metlog.senders import (
    DebugCaptureSender,
    FileSender,
    NoSendSender,
    StdLibLoggingSender,
    StdOutSender,
    StreamSender,
    UdpSender,
    UnixDatagramSender,
)
from tests.metlog.generator_clients import make_client, read_message, read_messages
from tests.metlog.generator_plugins import OwnSender, own_incr, own_plugin
from tests.test_docs import read_page

PAGE = read_page("metlog.md")
GENERATOR = PAGE.partition("\n## The generator\n")[2].partition("\n## ")[0]
TABLE = PAGE.partition("\n## From metlog-py\n")[2].partition("\n## ")[0]

ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ROWS = [found[1] for found in ROW.finditer(TABLE) if found[1] not in ("metlog-py", "---")]

OWN = "tests.metlog.generator_plugins"


@pytest.fixture(autouse=True)
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty holder, and a folder of the application."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CLIENT_HOLDER, "_clients", {})
    config = dict(CLIENT_HOLDER.global_config)
    CLIENT_HOLDER.global_config.clear()
    yield
    CLIENT_HOLDER.global_config.clear()
    CLIENT_HOLDER.global_config.update(config)
    logging.getLogger("shop.orders").handlers.clear()


# Examples


def run_examples(heading: str) -> MetlogClient:
    """Run the examples of a section, with the client that the page begins with, and return it."""
    blocks = [text for language, text in BLOCK.findall(GENERATOR) if language == "python"]
    section = GENERATOR.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    names: dict[str, object] = {}
    for text in (blocks[0], *(text for language, text in BLOCK.findall(section) if language == "python")):
        exec(text, names)  # noqa: S102 - it is our own page
    client = names["client"]
    assert isinstance(client, MetlogClient)
    return client


def test_example_of_messages(capsys: pytest.CaptureFixture[str]) -> None:
    """A message, counters, a gauge, timers."""
    messages = read_messages(run_examples("Messages, counters, timers and gauges"))
    printed = capsys.readouterr().out.strip()
    sampled = [message for message in messages if message["fields"].get("name") == "page.views"]  # type: ignore[attr-defined]
    assert len(sampled) <= 1
    assert [(message["type"], message["payload"]) for message in messages if message not in sampled] == [
        ("audit", "door opened"),
        ("counter", "1"),
        ("counter", "5"),
        ("gauge", "2.5"),
        ("timer", "17"),
        ("timer", printed),
    ]


def test_example_of_logging() -> None:
    """Our methods, and the standard library's."""
    messages = read_messages(run_examples("Logging"))
    assert [(message["severity"], str(message["payload"]).partition("\n")[0]) for message in messages] == [
        (6, "order 17 from fr"),
        (4, "stock of Emma is low"),
        (3, "no such page"),
        (1, "division failed"),
        (2, "the same"),
        (3, "no stock"),
    ]
    assert messages[5]["fields"]["title"] == "Emma"  # type: ignore[index]
    exception = messages[3]["fields"]["exception"]  # type: ignore[index]
    assert list(exception) == ["type", "module", "value", "traceback"]
    assert list(exception["traceback"][0]) == ["file", "line", "function", "code"][: len(exception["traceback"][0])]


def test_example_of_filters() -> None:
    """One of ours, and one of the application."""
    client = run_examples("Filters")
    client.info("paid", fields={"card": "4711", "sum": 5})
    client.debug("hidden")
    assert read_message(client)["fields"] == {"sum": 5}


def test_example_of_a_plugin() -> None:
    """It is a method."""
    message = read_message(run_examples("Plugins"))
    assert (message["type"], message["payload"], message["fields"]) == ("basket", "2", {"titles": ["Emma", "Dune"]})


def test_example_of_decorators() -> None:
    """The default client sends for them."""
    blocks = BLOCK.findall(GENERATOR.partition("\n### Decorators\n")[2].partition("\n### ")[0])
    names: dict[str, object] = {"__name__": "shop"}
    exec(blocks[0][1], names)  # noqa: S102 - it is our own page
    client = get_client("shop", {"sender_class": "capture"})
    assert names["place_order"]("Emma") == "Emma"  # type: ignore[operator]
    fields = [message["fields"]["name"] for message in read_messages(client)]  # type: ignore[index]
    assert fields == ["orders.placed", "shop.place_order"]


def test_example_of_configuration(tmp_path: Path) -> None:
    """The file that the page shows is the one that is read."""
    section = GENERATOR.partition("\n### Configuration\n")[2].partition("\n### ")[0]
    text = next(text for language, text in BLOCK.findall(section) if language == "toml")
    (tmp_path / "shop.toml").write_text(text)
    assert tomllib.loads(text).keys() == {"metlog"}
    client = run_examples("Configuration")
    assert client is get_client("shop")
    assert isinstance(client.sender, UnixDatagramSender)
    assert CLIENT_HOLDER.global_config["disabled_decorators"] == ["incr_count"]


def test_keys_of_a_configuration_are_on_the_page() -> None:
    """Each in the table."""
    section = GENERATOR.partition("\n### Configuration\n")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(TOML_KEYS)


# The table: a check for each row


def from_config(**config: object) -> MetlogClient:
    """Return a client of a configuration, with a ring of messages unless it says otherwise."""
    return client_from_dict_config({"sender_class": "capture", **config})


def from_ini(text: str) -> MetlogClient:
    """Return a client of an INI file, with a ring of messages."""
    return client_from_text_config(f"[metlog]\nsender_class = metlog.senders.dev.DebugCaptureSender\n{text}", "metlog")


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
    assert list(CHECKS) == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_row_is_true(row: str) -> None:
    """What metlog-py had is here, and does the same."""
    CHECKS[row]()
