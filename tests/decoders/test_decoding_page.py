"""docs/decoding.md: what it shows is what decoders do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.decoders import DECODERS, DecoderOptions
from tests.decoders.test_cases import make_plain

PAGE = (Path(__file__).parents[2] / "docs" / "decoding.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^(.*)\n→ (.*)$", re.MULTILINE)

EXAMPLES = [
    pytest.param(name, *example, id=f"{name}-{number}")
    for name, section in SECTION.findall(PAGE)
    for number, example in enumerate(EXAMPLE.findall("".join(BLOCK.findall(section))), 1)
]


@pytest.mark.parametrize(("name", "text", "shown"), EXAMPLES)
def test_example_on_the_page_is_what_the_decoder_makes_of_it(name: str, text: str, shown: str) -> None:
    decoded = DECODERS[name].make(DecoderOptions())(text.encode())
    assert (None if decoded is None else make_plain(decoded[0])) == (None if shown == "no" else json.loads(shown))


def test_every_decoder_has_its_section_with_examples_of_both_kinds() -> None:
    assert [name for name, _ in SECTION.findall(PAGE)] == list(DECODERS)
    shown = {(name, text == "no") for name, section in SECTION.findall(PAGE) for _, text in EXAMPLE.findall(section)}
    assert shown == {(name, is_refused) for name in DECODERS for is_refused in (True, False)}


@pytest.mark.parametrize("name", ["syslog", "metlog"])
def test_every_fixed_field_is_on_the_page(name: str) -> None:
    section = dict(SECTION.findall(PAGE))[name]
    assert [field for field in DECODERS[name].fields or () if f"${field}" not in section] == []
