"""What the tests of destinations that get pages and requests have in common: pushes by hand, and TLS before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType
from pipeline.push_settings import PushSettings
from pipeline.pushers import PushContext, PushTask, make_pushers
from tests.e2e.web import Web, prepare_nginx, serving, write_nginx_conf
from tests.pushers.awkward import NOW

HOST = "web1"

TLS_SITE = """server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/tls/server.crt;
    ssl_certificate_key {folder}/tls/server.key;
    {locations}
}}
"""


def make_context(
    options: PrometheusOptions | None = None, *, host: str = HOST, read_clock: Callable[[], int] = lambda: NOW
) -> PushContext:
    """Return what a pusher knows of the daemon."""
    return PushContext(host, options or PrometheusOptions(), read_clock)


def make_task(settings: PushSettings, find_store: Callable[[], Store], context: PushContext | None = None) -> PushTask:
    """Return the task of the one destination that `settings` name, for the metrics of programs in a store."""
    context = context or make_context()
    (pusher,) = make_pushers(settings, context)
    return PushTask(pusher, settings, lambda: find_store().view().select_programs(), context.read_clock)


def make_counter_store(series: int = 3) -> Store:
    """Return a counter in so many series."""
    metric = Metric(
        "hits_total", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("id",), source="here"
    )
    for number in range(series):
        key = (b"%d" % number,)
        metric.data[key] = Datum(key, number, NOW)
    store = Store(max_series=0)
    store.register([metric])
    return store


@contextmanager
def run_guard(folder: Path, locations: str) -> Iterator[Web]:
    """Run an nginx, with a folder `web` below `folder`, whose site over TLS has these locations.

    Its folder is `{folder}` in `locations`; the file `passwords` there has the one of `tests.e2e.web`.
    """
    web = prepare_nginx(folder / "web")
    inside = locations.replace("{folder}", str(web.folder))
    (web.folder / "site.conf").write_text(TLS_SITE.format(port=web.port, folder=web.folder, locations=inside))
    write_nginx_conf(web.folder, "site.conf")
    with serving(web):
        yield web
