"""What the language has beyond mtail's takes nothing from programs that work there."""

from __future__ import annotations

from pathlib import Path

from tests.differential.comparison import RandomCase, compare_case
from tests.differential.mtail import run_mtail

NAMES = """\
counter help by unit, help
counter unit as "unit_total"
counter helpful by unit unit += 1
counter units help["a", "b"]++
gauge g by help # no attribute
help["c", "d"]++
gauge h by a, unit # nor here
unit++
counter exemplar by exemplar
counter exemplars exemplar["x"]++
const EXEMPLAR /t/ exemplar["x"]++
exemplar["x"]++
counter decode by from, decode
counter json by decode decode["a", "b"]++
counter from json["x"]++
const DECODE /t/ from += 1
decode["c", "d"]++

/(?P<decode>\\w+) (?P<from>\\w+)/ {
  decode[$from][$decode]++
  json[$decode]++
  from += decode[$from][$decode]
  decode["a", "b"] > 0 && DECODE {
    from++
  }
  del decode["a", "b"] decode["e", "f"] += json["x"]
  del json["x"] from += len($decode)
}
/(?P<help>\\w+) (?P<unit>\\w+)/ {
  help[$help][$unit]++
  unit += 2
  helpful[$help]++
  units++
  g[$unit] = len($unit)
  h["help", "unit"] = 2
  help["c", "d"] > 3 {
    unit++
  }
  exemplars++
  exemplar[$help]++
  del exemplar["x"] exemplar[$unit] += 2
  exemplar["two"] > 1 && EXEMPLAR {
    exemplars += exemplar[$unit]
  }
}
"""


def test_words_of_extensions_are_names_in_mtail(tmp_path: Path) -> None:
    """Of metrics, labels and capture groups, also behind a declaration or a `del`; both count the same."""
    lines = ("one two", "three four", "one", "five six", "one two")
    assert compare_case(RandomCase(NAMES, lines)) == []
    program, log = tmp_path / "names.mtail", tmp_path / "names.log"
    program.write_text(NAMES)
    log.write_text("".join(f"{line}\n" for line in lines))
    outcome, _ = run_mtail(program, [log])
    assert (outcome.rejection, len(outcome.metrics["help"][0].series)) == ("", 5)
    assert len(outcome.metrics["exemplar"][0].series) == 6
    assert len(outcome.metrics["decode"][0].series) == 5
