"""The file for the real node exporter, and what it then shows."""

from __future__ import annotations

import math
import os
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from pipeline.errors import SettingError
from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType
from pipeline.push_settings import PushSettings, TextfileSettings
from pipeline.pushers import PushTask
from tests.e2e.daemons import DEADLINE_SECONDS, is_open, running
from tests.e2e.monitoring import connect
from tests.full_disk import limiting_files
from tests.ports import find_port
from tests.pushers.awkward import NOW, Sample, list_expected, make_awkward_store, show, spell_sample
from tests.pushers.by_hand import make_context, make_counter_store, make_task

OURS = ("words", "level", "took", "said", "secret", "sizes", "hits", "made_up")
"""What the names of our metrics begin with, those included that must not come."""

OLD = "# TYPE old gauge\nold 1\n"


@dataclass(frozen=True, slots=True)
class Exporter:
    """A node exporter that runs, with nothing but its textfile collector."""

    client: httpx.Client
    folder: Path

    def read_page(self) -> tuple[dict[Sample, float], dict[str, tuple[str, str]]]:
        """Return all samples, and type and help text of each family."""
        answer = self.client.get("/metrics")
        assert answer.status_code == 200, answer.text
        families = list(text_string_to_metric_families(answer.text))
        samples = {spell_sample(one.name, **one.labels): one.value for family in families for one in family.samples}
        return samples, {family.name: (family.type, family.documentation) for family in families}

    def read_own(self) -> dict[Sample, float]:
        """Return the samples that come from us."""
        samples, _ = self.read_page()
        assert samples[spell_sample("node_textfile_scrape_error")] == 0
        return {sample: value for sample, value in samples.items() if sample[0].startswith(OURS)}


@pytest.fixture(scope="module")
def running_exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """The exporter of all tests."""
    folder = tmp_path_factory.mktemp("textfile")
    port = find_port()
    command = [
        "prometheus-node-exporter",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    ]
    log = tmp_path_factory.mktemp("exporter") / "out"
    with running(command, log, ready=lambda: is_open(port), status=-signal.SIGTERM), connect(port) as client:
        yield Exporter(client, folder)


@pytest.fixture
def exporter(running_exporter: Exporter) -> Exporter:
    """An exporter without files."""
    for path in running_exporter.folder.iterdir():
        path.unlink()
    return running_exporter


def make_file_task(
    path: Path,
    store: Store,
    options: PrometheusOptions | None = None,
    mode: int = 0o644,
) -> PushTask:
    """Return the task that writes a file."""
    settings = PushSettings(
        metric_push_write_deadline_seconds=DEADLINE_SECONDS,
        textfile=TextfileSettings(textfile_path=path, textfile_mode=mode),
    )
    return make_task(settings, lambda: store, make_context(options))


async def test_every_value_is_shown(exporter: Exporter) -> None:
    """Whatever is in it, with type and help text. It must have no time stamps, whatever the flags say."""
    options = PrometheusOptions(emit_metric_timestamp=True, constant_labels=(("site", "north"),))
    task = make_file_task(exporter.folder / "a.prom", make_awkward_store(), options)
    await task.push()
    assert (task.failure, task.last_series, task.pusher.problems) == ("", 22, ())
    expected = {
        (name, tuple(sorted((*labels, ("site", "north"))))): value for (name, labels), value in list_expected().items()
    }
    assert show(exporter.read_own()) == show(expected)
    samples, families = exporter.read_page()
    assert families["words"] == ("counter", 'Words, "all" of\nthem \\o/')
    assert families["sizes"][0] == "histogram"
    file = str(exporter.folder / "a.prom")
    assert samples[spell_sample("node_textfile_mtime_seconds", file=file)] > 1e9


async def test_file_follows_the_store_and_stays_at_the_end(exporter: Exporter) -> None:
    """With the last values."""
    store = make_counter_store(2)
    (metric,) = store
    task = make_file_task(exporter.folder / "a.prom", store)
    await task.push()
    del metric.data[b"0",]
    metric.data[b"1",] = Datum((b"1",), 7, NOW)
    task.ending.set()
    await task.run()
    assert task.has_ended
    assert exporter.read_own() == {spell_sample("hits_total", id="1", prog="a.mtail"): 7.0}


async def test_what_a_crash_left_is_replaced_and_never_read(exporter: Exporter) -> None:
    """It has another ending."""
    (exporter.folder / "a.prom.new").write_text("half a li")
    assert exporter.read_own() == {}
    await make_file_task(exporter.folder / "a.prom", make_counter_store(1)).push()
    assert [path.name for path in exporter.folder.iterdir()] == ["a.prom"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o600])
async def test_mode_is_as_it_is_set(tmp_path: Path, mode: int) -> None:
    """Whatever the umask is, and whatever the file of before had."""
    path = tmp_path / "a.prom"
    path.write_text("")
    path.chmod(0o666)
    before = os.umask(0o077)
    try:
        await make_file_task(path, make_counter_store(1), mode=mode).push()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


async def test_missing_folder_is_a_failure_until_it_is_there(tmp_path: Path) -> None:
    """Nobody makes it: the exporter would not read it either."""
    task = make_file_task(tmp_path / "no" / "a.prom", make_counter_store(1))
    await task.push()
    assert (task.failure, task.counts.failures) == ("no such file or directory", 1)
    (tmp_path / "no").mkdir()
    await task.push()
    assert task.failure == ""


async def test_file_of_before_stays_when_there_is_no_room(tmp_path: Path) -> None:
    """Half a page would show half of the values."""
    path = tmp_path / "a.prom"
    path.write_text(OLD)
    task = make_file_task(path, make_counter_store(1000))
    with limiting_files(8192):
        await task.push()
    assert task.failure == "file too large"
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.prom", OLD)]
    await task.push()
    assert (task.failure, task.last_series) == ("", 1000)


async def test_folder_in_its_place_is_a_failure(tmp_path: Path) -> None:
    """And nothing is left behind."""
    (tmp_path / "a.prom" / "kept").mkdir(parents=True)
    task = make_file_task(tmp_path / "a.prom", make_counter_store(1))
    await task.push()
    assert task.failure == "is a directory"
    assert [path.name for path in tmp_path.iterdir()] == ["a.prom"]


async def test_problem_of_the_page_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A metric that the format cannot hold is left out."""
    store = make_counter_store(1)
    store.register([Metric("", kind=Kind.GAUGE, value_type=ValueType.INT, program="b.mtail", source="there")])
    for metric in store:
        metric.data.setdefault((b"",), Datum((b"",), 1, NOW))
    task = make_file_task(tmp_path / "a.prom", store)
    await task.push()
    assert [record.message for record in caplog.records] == [
        "Metric `` at there is left out of the Prometheus format: it has no name."
    ]
    assert task.failure == ""


async def test_disk_that_hangs_meets_the_deadline_and_keeps_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    """When it answers again, files take their place in the order in which they were made."""
    answers, asked, is_asked = threading.Event(), [], trio.Event()
    token = trio.lowlevel.current_trio_token()

    def sync(descriptor: int) -> None:
        asked.append(descriptor)
        token.run_sync_soon(is_asked.set)
        assert answers.wait(DEADLINE_SECONDS)

    monkeypatch.setattr(os, "fsync", sync)
    store = make_counter_store(1)
    task = make_file_task(tmp_path / "a.prom", store)
    with trio.fail_after(DEADLINE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.push)
            await is_asked.wait()
            nursery.cancel_scope.cancel()
    task.deadline = 0.02
    mock_clock.autojump_threshold = 0  # time passes when nothing but the disk is waited for
    for _ in range(2):
        await task.push()
        assert task.failure == "it did not take everything within 0.02 s"
    mock_clock.autojump_threshold = math.inf
    assert len(asked) == 1
    assert not (tmp_path / "a.prom").exists()
    answers.set()
    (metric,) = store
    metric.data[b"0",] = Datum((b"0",), 7, NOW)
    task.deadline = DEADLINE_SECONDS
    await task.push()
    assert (task.failure, len(asked)) == ("", 4)
    assert (tmp_path / "a.prom").read_text().endswith(" 7\n")


@pytest.mark.parametrize("path", ["/x/a.txt", "/x/prom", "/x/a.prom.new", "/x/.prom"])
def test_path_that_the_exporter_does_not_read_is_refused(path: str) -> None:
    """In one sentence."""
    with pytest.raises(SettingError) as caught:
        TextfileSettings(textfile_path=Path(path))
    assert str(caught.value) == "--textfile_path must end in .prom: the node exporter reads no other files."
