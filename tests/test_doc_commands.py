"""Every command that a page shows is run in a test: each section with a `console` block has its row here."""

from __future__ import annotations

import re

import pytest

from tests.test_docs import PAGES
from tests.test_shipped import list_tests

FIRST_COMMAND = re.compile(r"^(?:## (?P<heading>.*)|```console)$", re.MULTILINE)

TUTORIAL = "e2e/test_tutorial.py::test_every_command_of_the_tutorial_does_what_the_page_says"
TROUBLESHOOTING = "e2e/test_troubleshooting.py::test_way_of_a_line_is_as_the_page_shows_it"
NGINX = "e2e/test_nginx_page.py::test_page_leads_to_an_answer"
SETUP = "e2e/test_setup_booted.py::test_rsyslog_is_set_up_and_left_again_by_the_printed_commands"
INSTALL = "e2e/test_systemd_install.py::"

RUN_BY: dict[str, dict[str, str]] = {
    "README.md": {
        "Your first metric": "e2e/test_readme.py::test_first_metric_comes_as_the_page_says",
        "Beside rsyslog, behind nginx": "e2e/test_readme.py::test_host_is_set_up_as_the_page_says",
    },
    "language.md": {
        "What can go wrong": "test_cli.py::test_check_prints_diagnostics_of_all_paths",
        "What costs time": "test_docs.py::test_explanation_in_document_is_of_its_program",
    },
    "metlog.md": {
        "Trying it": "test_emit.py::test_page_leads_to_metrics",
        "First steps": "e2e/test_metlog_page.py::test_first_steps_lead_to_a_metric_and_a_message_in_a_file",
    },
    "nginx.md": {
        "Which file": NGINX,
        "A certificate for the server": NGINX,
        "A password": NGINX,
        "Certificates for clients": NGINX,
        "varnish": "e2e/test_varnish.py::test_varnish_stands_behind_nginx",
    },
    "operating.md": {
        "What it logs": "e2e/test_journal.py::test_our_messages_are_entries_with_fields",
        "What a program costs": "test_docs.py::test_explanation_in_document_is_of_its_program",
    },
    "prometheus.md": {
        "Scraping": "e2e/test_prometheus_page.py::test_scraping_is_set_up_as_the_page_says",
        "Rules and route": "test_prometheus_files.py::test_alerts_fire_where_they_should",
    },
    "pushing.md": {"Batch jobs": "test_push_once.py::test_values_of_all_lines_are_pushed"},
    "rsyslog.md": {
        "Install": f"{INSTALL}test_the_steps_for_rsyslog_lead_to_metrics",
        "What a line looks like": f"{INSTALL}test_the_steps_for_rsyslog_lead_to_metrics",
        "Logstash and Graylog beside it": f"{INSTALL}test_the_step_for_both_tees_leaves_nothing_to_complain_of",
        "More than one core": f"{INSTALL}test_the_steps_for_rsyslog_lead_to_instances",
        "Without root": "e2e/test_rsyslog_ways.py::test_rsyslogd_without_root_writes_to_the_pipe",
    },
    "serving.md": {"": "e2e/test_readme.py::test_first_metric_comes_as_the_page_says"},
    "setup.md": {"Setup": SETUP, "Doctor": "doctor/test_on_machine.py::test_daemon_that_is_stopped"},
    "sources.md": {
        "Records of several lines": "e2e/test_records.py::test_page_of_sources_joins_traces",
        "Standard input": "e2e/test_stdin.py::test_every_line_is_counted",
        "What systemd passes": "e2e/test_under_systemd.py::test_sockets_by_activation_are_found_by_their_names",
        "Which program sees which source": "test_options.py::test_bindings_add_up",
    },
    "syslog-ng.md": {
        "Install": f"{INSTALL}test_the_steps_for_syslog_ng_lead_to_metrics_and_instances",
        "More than one core": f"{INSTALL}test_the_steps_for_syslog_ng_lead_to_metrics_and_instances",
    },
    "systemd.md": {
        "Install": f"{INSTALL}test_the_steps_lead_to_metrics",
        "Instances": f"{INSTALL}test_the_steps_lead_to_instances",
        "The log": "e2e/test_journal.py::test_our_messages_are_entries_with_fields",
    },
    "troubleshooting.md": {"Lines do not arrive": TROUBLESHOOTING, "The way of a line, by hand": TROUBLESHOOTING},
}
"""Page, section, test. Where a section leads through steps, its test types them as they stand on the page; where it
shows a single command as an example, its test does what that command does."""


def list_sections(text: str) -> set[str]:
    """Return the headings below which a page shows commands."""
    sections, heading = set(), ""
    for found in FIRST_COMMAND.finditer(text):
        if found["heading"] is None:
            sections.add(heading)
        else:
            heading = found["heading"]
    return sections


def test_sections_are_found() -> None:
    """Those with commands, and the beginning of the page."""
    assert list_sections("```console\n$ a\n```\n## B\n\n## C d\n```mtail\n```\n```console\n$ a\n```\n") == {"", "C d"}


def test_each_section_with_commands_has_its_test() -> None:
    """No section without a test, and no test for a section that is gone."""
    pages = {page.name: list_sections(page.read_text(encoding="utf-8")) for page in PAGES}
    # The tutorial is followed as a whole. `make bench` takes half an hour: no test has it.
    assert pages.pop("tutorial.md")
    assert pages.pop("performance.md") == {"What is measured"}
    assert {name: sections for name, sections in pages.items() if sections} == {
        name: set(sections) for name, sections in RUN_BY.items()
    }


@pytest.mark.parametrize("test", sorted({TUTORIAL, *(test for row in RUN_BY.values() for test in row.values())}))
def test_test_of_a_section_exists(test: str) -> None:
    """It is where the table says."""
    path, _, name = test.partition("::")
    assert name in list_tests(path)
