"""The code that decodes: each line once, and each field read once."""

from __future__ import annotations

import pytest

from pipeline.language import ProgramError, SourceFile, compile_program


def generate(text: str) -> str:
    return compile_program(SourceFile("case.mtail", text)).listing


@pytest.mark.parametrize(
    "text",
    [
        "/a/ {\n  decode json {\n    c++\n  }\n}\ndecode json && defined($x) {\n  c++\n}\n",
        "decode json && defined($x) {\n  c++\n}\n/a/ && decode json {\n  c++\n}\n",
        "def d {\n  decode json {\n    next\n  }\n}\n@d {\n  c++\n}\n@d {\n  c++\n}\n",
    ],
)
def test_decodes_of_the_line_that_are_written_alike_are_one(text: str) -> None:
    """Whichever is reached first leaves the record for the others."""
    listing = generate(f"counter c\n{text}")
    assert listing.count("decode1(line)") == listing.count("decode1_record := decode1(line)") == 2
    assert "decode1_record = False" in listing
    assert "decode2" not in listing


def test_decode_that_is_alone_keeps_no_record_aside() -> None:
    """That of another delimiter is another one."""
    listing = generate(
        'counter c\ndecode csv {\n  c++\n}\ndecode csv ";" {\n  c++\n}\ndecode json from "{}" {\n  c++\n}\n'
    )
    assert "_record" not in listing
    assert all(f"decode{number}(line)" in listing for number in (1, 2))


def test_field_is_looked_up_once() -> None:
    """However often it is read, and as what."""
    listing = generate("counter c by x\ngauge g\ndecode json {\n  c[$x]++\n  g = $x\n  $x > 5 {\n    c[$x]++\n  }\n}\n")
    assert listing.count(".get('x')") == 1


def test_program_without_decodes_has_none_of_their_code() -> None:
    listing = generate("counter c by x\n/(?P<x>a+)/ {\n  c[$x]++\n}\n")
    assert "decode" not in listing
    assert "type" not in listing


@pytest.mark.parametrize("delimiter", ["\r", '\\"', ""])
def test_delimiter_is_no_line_break_and_no_quote(delimiter: str) -> None:
    """Some versions of the library refuse a carriage return, while a program is loaded."""
    with pytest.raises(ProgramError, match="a delimiter is one ASCII character, and no quote or line break"):
        generate(f'counter c\ndecode csv "{delimiter}" {{\n  c++\n}}\n')
