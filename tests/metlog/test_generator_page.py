"""What docs/metlog.md says of the generator: its examples run, and its keys of a configuration are those there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config_files import TOML_KEYS
from pipeline.metlog.holder import CLIENT_HOLDER, get_client
from pipeline.metlog.senders import UnixDatagramSender
from tests.metlog.generator_clients import read_message, read_messages
from tests.metlog.generator_holder import application, holder
from tests.test_docs import read_page

__all__ = ["application", "holder"]

PAGE = read_page("metlog.md")
GENERATOR = PAGE.partition("\n## The generator\n")[2].partition("\n## ")[0]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
