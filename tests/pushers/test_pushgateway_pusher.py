"""Pushes to the real Pushgateway, and what it then has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingError
from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType
from pipeline.push_settings import PushgatewaySettings, PushSettings
from pipeline.pushers import PushTask
from tests.e2e.web import PASSWORD, USER, Web
from tests.pushers.awkward import NOW, list_expected, make_awkward_store, show, spell_sample
from tests.pushers.by_hand import make_context, make_task, run_guard
from tests.pushers.gateway import Gateway, run_gateway
from tests.pushers.http_peer import Reply
from tests.pushers.http_peer import serving as serving_replies

LOCATIONS = """location /push/ {
        auth_basic gateway;
        auth_basic_user_file {folder}/passwords;
        proxy_pass http://127.0.0.1:PORT/;
    }"""


@pytest.fixture(scope="module")
def running_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway of all tests."""
    with run_gateway(tmp_path_factory.mktemp("pushgateway")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: Gateway) -> Gateway:
    """A gateway that has no groups."""
    running_gateway.delete_all()
    return running_gateway


@dataclass
class Push:
    """A push to a gateway, as settings and metrics say."""

    url: str
    store: Store
    settings: dict[str, Any] = field(default_factory=dict)
    options: PrometheusOptions = field(default_factory=PrometheusOptions)
    ca: Path | None = None

    def make_task(self) -> PushTask:
        """Return the task that pushes."""
        settings = PushSettings(
            push_ca=self.ca, pushgateway=PushgatewaySettings(pushgateway_url=self.url, **self.settings)
        )
        return make_task(settings, lambda: self.store, make_context(self.options))

    async def run(self) -> PushTask:
        """Push once, which must go well."""
        task = self.make_task()
        try:
            await task.push()
        finally:
            await task.disconnect()
        assert task.failure == ""
        return task


def make_store(name: str = "hits_total", *series: dict[str, str], kind: Kind = Kind.COUNTER) -> Store:
    """Return one metric of value 1, in each of these series."""
    names = tuple(series[0]) if series else ()
    metric = Metric(name, kind=kind, value_type=ValueType.INT, program="a.mtail", label_names=names)
    for labels in series or ({},):
        key = tuple(value.encode() for value in labels.values())
        metric.data[key] = Datum(key, 1, NOW)
    store = Store()
    store.register([metric])
    return store


async def test_every_value_arrives(gateway: Gateway) -> None:
    """Whatever is in it, with type and help text, and nothing that a label value has made up."""
    push = Push(gateway.url, make_awkward_store(), options=PrometheusOptions(emit_metric_timestamp=True))
    task = await push.run()
    assert (task.last_series, task.pusher.problems) == (22, ())
    samples, families = gateway.read_page("syslog-pipeline")
    expected = {
        (name, tuple(sorted((*labels, ("instance", "web1"))))): v for (name, labels), v in list_expected().items()
    }
    assert show(samples) == show(expected)
    assert families == {
        "words": ("counter", 'Words, "all" of\nthem \\o/'),
        "level_bytes": ("gauge", "defined at"),
        "took_seconds": ("gauge", "defined at"),
        "sizes": ("histogram", "defined at"),
    }


async def test_values_follow_the_store(gateway: Gateway) -> None:
    """Over one connection; a series that has gone is gone there too."""
    push = Push(gateway.url, make_store("hits_total", {"id": "a"}, {"id": "b"}))
    (metric,) = push.store
    task = push.make_task()
    await task.push()
    del metric.data[b"a",]
    metric.data[b"b",] = Datum((b"b",), 7, NOW)
    await task.push()
    await task.disconnect()
    assert gateway.read_page("syslog-pipeline")[0] == {
        spell_sample("hits_total", id="b", prog="a.mtail", instance="web1"): 7.0
    }


@pytest.mark.parametrize(("method", "names"), [("put", {"b_total"}), ("post", {"a_total", "b_total"})])
async def test_put_replaces_the_group_and_post_families(gateway: Gateway, method: str, names: set[str]) -> None:
    """As the gateway means them."""
    for name in ("a_total", "b_total"):
        await Push(gateway.url, make_store(name), {"pushgateway_method": method}).run()
    samples, _ = gateway.read_page("syslog-pipeline")
    assert {name for name, _ in samples} == names


@pytest.mark.parametrize("is_deleting", [True, False])
async def test_group_goes_with_the_daemon_if_that_is_wanted(gateway: Gateway, is_deleting: bool) -> None:
    """Also when there is no connection any more. Other groups stay."""
    await Push(gateway.url, make_store(), {"pushgateway_job": "other"}).run()
    task = Push(gateway.url, make_store(), {"pushgateway_delete_on_exit": is_deleting}).make_task()
    await task.push()
    await task.disconnect()
    await task.finish()
    await task.disconnect()
    assert task.failure == ""
    assert sorted(key["job"] for key in gateway.list_keys()) == ["other"] + ["syslog-pipeline"] * (not is_deleting)


async def test_group_that_is_not_deleted_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody has to do it by hand."""
    async with serving_replies(Reply(), Reply(503, b"not now")) as peer:
        task = Push(peer.url, make_store(), {"pushgateway_delete_on_exit": True}).make_task()
        task.ending.set()
        await task.run()
    assert [received.method for received in peer.received] == ["PUT", "DELETE"]
    assert task.counts.failures == 1
    (record,) = caplog.records
    assert record.message.endswith(
        " failed: the group is not deleted: it answered 503: not now. There is no further one."
    )


@pytest.mark.parametrize(
    "value",
    ["plain", "", ".", "..", "a/b", "a//b/", "%2F", "a b", "?x=1#y", "job@base64", "caf\xe9 \U0001f431", "=", "+", "~"],
)
async def test_grouping_key_may_hold_anything(gateway: Gateway, value: str) -> None:
    """The gateway has the very same."""
    settings = {"pushgateway_job": value or "x", "pushgateway_grouping": (f"team={value}", "rack=7")}
    await Push(f"{gateway.url}/", make_store(), settings).run()
    assert gateway.list_keys() == [{"job": value or "x", "rack": "7", "team": value}]


@pytest.mark.parametrize(
    ("grouping", "labels"), [((), {"instance": "web1"}), (("none",), {}), (("site=a=b",), {"site": "a=b"})]
)
async def test_grouping_key_has_the_host_unless_it_is_said(
    gateway: Gateway, grouping: tuple[str, ...], labels: dict[str, str]
) -> None:
    """Beside the job."""
    await Push(gateway.url, make_store(), {"pushgateway_job": "j", "pushgateway_grouping": grouping}).run()
    assert gateway.list_keys() == [{"job": "j", **labels}]


async def test_labels_of_the_key_do_not_make_two_series_one(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """They are renamed as in a scrape, and it is said once; otherwise the gateway would refuse everything."""
    labels = (
        {"instance": "x", "exported_instance": "z", "job": "p"},
        {"instance": "y", "exported_instance": "z", "job": "p"},
    )
    push = Push(gateway.url, make_store("hits_total", *labels))
    push.options = PrometheusOptions(constant_labels=(("instance", "mine"), ("site", "north")))
    task = push.make_task()
    for _ in range(2):
        await task.push()
    await task.disconnect()
    assert task.failure == ""
    own = {"exported_instance": "z", "exported_job": "p", "prog": "a.mtail", "site": "north", "instance": "web1"}
    assert gateway.read_page("syslog-pipeline")[0] == {
        spell_sample("hits_total", **own, exported_exported_instance=value): 1.0 for value in ("x", "y")
    }
    assert [record.message for record in caplog.records] == [
        "The constant label instance=mine is not pushed to the Pushgateway, whose grouping key has instance.",
        "Metric `hits_total` at  is pushed to the Pushgateway with the label `instance` as `exported_exported_instance`"
        " and `job` as `exported_job`: the grouping key has one of that name.",
    ]


async def test_names_of_the_gateway_are_left_to_it(gateway: Gateway) -> None:
    """It would replace the metric, and say nothing. Of metrics without series there is nothing to say."""
    store = make_store("push.time_seconds", kind=Kind.GAUGE)
    empty = Metric(
        "push_failure_time_seconds", kind=Kind.GAUGE, value_type=ValueType.INT, program="b.mtail", label_names=("job",)
    )
    other = Metric("other", kind=Kind.GAUGE, value_type=ValueType.INT, program="b.mtail", label_names=("job",))
    store.register([empty, other, *make_store()])
    task = await Push(gateway.url, store).run()
    assert task.pusher.problems == (
        "Metric `push.time_seconds` at  is not pushed to the Pushgateway, which has one of its own.",
    )
    assert task.last_series == 1
    (group,) = gateway.list_groups()
    assert float(group["push_time_seconds"]["metrics"][0]["value"]) > 1e9


async def test_clash_of_types_is_told_in_the_words_of_the_gateway(gateway: Gateway) -> None:
    """It is final, until the other group has gone."""
    await Push(gateway.url, make_store(kind=Kind.GAUGE), {"pushgateway_job": "other"}).run()
    task = Push(gateway.url, make_store()).make_task()
    await task.push()
    assert task.failure.startswith(
        "it answered 400: pushed metrics are invalid or inconsistent with existing metrics: "
    )
    # Which of the two comes first is a matter of chance.
    assert task.failure.endswith((" is not a GAUGE", " is not a COUNTER"))
    gateway.delete_all()
    await task.push()
    await task.disconnect()
    assert (task.failure, task.counts.failures) == ("", 1)


async def test_empty_page_empties_the_group(gateway: Gateway) -> None:
    """The gateway knows then that the job ran, and found nothing."""
    await Push(gateway.url, make_store()).run()
    assert (await Push(gateway.url, Store()).run()).last_series == 0
    (group,) = gateway.list_groups()
    assert set(group) == {"labels", "last_push_successful", "push_time_seconds", "push_failure_time_seconds"}


@pytest.fixture(scope="module")
def guarded(running_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """An nginx before the gateway, which asks for a password over TLS."""
    locations = LOCATIONS.replace("PORT", str(running_gateway.port))
    with run_guard(tmp_path_factory.mktemp("nginx"), locations) as web:
        yield web


@pytest.mark.parametrize(
    ("password", "told"),
    [(PASSWORD, ""), ("guessed", "it answered 401: 401 Authorization Required")],
    ids=["right", "wrong"],
)
async def test_password_goes_to_the_proxy_and_nowhere_else(
    gateway: Gateway, guarded: Web, password: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Over TLS, by an authority of one's own, and below a path."""
    quoted = password.replace(" ", "%20")
    url = f"https://{USER}:{quoted}@localhost:{guarded.port}/push"
    task = Push(url, make_store(), {"pushgateway_job": "a/b"}, ca=guarded.ca_file).make_task()
    await task.push()
    await task.disconnect()
    assert task.failure == told
    assert len(gateway.list_keys()) == (not told)
    assert task.pusher.address == f"https://localhost:{guarded.port}/push/metrics/job@base64/YS9i/instance/web1"
    assert password not in caplog.text
    assert quoted not in caplog.text


async def test_stranger_is_not_trusted(gateway: Gateway, guarded: Web) -> None:
    """By the authorities of the system, which have not signed it."""
    task = Push(f"https://localhost:{guarded.port}/", make_store()).make_task()
    await task.push()
    await task.disconnect()
    assert task.failure.startswith("its certificate is not trusted: ")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"pushgateway_url": "gateway:9091"},
            "--pushgateway_url must be http:// or https:// with a host, and perhaps a port and a path.",
        ),
        ({"pushgateway_job": ""}, "--pushgateway_job must not be empty: the Pushgateway knows no group without a job."),
        ({"pushgateway_job": "a\nb"}, r"--pushgateway_job: the value 'a\nb' of the job cannot be printed."),
        ({"pushgateway_grouping": ("none", "a=b")}, "--pushgateway_grouping: none does not go with a label."),
        ({"pushgateway_grouping": ("job=b",)}, "--pushgateway_grouping: the label job has a meaning of its own."),
        ({"pushgateway_grouping": ("a=b", "a=c")}, "--pushgateway_grouping: the label a is given twice."),
        (
            {"pushgateway_grouping": ("a-b=c",)},
            "--pushgateway_grouping: 'a-b' is no name of a label: it may have letters, digits and _, no digit at its "
            "beginning, and no two underscores there.",
        ),
    ],
)
def test_wrong_setting_is_refused(settings: dict[str, Any], told: str) -> None:
    """In one sentence."""
    with pytest.raises(SettingError) as caught:
        PushgatewaySettings(**settings)
    assert str(caught.value) == told
