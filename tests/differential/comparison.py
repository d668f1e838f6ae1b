"""One random case: its choices drawn by hypothesis, its program and log run by both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st

from tests.differential.mtail import NoJsonError, follow_language, is_accepted_by_design, run_mtail
from tests.differential.ours import hidden_metrics, run_ours
from tests.differential.outcome import Outcome, list_differences
from tests.differential.pieces import Chooser

T = TypeVar("T")

# Whole programs are large draws, and each costs a process. The programs are the same at every run: a test that
# fails once in a thousand runs is failing. To look for new ones, run with another seed: `--hypothesis-seed`, and
# `derandomize` taken out.
RANDOM_PROGRAM_SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
)


@dataclass(frozen=True, slots=True)
class DrawnChoices:
    """Choices made by hypothesis, which can so replay and shrink them."""

    draw: st.DrawFn

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.draw(st.integers(0, len(choices) - 1))]

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent


@dataclass(frozen=True, slots=True)
class RandomCase:
    """A program and the lines of its log."""

    program: str
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        log = "\n".join(map(ascii, self.lines))
        return f"\n== program\n{self.program}== log\n{log}\n"


def random_cases(make_case: Callable[[Chooser], RandomCase]) -> st.SearchStrategy[RandomCase]:
    @st.composite
    def draw_case(draw: st.DrawFn) -> RandomCase:
        return make_case(DrawnChoices(draw))

    return draw_case()


def compare_case(case: RandomCase) -> list[str]:
    """Say how we differ from mtail on one case. A case whose numbers JSON cannot hold is passed over."""
    with TemporaryDirectory() as folder:
        program, log = Path(folder, "case.mtail"), Path(folder, "case.log")
        program.write_text(case.program, encoding="utf-8")
        data = "".join(f"{line}\n" for line in case.lines).encode()
        log.write_bytes(data)
        try:
            theirs, times = run_mtail(program, [log])
        except NoJsonError:
            reject()
    # Where mtail was slow, any of these seconds may be the one that its clock showed.
    found = (compare_at(now, case.program, data, log, theirs) for now in times)
    return min(found, key=len)


def compare_at(now: int, program: str, data: bytes, log: Path, theirs: Outcome) -> list[str]:
    """Say how we differ from mtail when our clock shows `now`."""
    ours = run_ours(program, data, origin=log, now=now)
    if not ours.rejection and is_accepted_by_design(theirs.rejection):
        return []
    if not ours.rejection:
        ours = ours.without_hidden(hidden_metrics(program))
    return list_differences(ours, follow_language(theirs))
