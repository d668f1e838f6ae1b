"""Every file that we ship as configuration is run in a test by the program that it is written for."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOLDERS = ("rsyslog", "syslog-ng", "systemd", "nginx", "docs/prometheus")

TESTED_BY: dict[str, tuple[str, ...]] = {
    "syslog-ng/pipe.conf": (
        "e2e/test_syslog_ng_ways.py::test_messages_are_counted_exactly_over_a_stop",
        "e2e/test_syslog_ng_ways.py::test_messages_are_counted_exactly_over_a_restart_by_systemd",
        "e2e/test_syslog_ng_ways.py::test_end_costs_a_full_pipe_one_message_at_most",
        "e2e/test_syslog_ng_ways.py::test_sender_waits_when_the_disk_buffer_is_full",
        "e2e/test_syslog_ng_ways.py::test_pipe_stays_open_to_us",
        "e2e/test_syslog_ng_ways.py::test_message_is_one_line",
    ),
    "syslog-ng/stream.conf": (
        "e2e/test_syslog_ng_ways.py::test_stop_costs_a_socket_that_nobody_holds_one_message_at_most",
        "e2e/test_syslog_ng_ways.py::test_messages_are_counted_exactly_over_a_restart_by_systemd",
        "e2e/test_syslog_ng_ways.py::test_what_waits_in_syslog_ng_outlives_it",
    ),
    "syslog-ng/datagram.conf": (
        "e2e/test_syslog_ng_ways.py::test_stop_costs_a_socket_that_nobody_holds_one_message_at_most",
        "e2e/test_syslog_ng_ways.py::test_messages_are_counted_exactly_over_a_restart_by_systemd",
    ),
    "syslog-ng/program.conf": (
        "e2e/test_syslog_ng_ways.py::test_daemon_that_syslog_ng_starts_counts_exactly",
        "e2e/test_syslog_ng_ways.py::test_crash_of_the_daemon_that_syslog_ng_starts_costs_nothing_unread",
    ),
    "syslog-ng/filter.conf": ("e2e/test_syslog_ng_ways.py::test_only_applications_that_have_programs_are_handed_over",),
    "syslog-ng/logstash.conf": ("e2e/test_syslog_ng_network.py::test_tee_holds_nobody_up_and_misses_nothing",),
    "syslog-ng/graylog.conf": (
        "e2e/test_syslog_ng_network.py::test_tee_holds_nobody_up_and_misses_nothing",
        "e2e/test_syslog_ng_network.py::test_graylog_over_udp",
    ),
    "syslog-ng/receive-tls.conf": (
        "e2e/test_syslog_ng_network.py::test_messages_over_tls_are_counted_exactly_over_a_stop",
        "e2e/test_syslog_ng_network.py::test_only_certificates_of_our_authority_may_send",
    ),
    "syslog-ng/send-tls.conf": (
        "e2e/test_syslog_ng_network.py::test_messages_over_tls_are_counted_exactly_over_a_stop",
        "e2e/test_syslog_ng_network.py::test_only_the_central_host_gets_messages",
    ),
    "syslog-ng/spread.conf": ("e2e/test_syslog_ng_spread.py::test_messages_are_spread_by_host_and_counted_exactly",),
    "syslog-ng/instance.conf": ("e2e/test_syslog_ng_spread.py::test_messages_are_spread_by_host_and_counted_exactly",),
    "rsyslog/pipe.conf": (
        "e2e/test_main_job.py::test_messages_through_the_pipe_are_counted_exactly",
        "e2e/test_rsyslog_ways.py::test_pipe_misses_nothing_while_we_are_stopped",
        "e2e/test_rsyslog_ways.py::test_rsyslogd_ends_while_the_pipe_is_full",
        "e2e/test_rsyslog_ways.py::test_crash_of_rsyslogd_loses_little",
        "e2e/test_rsyslog_ways.py::test_rsyslogd_without_root_writes_to_the_pipe",
    ),
    "rsyslog/ompipe.conf": ("e2e/test_rsyslog_ways.py::test_ompipe_misses_little_while_we_are_stopped",),
    "rsyslog/socket.conf": (
        "e2e/test_main_job.py::test_messages_through_a_datagram_socket_are_counted_exactly",
        "e2e/test_rsyslog_ways.py::test_socket_misses_nothing_while_we_are_stopped",
    ),
    "rsyslog/omprog.conf": (
        "e2e/test_omprog.py::test_messages_in_transactions_are_counted_exactly",
        "e2e/test_omprog.py::test_stop_loses_nothing",
        "e2e/test_omprog.py::test_kill_loses_nothing",
    ),
    "rsyslog/filter.conf": ("e2e/test_rsyslog_ways.py::test_filter_lets_pass_what_has_a_program",),
    "rsyslog/template.conf": (
        "e2e/test_rsyslog_ways.py::test_programs_count_the_same_with_each_template",
        "e2e/test_rsyslog_ways.py::test_messages_of_rfc_5424_count_the_same_with_our_template",
        "e2e/test_rsyslog_ways.py::test_template_keeps_time_host_and_tag",
    ),
    "rsyslog/logstash.conf": (
        "e2e/test_rsyslog_tees.py::test_receiver_that_comes_late_holds_nothing_up",
        "e2e/test_rsyslog_tees.py::test_logstash_gets_the_fields_of_the_common_schema",
    ),
    "rsyslog/graylog.conf": (
        "e2e/test_rsyslog_tees.py::test_receiver_that_comes_late_holds_nothing_up",
        "e2e/test_rsyslog_tees.py::test_graylog_takes_datagrams_too",
    ),
    "rsyslog/instance.conf": ("e2e/test_rsyslog_spread.py::test_each_host_goes_to_one_instance_whatever_another_does",),
    "rsyslog/spread.conf": ("e2e/test_rsyslog_spread.py::test_each_host_goes_to_one_instance_whatever_another_does",),
    "rsyslog/receive-relp.conf": (
        "e2e/test_rsyslog_central.py::test_messages_of_other_hosts_are_counted_exactly",
        "e2e/test_rsyslog_central.py::test_client_that_is_not_known_is_refused",
    ),
    "rsyslog/send-relp.conf": (
        "e2e/test_rsyslog_central.py::test_messages_of_other_hosts_are_counted_exactly",
        "e2e/test_rsyslog_central.py::test_central_host_with_another_name_gets_nothing",
    ),
    "rsyslog/receive-tls.conf": (
        "e2e/test_rsyslog_central.py::test_messages_of_other_hosts_are_counted_exactly",
        "e2e/test_rsyslog_central.py::test_client_that_is_not_known_is_refused",
        "e2e/test_rsyslog_central.py::test_messages_of_syslog_ng_are_counted_exactly",
    ),
    "rsyslog/send-tls.conf": (
        "e2e/test_rsyslog_central.py::test_messages_of_other_hosts_are_counted_exactly",
        "e2e/test_rsyslog_central.py::test_central_host_with_another_name_gets_nothing",
    ),
    "nginx/basic-auth.conf": (
        "e2e/test_main_job.py::test_messages_through_the_pipe_are_counted_exactly",
        "e2e/test_nginx.py::test_password_is_asked_for_on_each_page",
    ),
    "nginx/client-certificate.conf": (
        "e2e/test_nginx.py::test_messages_are_counted_by_those_who_may_know",
        "e2e/test_nginx.py::test_other_certificates_are_refused",
    ),
    "nginx/locations.conf": (
        "e2e/test_nginx.py::test_only_our_pages_are_served",
        "e2e/test_nginx.py::test_other_pages_are_denied",
        "e2e/test_nginx.py::test_each_instance_has_its_page",
    ),
    "nginx/varnish.vcl": (
        "e2e/test_varnish.py::test_scrapers_share_a_page",
        "e2e/test_varnish.py::test_values_move_on_and_old_ones_are_never_served",
        "e2e/test_varnish.py::test_varnish_stands_behind_nginx",
    ),
    "docs/prometheus/prometheus-basic-auth.yml": (
        "e2e/test_prometheus.py::test_prometheus_has_our_numbers",
        "e2e/test_prometheus.py::test_prometheus_trusts_our_authority_only",
        "e2e/test_prometheus.py::test_promtool_and_amtool_are_content",
    ),
    "docs/prometheus/prometheus-client-certificate.yml": (
        "e2e/test_prometheus.py::test_prometheus_is_let_in_with_its_certificate",
        "e2e/test_prometheus.py::test_promtool_and_amtool_are_content",
    ),
    "docs/prometheus/alertmanager.yml": (
        "e2e/test_prometheus.py::test_alerts_reach_who_is_to_act",
        "e2e/test_prometheus.py::test_alert_on_a_host_that_is_down_silences_what_else_is_known_of_it",
    ),
    "docs/prometheus/grafana-dashboard.json": (
        "e2e/test_prometheus.py::test_every_query_of_the_dashboard_has_data",
        "test_prometheus_files.py::test_dashboard_is_what_the_model_of_grafana_makes_of_it",
    ),
    "docs/prometheus/rules/alerts.yml": (
        "e2e/test_prometheus.py::test_every_rule_is_evaluated_on_metrics_that_there_are",
        "e2e/test_prometheus.py::test_alerts_reach_who_is_to_act",
        "test_prometheus_files.py::test_alerts_fire_where_they_should",
    ),
    "docs/prometheus/rules/recording.yml": (
        "e2e/test_prometheus.py::test_every_rule_is_evaluated_on_metrics_that_there_are",
        "test_prometheus_files.py::test_alerts_fire_where_they_should",
    ),
    "docs/prometheus/rules/alerts_test.yml": ("test_prometheus_files.py::test_alerts_fire_where_they_should",),
    "docs/prometheus/rules/alerts_over_days_test.yml": (
        "test_prometheus_files.py::test_alerts_fire_where_they_should",
    ),
    "systemd/syslog-pipeline.service": (
        "e2e/test_systemd_units.py::test_lines_are_counted_over_restarts",
        "e2e/test_systemd_units.py::test_a_crash_is_mended",
        "e2e/test_systemd_units.py::test_the_watchdog_bites",
        "e2e/test_systemd_reach.py::test_the_sandbox_holds",
    ),
    "systemd/syslog-pipeline@.service": ("e2e/test_systemd_reach.py::test_instances_have_their_own",),
    "systemd/syslog-pipeline-hold@.service": ("e2e/test_systemd_units.py::test_a_stop_keeps_pipe_and_sockets",),
    "systemd/syslog-pipeline.socket": (
        "e2e/test_systemd_units.py::test_a_boot_is_in_order",
        "e2e/test_systemd_units.py::test_sockets_are_started_anew",
    ),
    "systemd/syslog-pipeline@.socket": ("e2e/test_systemd_reach.py::test_instances_have_their_own",),
    "systemd/syslog-pipeline-http.socket": ("e2e/test_systemd_reach.py::test_only_groups_and_root_may_connect",),
    "systemd/syslog-pipeline-http@.socket": ("e2e/test_systemd_reach.py::test_instances_have_their_own",),
    "systemd/syslog-pipeline-log.socket": ("e2e/test_systemd_reach.py::test_log_sockets_are_passed",),
    "systemd/syslog-pipeline-metlog.socket": ("e2e/test_systemd_reach.py::test_socket_for_messages_is_passed",),
    "systemd/omprog.conf": ("e2e/test_setup_booted.py::test_rsyslog_is_set_up_and_left_again_by_the_printed_commands",),
    "systemd/network.conf": ("e2e/test_systemd_reach.py::test_the_network_is_open_with_the_drop_in",),
    "systemd/sysusers.conf": ("e2e/test_systemd_units.py::test_a_boot_makes_all",),
    "systemd/tmpfiles.conf": (
        "e2e/test_systemd_units.py::test_a_boot_makes_all",
        "e2e/test_systemd_units.py::test_the_folder_is_made_for_the_daemon",
    ),
    "systemd/environment": ("e2e/test_systemd_units.py::test_variables_are_passed",),
    "systemd/settings.toml": (
        "e2e/test_systemd_units.py::test_a_boot_makes_all",
        "e2e/test_systemd_units.py::test_lines_are_counted_over_restarts",
    ),
}
"""Which tests run a file. The folders are those of the project, the tests are below `tests/`."""


@cache
def list_tests(path: str) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_each_shipped_file_has_its_tests() -> None:
    """No file without a test, and no test for a file that is gone."""
    shipped = {
        str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()
    }
    assert set(TESTED_BY) == shipped


@pytest.mark.parametrize("name", TESTED_BY)
def test_tests_of_a_shipped_file_exist(name: str) -> None:
    """They are where the table says."""
    missing = [test for test in TESTED_BY[name] if test.partition("::")[2] not in list_tests(test.partition("::")[0])]
    assert TESTED_BY[name]
    assert missing == []
