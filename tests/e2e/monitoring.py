"""The real Prometheus and Alertmanager, with the files that users copy, and a place where alerts arrive."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from pipeline.shipped import find_shipped, render_shipped
from tests.e2e.daemons import DEADLINE_SECONDS, running, wait_until
from tests.e2e.web import PASSWORD, Web
from tests.ports import find_port

BASIC_AUTH = "docs/prometheus/prometheus-basic-auth.yml"
CLIENT_CERTIFICATE = "docs/prometheus/prometheus-client-certificate.yml"
ALERTMANAGER = "docs/prometheus/alertmanager.yml"
RULES = "docs/prometheus/rules"

SINGLE, SPREAD = '"loghost.example.com:9443"', '"central.example.com:9443"'
"""The hosts in our scrape configurations: one instance, and four."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A Prometheus or an Alertmanager at work."""

    client: httpx.Client

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON of many shapes
        """Return the data that an answer holds."""
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        read = answer.json()
        return read["data"] if isinstance(read, dict) and "data" in read else read

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now: their labels, and their value as text."""
        result = self.ask("/api/v1/query", query=expression)["result"]
        assert isinstance(result, list)
        return result

    def read(self, expression: str) -> dict[str, float]:
        """Return the values of an expression per instance; one without is called by an empty text."""
        return {row["metric"].get("instance", ""): float(row["value"][1]) for row in self.query(expression)}


@dataclass(slots=True)
class Messages:
    """What a webhook received: for each path the alerts, in their order."""

    by_path: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, path: str, alert: str, status: str) -> list[dict[str, str]]:
        """Return the labels of the alerts of one name and status that came to `path`."""
        return [
            message["labels"]
            for message in self.by_path.get(path, [])
            if message["labels"]["alertname"] == alert and message["status"] == status
        ]


@contextmanager
def receive_messages() -> Iterator[tuple[Messages, int]]:
    """Listen for what Alertmanager posts; give what came, and the port."""
    messages = Messages()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep the alerts of one message."""
            posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages.by_path.setdefault(self.path, []).extend(posted["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield messages, server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def run_alertmanager(folder: Path, webhook_port: int) -> Iterator[Monitor]:
    """Run Alertmanager with our route, which waits for no more than a second."""
    route = render_shipped(ALERTMANAGER, {"localhost:9095": f"127.0.0.1:{webhook_port}"})
    (folder / "alertmanager.yml").write_text(re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", route))
    port = find_port()
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with connect(port) as client, running(command, folder / "alertmanager.out", ready=partial(is_ready, client)):
        yield Monitor(client)


def render_prometheus(folder: Path, name: str, web: Web, *, alertmanager_port: int = 9) -> Path:
    """Write our configuration and our rules into `folder`, with what is needed to be let in; alerts do not wait.

    Nor does what needs to be known for half an hour.

    Without Alertmanager, they go where nobody listens.
    """
    secrets = folder / "syslog-pipeline"
    secrets.mkdir()
    shutil.copy(web.ca_file, secrets / "ca.crt")
    if name == BASIC_AUTH:
        (secrets / "prometheus.password").write_text(f"{PASSWORD}\n")
    else:
        shutil.copy(web.client_certificate.file, secrets / "prometheus.crt")
        shutil.copy(web.client_certificate.key, secrets / "prometheus.key")
    (folder / "rules").mkdir()
    for rules in ("alerts.yml", "recording.yml"):
        text = find_shipped(f"{RULES}/{rules}").read_text()
        text = re.sub(r"^( +for:) \w+$", r"\1 0s", text, flags=re.MULTILINE)
        (folder / "rules" / rules).write_text(text.replace("offset 30m", "offset 1s"))
    host = f'"localhost:{web.port}"'
    replacements = {
        SINGLE: host,
        SPREAD: host,
        "scrape_interval: 15s": "scrape_interval: 1s",
        "scrape_timeout: 10s": "scrape_timeout: 1s",
        "evaluation_interval: 15s": "evaluation_interval: 500ms",
        "localhost:9093": f"127.0.0.1:{alertmanager_port}",
    }
    path = folder / "prometheus.yml"
    path.write_text(render_shipped(name, replacements))
    return path


@contextmanager
def serve_prometheus(config: Path, *features: str, port: int = 0) -> Iterator[Monitor]:
    """Run Prometheus with a configuration, and its data beside it; some features must be asked for.

    It has a port that is free, unless one is given.
    """
    port = port or find_port()
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        *(f"--enable-feature={feature}" for feature in features),
    ]
    with connect(port) as client, running(command, config.with_suffix(".out"), ready=partial(is_ready, client)):
        yield Monitor(client)


@contextmanager
def connect(port: int) -> Iterator[httpx.Client]:
    """Give a client for a port of the loopback address."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SECONDS, trust_env=False) as client:
        yield client


def is_ready(client: httpx.Client) -> bool:
    """Whether Prometheus or Alertmanager answers that it is ready."""
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def wait_read(monitor: Monitor, expression: str, expected: Mapping[str, float]) -> None:
    """Return when an expression gives these values per instance."""
    wait_until(lambda: monitor.read(expression) == expected, f"{expression} is {expected}")


def wait_data(monitor: Monitor, expression: str) -> None:
    """Return when an expression gives any series."""
    wait_until(lambda: monitor.query(expression) != [], f"there is data for {expression}")


def wait_message(messages: Messages, path: str, alert: str, status: str) -> list[dict[str, str]]:
    """Return the labels of the alerts of one name and status, as soon as one has come to `path`."""
    wait_until(lambda: messages.of(path, alert, status) != [], f"{alert} comes to {path} as {status}")
    return messages.of(path, alert, status)
