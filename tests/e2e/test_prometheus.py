"""Messages in a pipe become numbers in the real Prometheus, through nginx with TLS, and alerts that somebody gets.

The files are those that users copy, with shorter intervals: the scrape configurations, the rules, the route of
Alertmanager and the dashboard. One host has one instance, on which much goes wrong, the other spreads over four.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from pipeline.metrics import Kind
from pipeline.own_metrics import OWN_METRICS
from pipeline.shipped import find_shipped
from tests.e2e.daemons import is_at_work, run_pipeline, running, wait_until
from tests.e2e.monitoring import (
    ALERTMANAGER,
    BASIC_AUTH,
    CLIENT_CERTIFICATE,
    Messages,
    Monitor,
    receive_messages,
    render_prometheus,
    run_alertmanager,
    serve_prometheus,
    wait_data,
    wait_message,
    wait_read,
)
from tests.e2e.web import BASIC_AUTH as NGINX_BASIC_AUTH
from tests.e2e.web import CLIENT_CERTIFICATE as NGINX_CLIENT_CERTIFICATE
from tests.e2e.web import Web, make_authority, run_nginx

HERE = Path(__file__).parent
PROGRAMS = ("count.mtail", "trouble.mtail")
BROKEN = "counter unfinished_total by\n"
PLAIN = """counter plain_messages
histogram plain_numbers buckets 0, 10, 1000

/e2e pipe (?P<number>\\d+)$/ {
  plain_messages++ exemplar $number
  plain_numbers = $number
}
"""
"""Names and bounds as mtail's users have them, which OpenMetrics would have otherwise."""
MENDED = "counter finished_total\n\n/finished/ {\n  finished_total++\n}\n"

SINGLE = 5000
SPREAD = {1: 1000, 2: 2000, 3: 3000, 4: 4000}
"""How many messages are written into the pipe of the single instance, and of each of the four."""

DASHBOARD = "docs/prometheus/grafana-dashboard.json"
METRIC = re.compile(r"(?<![\w:])(?:(?:syslog_pipeline|process|scrape)_\w+|(?:up|ALERTS)\b)")
NAMES_OF_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds"}
FILLED = {"$__rate_interval": "1m", "$job": "syslog-pipeline", "$instance": ".*", "$program": ".*"}
"""What Grafana puts in for its variables when all is shown."""
HOUR = 3600
TYPES = ("application/openmetrics-text", "text/plain")

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """Two hosts in a folder, behind one nginx, and those who look after them."""

    folder: Path
    web: Web
    daemon: subprocess.Popen[bytes]
    prometheus: Monitor
    certified: Monitor
    """A second Prometheus, which shows a certificate to a second nginx before the same daemons."""
    certified_host: str
    distrusting: Monitor
    """A third one, which trusts another authority than ours."""
    alertmanager: Monitor
    messages: Messages

    @property
    def host(self) -> str:
        """What the single instance is called; the four are called `HOST/1` to `HOST/4`."""
        return f"localhost:{self.web.port}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """All of them at work. What is written is written before Prometheus comes, so that each scrape has it."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name, ExitStack() as stack:
        folder = Path(name)
        daemon = stack.enter_context(run_troubled(folder))
        for number, count in SPREAD.items():
            stack.enter_context(run_instance(folder, number))
            write_messages(folder / f"log@{number}.fifo", "spread", count)
        write_messages(folder / "log.fifo", "pipe", SINGLE)
        stack.enter_context(make_trouble(folder))
        web = stack.enter_context(run_nginx(folder, NGINX_BASIC_AUTH))
        messages, webhook_port = stack.enter_context(receive_messages())
        alertmanager = stack.enter_context(run_alertmanager(folder, webhook_port))
        port = alertmanager.client.base_url.port
        assert port is not None
        basic = render_prometheus(make_folder(folder, "basic"), BASIC_AUTH, web, alertmanager_port=port)
        certificate_web = stack.enter_context(run_certificate_nginx(folder))
        certificate = render_prometheus(make_folder(folder, "certificate"), CLIENT_CERTIFICATE, certificate_web)
        distrust = render_prometheus(make_folder(folder, "distrust"), BASIC_AUTH, web)
        stranger = make_authority(folder / "stranger", "stranger")
        shutil.copy(stranger.root.file, distrust.parent / "syslog-pipeline" / "ca.crt")
        # Each takes 5 s until it scrapes for the first time: they take them together.
        prometheus, certified, distrusting = (
            stack.enter_context(serve_prometheus(config)) for config in (basic, certificate, distrust)
        )
        yield Site(
            folder,
            web,
            daemon,
            prometheus,
            certified,
            f"localhost:{certificate_web.port}",
            distrusting,
            alertmanager,
            messages,
        )


def make_folder(folder: Path, name: str) -> Path:
    """Make a folder within another."""
    (folder / name).mkdir()
    return folder / name


@contextmanager
def run_certificate_nginx(folder: Path) -> Iterator[Web]:
    """Run a second nginx before the same daemons, which asks for a certificate."""
    second = make_folder(folder, "second")
    for name in ("metrics.sock", *(f"metrics@{number}.sock" for number in SPREAD)):
        (second / name).symlink_to(folder / name)
    with run_nginx(second, NGINX_CLIENT_CERTIFICATE) as web:
        yield web


@contextmanager
def run_troubled(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the single instance: small limits, a source of each kind, and a program that cannot be compiled."""
    (folder / "programs").mkdir()
    for program in PROGRAMS:
        shutil.copy(HERE / program, folder / "programs")
    (folder / "programs" / "broken.mtail").write_text(BROKEN)
    (folder / "programs" / "plain.mtail").write_text(PLAIN)
    (folder / "app.log").write_text("Nov 21 01:13:00 host app: begins\n")
    sources = (f"{folder}/log.fifo", f"unix://{folder}/stream.sock", f"unixgram://{folder}/dgram.sock")
    flags = ("--progs", f"{folder}/programs", "--logs", ",".join((*sources, f"{folder}/app.log")), "--read_from=start")
    # Lines of the file are joined, and messages come as well.
    more = (
        f"--record_sources={folder}/app.log",
        "--record_start=^[A-Z]",
        f"--metlog_logs=unixgram://{folder}/metlog.sock",
        f"--config={write_routes(folder)}",
    )
    limits = (
        "--max_series_per_metric=10",
        "--max_label_value_bytes=100",
        "--max_line_bytes=1000",
        "--expire=trouble_few_total=24h",
    )
    state = ("--max_connections=1", "--state_file", f"{folder}/state", "--state_interval=1s")
    # The kernel takes what is pushed: nobody need read it.
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        push = ("--metric_push_interval=1s", f"--graphite_host_port=127.0.0.1:{receiver.getsockname()[1]}")
        with run_pipeline(folder, *flags, *more, *limits, *state, *push) as process:
            yield process


def write_routes(folder: Path) -> Path:
    """Return a file of settings with a route to a file that has a spool, and one to the metrics."""
    path = folder / "settings.toml"
    path.write_text(
        f"""
        [metlog.endpoint.archive]
        kind = "file"
        path = "{folder}/archive.json"
        spool = "{folder}/spool"

        [[metlog.route]]
        type = "counter"
        to = "store"

        [[metlog.route]]
        to = "archive"
        """
    )
    return path


@contextmanager
def run_instance(folder: Path, number: int) -> Iterator[None]:
    """Run one of four instances of the program that counts, with the paths that instances have."""
    http_socket = folder / f"metrics@{number}.sock"
    sources = ("--progs", str(HERE / "count.mtail"), "--logs", f"{folder}/log@{number}.fifo")
    command = [sys.executable, "-m", "pipeline", "run", *sources, "--unix_socket", str(http_socket)]
    ready = partial(is_at_work, http_socket)
    with running(command, folder / f"pipeline@{number}.out", ready=ready):
        yield


def write_messages(fifo: Path, route: str, count: int) -> None:
    """Write numbered messages into a pipe, as rsyslog would."""
    text = "".join(f"Nov 21 01:13:00 host e2e: e2e {route} {number}\n" for number in range(count))
    with fifo.open("w") as pipe:
        pipe.write(text)


@contextmanager
def make_trouble(folder: Path) -> Iterator[None]:
    """Meet every limit of the single instance, and keep a connection open where no second one may be."""
    write_trouble(folder)
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.connect(str(folder / "stream.sock"))
        second.connect(str(folder / "stream.sock"))
        assert second.recv(1) == b""
        yield


def write_trouble(folder: Path) -> None:
    """Write lines that meet the limits: more series than there may be, longer than they may be, and no time."""
    lines = [f"trouble id {number}" for number in range(20)]
    lines += ["trouble id " + "x" * 200, "trouble id " + "y" * 2000, *["trouble at noon"] * 5]
    with (folder / "log.fifo").open("w") as pipe:
        pipe.write("".join(f"Nov 21 01:13:00 host e2e: {line}\n" for line in lines))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for message in (
            b'{"type":"counter","payload":"many","fields":{"name":"n"}}',
            b'{"type":"note"}',
            b"no envelope",
        ):
            sender.sendto(message, str(folder / "metlog.sock"))


def name_own_metrics() -> set[str]:
    """Return the names under which Prometheus has our own metrics."""
    names = {own.full_name for own in OWN_METRICS if own.kind is not Kind.HISTOGRAM}
    for own in OWN_METRICS:
        if own.kind is Kind.HISTOGRAM:
            names |= {f"{own.full_name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def read_rules(monitor: Monitor) -> list[dict[str, Any]]:
    """Return the rules as Prometheus has them."""
    return [rule for group in monitor.ask("/api/v1/rules")["groups"] for rule in group["rules"]]


def read_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    dashboard = json.loads(find_shipped(DASHBOARD).read_text())
    assert isinstance(dashboard, dict)
    return dashboard


def fill_variables(expression: str) -> str:
    """Return an expression of the dashboard as Grafana sends it."""
    for variable, value in FILLED.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


def test_prometheus_has_our_numbers(site: Site) -> None:
    """It scrapes one instance and four through nginx with TLS and a password; their sum is what was written."""
    counted = {site.host: SINGLE} | {f"{site.host}/{number}": count for number, count in SPREAD.items()}
    wait_read(site.prometheus, 'up{job="syslog-pipeline"}', dict.fromkeys(counted, 1))
    wait_read(site.prometheus, 'e2e_messages_total{job="syslog-pipeline", prog="count.mtail"}', counted)
    summed = {"": float(sum(SPREAD.values()))}
    wait_read(site.prometheus, 'sum without (instance) (e2e_messages_total{route="spread"})', summed)
    numbers = {"": float(sum(count * (count - 1) // 2 for count in counted.values()))}
    wait_read(site.prometheus, "sum(e2e_numbers_total)", numbers)
    assert site.prometheus.read("sum(e2e_disorder_total) or vector(0)") == {"": 0}


def test_prometheus_reads_openmetrics(site: Site) -> None:
    """It asks for that first, and finds in it what the older text does not tell: units, and counters by their family.

    A counter without that ending keeps its name, and so do the buckets.
    """
    wait_read(site.prometheus, 'e2e_messages_total{route="pipe"}', {site.host: SINGLE})
    known = site.prometheus.ask("/api/v1/metadata")
    assert [(told["type"], told["unit"]) for told in known["process_cpu_seconds"]] == [("counter", "seconds")]
    assert [told["type"] for told in known["e2e_messages"]] == ["counter"]
    assert [told["type"] for told in known["plain_messages"]] == ["unknown"]
    assert [told["type"] for told in known["plain_numbers"]] == ["histogram"]
    assert [told["type"] for told in known["syslog_pipeline_prog_line_duration_seconds"]] == ["histogram"]
    assert "e2e_messages_total" not in known
    wait_read(site.prometheus, "plain_messages", {site.host: SINGLE})
    for bound, count in {"10": 11, "1000": 1001, "+Inf": SINGLE}.items():
        wait_read(site.prometheus, f'plain_numbers_bucket{{le="{bound}"}}', {site.host: count})


def test_every_rule_is_evaluated_on_metrics_that_there_are(site: Site) -> None:
    """No rule names a metric that we do not have, none fails, and Prometheus has data for each metric they name."""
    wait_until(lambda: all(rule["health"] != "unknown" for rule in read_rules(site.prometheus)), "rules are evaluated")
    rules = read_rules(site.prometheus)
    assert {rule["health"] for rule in rules} == {"ok"}
    names = {name for rule in rules for name in METRIC.findall(rule["query"])}
    assert names - NAMES_OF_PROMETHEUS <= name_own_metrics()
    for name in sorted(names):
        wait_data(site.prometheus, name)
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert recorded
    for name in recorded:
        wait_data(site.prometheus, name)


def test_every_query_of_the_dashboard_has_data(site: Site) -> None:
    """Each panel shows something of these hosts, and each variable has values to choose from.

    What is shown in seconds has not taken longer than the hosts are there: none is the age of 1970.
    """
    dashboard = read_dashboard()
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    targets = [target for panel in panels for target in panel["targets"]]
    assert len(targets) > len(panels)
    names = {name for target in targets for name in METRIC.findall(target["expr"])}
    assert names - NAMES_OF_PROMETHEUS <= name_own_metrics()
    wait_read(site.prometheus, 'sum(count_over_time(up{job="syslog-pipeline"}[1m])) >= bool 15', {"": 1})
    for target in targets:
        query = fill_variables(target["expr"])
        wait_data(site.prometheus, query)
        legend = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
        assert all(legend <= row["metric"].keys() for row in site.prometheus.query(query)), query
    for panel in panels:
        if panel["fieldConfig"]["defaults"].get("unit") == "s":
            rows = [row for target in panel["targets"] for row in site.prometheus.query(fill_variables(target["expr"]))]
            assert all(not float(row["value"][1]) > HOUR for row in rows), panel["title"]
    for variable in dashboard["templating"]["list"][1:]:
        asked = re.fullmatch(r"label_values\((?P<selector>.*), (?P<label>\w+)\)", variable["query"]["query"])
        assert asked is not None
        selector = fill_variables(asked["selector"])
        values = site.prometheus.ask(f"/api/v1/label/{asked['label']}/values", **{"match[]": selector})
        assert values != [], variable["name"]


def test_dashboard_shows_each_of_our_metrics(site: Site) -> None:
    """None of what the daemon counts about itself is left out without a reason."""
    shown = set(METRIC.findall(json.dumps(read_dashboard())))
    assert {name for name in name_own_metrics() if name not in shown} == {
        "process_virtual_memory_bytes",  # mapped memory tells nothing of what is used
        "syslog_pipeline_prog_line_duration_seconds_count",  # as many as are sampled
        "syslog_pipeline_prog_line_duration_seconds_sum",
        "syslog_pipeline_prog_loads_total",  # what cannot be loaded is shown
        "syslog_pipeline_prog_unloads_total",
        "syslog_pipeline_prog_sieve_faults_total",  # counted in a replay only
    }


def test_alerts_reach_who_is_to_act(site: Site) -> None:
    """A program that does not load comes to `now`, a full metric to `later`, and what one implies to nobody.

    When the program is mended and the daemon reloaded, that is told too.
    """
    broken = {"prog": "broken.mtail", "instance": site.host, "job": "syslog-pipeline", "severity": "critical"}
    broken["alertname"] = "SyslogPipelineProgramNotLoaded"
    arrived = wait_message(site.messages, "/now", "SyslogPipelineProgramNotLoaded", "firing")
    assert all(labels == broken for labels in arrived)
    write_trouble(site.folder)  # Prometheus has seen the daemon by now, so that it sees more of it
    for name in ("SeriesOverflow", "LabelValuesTooLong"):
        later = wait_message(site.messages, "/later", f"SyslogPipeline{name}", "firing")
        assert "trouble_crowd_total" in {labels["metric"] for labels in later}

    implied = "SyslogPipelineReloadFailed"
    wait_until(partial(is_inhibited, site.alertmanager, implied), "what is implied is inhibited")
    # When the program is mended, one of the two is resolved before the other.
    assert [site.messages.of(path, implied, "firing") for path in ("/now", "/later")] == [[], []]

    (site.folder / "programs" / "broken.mtail").write_text(MENDED)
    site.daemon.send_signal(signal.SIGHUP)
    assert broken in wait_message(site.messages, "/now", "SyslogPipelineProgramNotLoaded", "resolved")


def is_inhibited(alertmanager: Monitor, alert: str) -> bool:
    """Whether Alertmanager has one alert of that name, which another one inhibits."""
    told = alertmanager.ask("/api/v2/alerts", filter=f"alertname={alert}")
    return len(told) == 1 and bool(told[0]["status"]["inhibitedBy"])


def test_alertmanager_takes_the_route_without_a_warning(site: Site) -> None:
    """Of what amtool does not see, such as a message that is repeated later than Alertmanager can remember."""
    logged = (site.folder / "alertmanager.out").read_text()
    assert "Completed loading of configuration file" in logged
    assert [line for line in logged.splitlines() if "level=info" not in line] == []


def test_alert_on_a_host_that_is_down_silences_what_else_is_known_of_it(site: Site) -> None:
    """That of another host is told all the same. Alertmanager is given the alerts as Prometheus gives them."""
    labels = {"job": "syslog-pipeline", "instance": "gone:9443", "severity": "warning"}
    alerts = [
        labels | {"alertname": "SyslogPipelineDown", "severity": "critical"},
        labels | {"alertname": "SyslogPipelineBusy"},
        labels | {"alertname": "SyslogPipelineFileLags", "instance": "other:9443"},
    ]
    posted = site.alertmanager.client.post("/api/v2/alerts", json=[{"labels": alert} for alert in alerts])
    assert posted.status_code == 200
    wait_message(site.messages, "/later", "SyslogPipelineFileLags", "firing")
    states = {
        told["labels"]["alertname"]: told["status"]["state"]
        for told in site.alertmanager.ask("/api/v2/alerts", filter='instance=~"gone:9443|other:9443"')
    }
    assert states == {
        "SyslogPipelineDown": "active",
        "SyslogPipelineBusy": "suppressed",
        "SyslogPipelineFileLags": "active",
    }


def test_prometheus_is_let_in_with_its_certificate(site: Site) -> None:
    """The other scrape configuration, the other nginx configuration: the same numbers."""
    host = site.certified_host
    counted = {host: SINGLE} | {f"{host}/{number}": count for number, count in SPREAD.items()}
    wait_read(site.certified, 'e2e_messages_total{job="syslog-pipeline"}', counted)


def test_prometheus_trusts_our_authority_only(site: Site) -> None:
    """A server whose certificate somebody else signed is not scraped, and gets no password."""
    wait_read(site.distrusting, 'sum(up{job="syslog-pipeline"} == bool 0)', {"": 1 + len(SPREAD)})

    def list_errors() -> list[str]:
        return [target["lastError"] for target in site.distrusting.ask("/api/v1/targets")["activeTargets"]]

    assert len(list_errors()) == 1 + len(SPREAD)
    reason = "x509: certificate signed by unknown authority"
    # A scrape may also be out of time before it comes so far.
    wait_until(lambda: all(error.endswith(reason) for error in list_errors()), "each target has that error")


@pytest.mark.parametrize("name", [BASIC_AUTH, CLIENT_CERTIFICATE])
def test_promtool_and_amtool_are_content(site: Site, name: str, tmp_path: Path) -> None:
    """They find nothing to criticise in the configuration, with all files it names beside it, nor in the route."""
    config = render_prometheus(tmp_path, name, site.web, alertmanager_port=9)
    route = find_shipped(ALERTMANAGER)
    for command in (["promtool", "check", "config", str(config)], ["amtool", "check-config", str(route)]):
        check = subprocess.run(command, capture_output=True, check=False, text=True)
        assert (check.returncode, check.stderr) == (0, ""), check.stdout
        assert "SUCCESS" in check.stdout


def test_promtool_is_content_with_all_that_is_counted(site: Site) -> None:
    """With every metric of ours on the page, as nginx serves it."""
    with site.web.connect() as client:
        page, other = (
            client.get("/metrics", headers={"Accept": f"text/plain;version={version}"}).raise_for_status().text
            for version in ("0.0.4", "1.0.0")
        )
    assert [name for name in name_own_metrics() if name not in page] == []
    for text in (page, other):
        lines = [line for line in text.splitlines(keepends=True) if "plain_messages" not in line]  # it lacks `_total`
        check = subprocess.run(
            ["promtool", "check", "metrics"], input="".join(lines), capture_output=True, check=False, text=True
        )
        assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_strict_reader_is_content_with_the_whole_page_of_openmetrics(site: Site) -> None:
    """As nginx serves it, compressed: the families are those of the other text."""
    with site.web.connect() as client:
        answers = [client.get("/metrics", headers={"Accept": f"{accept}, */*;q=0.1"}) for accept in TYPES]
    openmetrics, text = (answer.raise_for_status() for answer in answers)
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.headers["content-encoding"] == "gzip"
    read = openmetrics_parser.text_string_to_metric_families(openmetrics.text)  # type: ignore[no-untyped-call]
    families = {family.name for family in read}
    assert families == {family.name for family in parser.text_string_to_metric_families(text.text)}
