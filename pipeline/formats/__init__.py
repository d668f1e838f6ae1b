"""Ways to write a snapshot as bytes. A format cannot change a metric.

Each module has a `CONTENT_TYPE` and a `render`; use it as `formats.prometheus.render(snapshot)`.
"""

from __future__ import annotations

from pipeline.formats import carbon, collectd, graphite, json, prometheus, statsd, varz
from pipeline.formats.lines import LineOptions
from pipeline.formats.prometheus import PrometheusOptions

__all__ = ["LineOptions", "PrometheusOptions", "carbon", "collectd", "graphite", "json", "prometheus", "statsd", "varz"]
