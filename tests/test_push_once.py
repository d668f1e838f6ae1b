"""Push-once: files to their end, then one push to each destination, and a status that says whether all took it."""

from __future__ import annotations

import errno
import gzip
import math
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from trio.testing import MockClock

from pipeline.errors import PushError
from pipeline.metrics import Snapshot
from pipeline.push_once import Delivery, PushOnce, find_pause
from pipeline.push_settings import PushSettings, TextfileSettings
from pipeline.pushers import Pusher
from pipeline.pushers.otlp import OtlpPusher
from pipeline.settings import (
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    PushOnceSettings,
    SourceSettings,
    StoreSettings,
)
from tests.e2e.daemons import DEADLINE_SECONDS
from tests.pushers.awkward import spell_sample
from tests.pushers.gateway import Gateway, run_gateway
from tests.pushers.http_peer import Mischief, Reply, serving
from tests.pushers.test_http_destinations import DESTINATIONS, Destination
from tests.test_cli import BROKEN, GOOD, invoke, make_env, run, run_on_terminal

PUSHGATEWAY = DESTINATIONS["pushgateway"]
UNAVAILABLE = Reply(503, b"not now")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a good program and a log."""
    monkeypatch.chdir(tmp_path)
    Path("p.mtail").write_text(GOOD)
    Path("log").write_text("1\n2\n")
    return tmp_path


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real Pushgateway."""
    with run_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def make_job(push: PushSettings, timeout_seconds: float = 60.0) -> PushOnce:
    """Return a job that has read the log."""
    job = PushOnce(
        PushOnceSettings(
            programs=ProgramSettings(progs=Path("p.mtail"), language=LanguageSettings()),
            sources=SourceSettings(logs=("log",)),
            store=StoreSettings(),
            formats=FormatSettings(),
            push=push,
            push_timeout_seconds=timeout_seconds,
        )
    )
    assert sum(job.replay.run()) == 4
    return job


async def deliver(url: str, destination: Destination = PUSHGATEWAY) -> Delivery:
    """Return how a push to `url` went."""
    (delivery,) = await make_job(replace(destination.make_settings(url), push_spool_bytes=0)).deliver_all()
    return delivery


@pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)
async def test_every_destination_can_take_it(destination: Destination) -> None:
    """The whole value, at once."""
    async with serving(destination.good) as peer:
        delivery = await deliver(peer.url, destination)
    assert (delivery.series, delivery.attempts, delivery.failure) == (1, 1, "")


@pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)
async def test_refusal_for_good_is_not_tried_again(destination: Destination, autojump_clock: MockClock) -> None:
    """The same would be refused another time."""
    autojump_clock.autojump_threshold = 0.01  # real connections take a moment
    async with serving(Reply(400, b"not like this")) as peer:
        delivery = await deliver(peer.url, destination)
    assert delivery.describe() == (
        f"Push to {delivery.name} at {delivery.address} failed: it answered 400: not like this. It was tried once."
    )


@pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)
async def test_failure_that_may_pass_is_tried_again(
    destination: Destination, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After a second, then after two, which is told; nothing of the failed ones is sent besides."""
    autojump_clock.autojump_threshold = 0.01
    begun = trio.current_time()
    async with serving(UNAVAILABLE, Mischief.CLOSE_UNANSWERED, destination.good) as peer:
        delivery = await deliver(peer.url, destination)
    assert (delivery.series, delivery.attempts, delivery.failure) == (1, 3, "")
    assert round(trio.current_time() - begun) == 3
    about = f"Push to {delivery.name} at {delivery.address} failed:"
    assert [record.message for record in caplog.records if record.name == "pipeline.push_once"] == [
        f"{about} it answered 503: not now. It is tried again in 1 s.",
        f"{about} it closed the connection without an answer, or its answer is not HTTP. It is tried again in 2 s.",
    ]


async def test_what_is_sent_behind_the_push_is_told_of_too() -> None:
    """A receiver that is slow gets the rest then."""
    Path("p.mtail").write_text("counter seen by n\n/(?P<n>\\d)/ {\n  seen[$n]++\n}\n")
    async with serving(DESTINATIONS["otlp"].good) as peer:
        job = make_job(replace(DESTINATIONS["otlp"].make_settings(peer.url), push_spool_bytes=0))
        (pusher,) = job.pushers
        assert isinstance(pusher, OtlpPusher)
        pusher.patience, pusher.max_points = 0.0, 1
        (delivery,) = await job.deliver_all()
    assert delivery.describe() == f"2 series were pushed to otlp at {peer.url}/v1/metrics."
    assert len(peer.received) == 2


async def test_pauses_grow_until_the_time_is_over(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """1, 2, 4, 8, then 10 s; it is given up when the next one would come too late. The same failure is told once."""
    autojump_clock.autojump_threshold = 0.01
    begun = trio.current_time()
    async with serving(UNAVAILABLE) as peer:
        delivery = await deliver(peer.url)
    assert (delivery.attempts, delivery.failure) == (9, "it answered 503: not now")
    assert len([record for record in caplog.records if record.name == "pipeline.push_once"]) == 1
    assert round(trio.current_time() - begun) == 55


@pytest.mark.parametrize(("seconds", "attempts"), [(30, 2), (59, 2), (61, 1)])
async def test_destination_is_left_alone_as_long_as_it_asks(
    seconds: int, attempts: int, autojump_clock: MockClock
) -> None:
    """If that is too long, it is given up at once."""
    autojump_clock.autojump_threshold = 0.01
    begun = trio.current_time()
    async with serving(Reply(429, headers={"retry-after": str(seconds)}), Reply()) as peer:
        delivery = await deliver(peer.url)
    assert (delivery.attempts, delivery.failure) == (attempts, "" if attempts == 2 else "it answered 429")
    assert round(trio.current_time() - begun) == (seconds if attempts == 2 else 0)


@pytest.mark.parametrize(("seconds", "attempts", "told"), [(5.0, 1, "5 s"), (30.0, 3, "10 s")])
async def test_destination_that_hangs_is_given_up_in_time(
    seconds: float, attempts: int, told: str, autojump_clock: MockClock
) -> None:
    """Each attempt has its deadline, and all of them together have theirs."""
    autojump_clock.autojump_threshold = 0.01
    begun = trio.current_time()
    async with serving(Mischief.HANG) as peer:
        (delivery,) = await make_job(PUSHGATEWAY.make_settings(peer.url), seconds).deliver_all()
    assert (delivery.attempts, delivery.failure) == (attempts, f"it did not take everything within {told}")
    assert round(trio.current_time() - begun) == seconds


def test_pause_after_a_failure_is_the_longer_of_two() -> None:
    """That which doubles up to 10 s, whatever failed, and that which the destination asks for."""
    assert [find_pause(OSError(errno.ECONNREFUSED, ""), last) for last in (0, 1, 4, 8, 10)] == [1, 2, 8, 10, 10]
    assert [find_pause(PushError("", asked), 1) for asked in (0, 1, 3, 90)] == [2, 2, 3, 90]
    assert find_pause(PushError("", 3, is_final=True), 1) == math.inf


class Lingering(Pusher):
    """Takes everything at once, and has no end."""

    def __init__(self) -> None:
        super().__init__("lingering", "here")

    async def connect(self) -> None:
        """Have a way."""
        await trio.lowlevel.checkpoint()

    async def write(self, snapshot: Snapshot) -> int:
        """Take it."""
        await trio.lowlevel.checkpoint()
        return len(snapshot.metrics)

    async def finish(self) -> None:
        """Go on for ever."""
        await trio.sleep_forever()

    async def disconnect(self) -> None:
        """Give up."""
        await trio.lowlevel.checkpoint()


async def test_what_is_done_behind_the_push_has_its_deadline_too(autojump_clock: MockClock) -> None:
    """It belongs to what the destination has to take."""
    job = make_job(PushSettings(textfile=TextfileSettings(textfile_path=Path("a.prom"))))
    job.pushers = [Lingering()]
    (delivery,) = await job.deliver_all()
    assert delivery.failure == "it did not end within 10 s"
    assert delivery.attempts > 1


async def test_series_that_were_not_wanted_are_a_failure() -> None:
    """Although the destination has taken the others."""
    partial = ExportMetricsPartialSuccess(rejected_data_points=1, error_message="too old")
    body = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    async with serving(Reply(200, body, {"content-type": "application/x-protobuf"})) as peer:
        delivery = await deliver(peer.url, DESTINATIONS["otlp"])
    assert (delivery.attempts, delivery.failure) == (1, "it did not want 1 of the series")


def test_values_of_all_lines_are_pushed(gateway: Gateway, folder: Path) -> None:
    """To each destination, without a word. What only the daemon does is not done, whatever its settings say."""
    Path("log").write_text("1\n" * 300_000)
    Path("settings.toml").write_text(
        f'metric_push_interval = "0"\npushgateway_delete_on_exit = true\npushgateway_url = "{gateway.url}"\n'
        'pushgateway_grouping = ["none"]\n'
    )
    job = ["--progs=p.mtail", "--config=settings.toml", "--textfile_path=a.prom", "log"]
    result = invoke("push-once", *job, "--pushgateway_job=nightly")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert gateway.read_page("nightly")[0] == {spell_sample("lines_total", prog="p.mtail"): 300_000.0}
    assert (folder / "a.prom").read_text().endswith('\nlines_total{prog="p.mtail"} 300000\n')


def test_what_a_limit_has_kept_out_is_told(folder: Path) -> None:
    """The status stays 0: all destinations took what there was."""
    Path("p.mtail").write_text("counter lines_total by line\n/(?P<line>.*)/ {\n  lines_total[$line]++\n}\n")
    result = invoke("push-once", "--progs=p.mtail", "log", "--textfile_path=a.prom", "--max_series_per_metric=1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "Warning: Metric `lines_total` at p.mtail:1:9-19 is incomplete: it has as many series as "
        "--max_series_per_metric allows, and another one was not kept once.\n"
    )
    assert (folder / "a.prom").read_text().endswith('\nlines_total{line="1",prog="p.mtail"} 1\n')


def test_receivers_that_answer_nothing_get_whole_values() -> None:
    """Also where a daemon sends what has come since the last time."""
    with (
        socket.create_server(("127.0.0.1", 0)) as carbon,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd,
    ):
        statsd.bind(("127.0.0.1", 0))
        for receiver in (carbon, statsd):
            receiver.settimeout(DEADLINE_SECONDS)
        flags = [
            f"--graphite_host_port=127.0.0.1:{carbon.getsockname()[1]}",
            f"--statsd_hostport=127.0.0.1:{statsd.getsockname()[1]}",
        ]
        result = invoke("push-once", "--progs=p.mtail", "log", *flags)
        assert (result.exit_code, result.stderr) == (0, "")
        connection, _ = carbon.accept()
        with connection:
            assert connection.recv(1000).startswith(b"p.mtail.lines_total 2 ")
        assert statsd.recv(1000) == b"p.mtail.lines_total:2|c"


def test_broken_program_does_not_keep_the_values_of_the_others(gateway: Gateway, folder: Path) -> None:
    """But the status is 1."""
    Path("q.mtail").write_text(BROKEN)
    result = invoke("push-once", "--progs=.", "log", f"--pushgateway_url={gateway.url}", "--pushgateway_job=broken")
    assert result.exit_code == 1
    assert result.stderr.startswith("q.mtail:3:1: error: ")
    (value,) = gateway.read_page("broken")[0].values()
    assert value == 2


def test_without_any_program_nothing_is_pushed(gateway: Gateway) -> None:
    """An empty page would take the place of good values."""
    push = [f"--pushgateway_url={gateway.url}", "--pushgateway_job=kept", "log"]
    assert invoke("push-once", "--progs=p.mtail", *push).exit_code == 0
    Path("p.mtail").write_text(BROKEN)
    result = invoke("push-once", "--progs=p.mtail", *push)
    assert result.exit_code == 1
    assert result.stderr.endswith("\nError: Nothing is pushed, because no program could be loaded.\n")
    assert list(gateway.read_page("kept")[0].values()) == [2]


def test_destination_that_fails_keeps_no_other_one(folder: Path) -> None:
    """One sentence says which, and the status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    flags = [f"--pushgateway_url=http://me:secret@127.0.0.1:{port}", "--pushgateway_grouping=none"]
    result = invoke("push-once", "--progs=p.mtail", "log", *flags, "--textfile_path=a.prom", "--push_timeout=900ms")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Push to pushgateway at http://127.0.0.1:{port}/metrics/job/syslog-pipeline failed: "
        "connection refused. It was tried once.\n"
    )
    assert (folder / "a.prom").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["log"], "No destination is set. Name one, for example with --pushgateway_url."),
        (["--textfile_path=a.prom"], "No log is given. Name one with --logs."),
        (["--textfile_path=a.prom", "nowhere"], "{folder}/nowhere cannot be read: no such file or directory."),
        (["--textfile_path=a.prom", "log", "log.gz"],
         "{folder}/log.gz is compressed by gzip: pipe it through gzip -dc to --logs -."),
        (["--textfile_path=a.txt", "log"],
         "--textfile_path must end in .prom: the node exporter reads no other files."),
        (["--textfile_path=a.prom", "--pushgateway_grouping=site", "log"],
         "Invalid value for '--pushgateway_grouping': 'site' is not a label: write NAME=VALUE, or none."),
        (["--textfile_path=a.prom", "--push_timeout=0", "log"], "--push_timeout must be more than 0."),
        (["--pushgateway_url=https://localhost", "--push_ca=log", "log"],
         "--push_ca 'log' cannot be used: there is no certificate in it."),
    ],
)  # fmt: skip
def test_wrong_use_pushes_nothing(arguments: list[str], told: str, folder: Path) -> None:
    """One sentence, and status 2."""
    Path("log.gz").write_bytes(gzip.compress(b"1\n"))
    result = invoke("push-once", "--progs=p.mtail", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: {told.format(folder=folder)}"
    assert not (folder / "a.prom").exists()


@pytest.mark.slow
def test_person_at_a_terminal_sees_a_bar_and_what_was_pushed(folder: Path) -> None:
    """A job that nobody looks at has nothing to say."""
    shown = run_on_terminal("push-once", "--progs=p.mtail", "log", "--textfile_path=a.prom")
    assert "4/4 bytes" in shown
    assert "1 series were pushed to textfile at a.prom." in shown
    assert run("push-once", "--progs=p.mtail", "--logs=-", "--textfile_path=a.prom", stdin="1\n").stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "status", "errors"),
    [
        ("push-once --progs=p.mtail log --textfile_path=a.prom <&- >&- 2>&-", 0, ""),
        ("push-once --progs=p.mtail --logs=- --textfile_path=a.prom <&-", 2,
         "Error: - cannot be read: bad file descriptor.\n"),
    ],
    ids=["all", "stdin"],
)  # fmt: skip
def test_closed_stream_is_none_that_is_needed(script: str, status: int, errors: str) -> None:
    """As a job has it that was started by something careless."""
    command = ["sh", "-c", f'exec "$0" -m pipeline {script}', sys.executable]
    result = subprocess.run(
        command, stderr=subprocess.PIPE, text=True, env=make_env(), timeout=DEADLINE_SECONDS, check=False
    )
    assert (result.returncode, result.stderr) == (status, errors)
    assert Path("a.prom").exists() == (status == 0)


@pytest.mark.slow
def test_ctrl_c_ends_it() -> None:
    """Also while it waits for a destination that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_SECONDS)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-m", "pipeline", "push-once", "--progs=p.mtail", "log", f"--pushgateway_url={url}"]
        # As a terminal starts it, also where the tests run in the background, in which shells ignore the signal.
        command = ["env", "--default-signal=INT", *command]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=make_env()) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, errors) == (1, "\nAborted!\n")
