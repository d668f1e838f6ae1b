"""What is in the code is in the documents, and what the documents show works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.flags import ALL_FLAGS, CONFIG
from pipeline.language import CompileOptions, SourceFile, compile_program
from pipeline.language.builtins import BUILTINS
from pipeline.language.operators import OPERATORS
from pipeline.own_metrics import OWN_METRICS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(r"^```mtail\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPLAINED = re.compile(
    r"^```mtail\n([^`]*)^```\n\n```console\n\$ syslog-pipeline explain ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COST_ROW = re.compile(r"(\d+:\d+) +(\w+) +/(.*)/$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")

EXAMPLES = [
    pytest.param(page, match, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(PROGRAM.finditer(page.read_text(encoding="utf-8")), 1)
]

EXPLANATIONS = [
    pytest.param(*match.groups(), id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(EXPLAINED.finditer(page.read_text(encoding="utf-8")), 1)
]


def read_page(name: str) -> str:
    """Return the text of a page in docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_program_in_document_compiles_without_warning(page: Path, example: re.Match[str]) -> None:
    """A reader may copy any program from a document."""
    program = compile_program(SourceFile(page.name, example[1]), CompileOptions())
    assert [warning.render() for warning in program.warnings] == []


@pytest.mark.parametrize(("program", "arguments", "shown"), EXPLANATIONS)
def test_explanation_in_document_is_of_its_program(
    program: str, arguments: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints what is shown; of a profile, whose figures are those of one run, the patterns are compared."""
    monkeypatch.chdir(tmp_path)
    name = arguments.split()[-1]
    Path(name).write_text(program)
    told = CliRunner().invoke(main, ["explain", name]).stdout
    if "--profile" not in arguments:
        assert shown in told
        return
    rows = [f"{place}  /{text}/\n    engine {engine}: " for place, engine, text in COST_ROW.findall(shown)]
    assert rows
    assert [row for row in rows if row not in told] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of ours names one that exists."""
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert missing == []


def test_every_flag_is_documented() -> None:
    """docs/operating.md has each flag, in mtail's spelling."""
    page = read_page("operating.md")
    assert [flag.name for flag in (*ALL_FLAGS, CONFIG) if f"`--{flag.name}" not in page] == []


def test_every_own_metric_is_documented() -> None:
    """docs/operating.md has each metric of the daemon, with its labels."""
    page = read_page("operating.md")
    rows = [f"| `{own.full_name}` | {', '.join(own.labels)}" for own in OWN_METRICS]
    assert [row for row in rows if row not in page] == []


def test_every_builtin_is_documented() -> None:
    """docs/language.md has each builtin, with its signature."""
    page = read_page("language.md")
    assert [builtin.signature for builtin in BUILTINS.values() if f"`{builtin.signature}`" not in page] == []


def test_every_operator_is_documented() -> None:
    """docs/language.md has each operator. In its tables a bar is written with a backslash."""
    page = read_page("language.md").replace("\\|", "|")
    assert [symbol for symbol in OPERATORS if f"`{symbol}`" not in page] == []
