"""What a program says about its metrics, as readers of the page find it."""

from __future__ import annotations

import re
import subprocess

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from pipeline.formats import prometheus
from pipeline.language import SourceFile, compile_program
from pipeline.metrics import Snapshot, Store

PROGRAM = r"""
counter sent_bytes_total help "Bytes \"sent\" to C:\new, 10% of them %s." unit "bytes"
gauge delay help "Delay." unit "seconds"
gauge plain
// {
  sent_bytes_total++
  delay = 1
  plain = 1
}
"""

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200).filter(str.strip)


def run_program(text: str) -> Snapshot:
    """Return what there is after a line."""
    program = compile_program(SourceFile("a.mtail", text))
    store = Store()
    program.bind(store.register(program.metrics), lambda error, line: None).process_ascii([b"x"], b"/log", 0)
    return store.snapshot()


def find_openmetrics() -> prometheus.Variant:
    """Return the text of OpenMetrics 1.0."""
    (variant,) = [each for each in prometheus.TEXTS if each.is_openmetrics and each.version == "1.0.0"]
    return variant


def test_page_has_what_the_program_says() -> None:
    """And where it says nothing, the place of the declaration. Who checks pages for Prometheus has no objection."""
    page = prometheus.render(run_program(PROGRAM))
    assert re.findall(r"# HELP .*", page.decode()) == [
        "# HELP delay Delay.",
        "# HELP plain defined at a.mtail:4:7-11",
        r'# HELP sent_bytes_total Bytes "sent" to C:\\new, 10% of them %s.',
    ]
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_openmetrics_has_the_unit_of_a_name_that_ends_in_it() -> None:
    """A strict reader refuses the page if any other has one."""
    page = prometheus.render(run_program(PROGRAM), variant=find_openmetrics()).decode()
    assert re.findall(r"# UNIT .*", page) == ["# UNIT sent_bytes bytes"]
    families = openmetrics_parser.text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    assert {family.name: (family.documentation, family.unit) for family in families} == {
        "delay": ("Delay.", ""),
        "plain": ("defined at a.mtail:4:7-11", ""),
        "sent_bytes": (r'Bytes "sent" to C:\new, 10% of them %s.', "bytes"),
    }


@given(TEXTS)
@example("\\")
@example('\\"')
@example("\\n")
@example("# HELP plain x")
def test_any_help_text_arrives(text: str) -> None:
    """As it is written between the quotes, whatever it holds; blanks around it go."""
    shown = re.sub(r'\\+(?="|$)', "", text) + "."  # the language cannot write a backslash before a quote
    written = shown.replace('"', '\\"')
    snapshot = run_program(PROGRAM.replace('"Delay."', f'"{written}"'))
    page = prometheus.render(snapshot).decode()
    openmetrics = prometheus.render(snapshot, variant=find_openmetrics()).decode()
    for families in (
        parser.text_string_to_metric_families(page),
        openmetrics_parser.text_string_to_metric_families(openmetrics),  # type: ignore[no-untyped-call]
    ):
        found = {family.name: family.documentation for family in families}
        assert len(found) == 3
        assert found["delay"].strip() == shown.strip()
