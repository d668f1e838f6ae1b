"""The table of decoders."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.decoders import DECODERS


def test_each_decoder_has_the_name_in_the_table() -> None:
    assert {name: decoder.name for name, decoder in DECODERS.items()} == {name: name for name in DECODERS}
    assert len(DECODERS) == len(list(DECODERS))


def test_what_is_no_decoder_is_not_in_the_table() -> None:
    """Not even the name of a module beside the decoders."""
    assert "stamps" not in DECODERS
    assert DECODERS.get("stamps") is None


@pytest.mark.slow
def test_decoders_are_loaded_by_programs_that_decode() -> None:
    """No other program waits for them, or for the library that reads JSON."""
    code = (
        "import sys\n"
        "from pipeline.language import SourceFile, compile_program\n"
        "names = {'pipeline.decoders.json', 'pipeline.decoders.syslog', 'orjson'}\n"
        "for text in ('/x/ {{\\n{0}}}\\n', 'decode json {{\\n{0}}}\\n'):\n"
        "    compile_program(SourceFile('p.mtail', 'counter c\\n' + text.format('  c++\\n')))\n"
        "    print(*sorted(names & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\norjson pipeline.decoders.json\n"
