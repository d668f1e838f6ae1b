"""The flags about pushes: what they have in common, then those of each destination."""

from __future__ import annotations

from pipeline import push_settings
from pipeline.flag import PUSHING, Flag, flatten_values
from pipeline.flag_types import BOOLEAN, DURATION, GROUPING, HEADERS, INTEGER, LABELS, MODE, PATH, TEXT, one_of

PUSH_FLAGS = (
    Flag(
        of=push_settings.PushSettings,
        name="metric_push_interval",
        type=DURATION,
        section=PUSHING,
        help="How often the metrics are pushed. 0: never.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="metric_push_write_deadline",
        type=DURATION,
        section=PUSHING,
        help="How long it may take to reach a destination, and as long again to write to it.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="push_ca",
        type=PATH,
        section=PUSHING,
        help="The authority that destinations over HTTPS are trusted by, in PEM; by default those of the system.",
    ),
    Flag(
        of=push_settings.PushSettings,
        name="push_spool_bytes",
        type=INTEGER,
        section=PUSHING,
        help="How much is kept for each destination that wants every sample and cannot be reached. 0: nothing.",
    ),
    Flag(
        of=push_settings.GraphiteSettings,
        name="graphite_host_port",
        type=TEXT,
        section=PUSHING,
        help="Push to Graphite (carbon, line protocol over TCP) at HOST:PORT.",
    ),
    Flag(
        of=push_settings.GraphiteSettings,
        name="graphite_prefix",
        type=TEXT,
        section=PUSHING,
        help="What each path in Graphite begins with, its dot included.",
    ),
    Flag(
        of=push_settings.PushgatewaySettings,
        name="pushgateway_url",
        type=TEXT,
        section=PUSHING,
        help="Push to the Prometheus Pushgateway at this URL, which may name a user and a password.",
    ),
    Flag(
        of=push_settings.PushgatewaySettings,
        name="pushgateway_job",
        type=TEXT,
        section=PUSHING,
        help="The job that the grouping key begins with.",
    ),
    Flag(
        of=push_settings.OtlpSettings,
        name="otlp_endpoint",
        type=TEXT,
        section=PUSHING,
        help="Push to the receiver of OTLP over HTTP at this URL; /v1/metrics is put behind it.",
    ),
    Flag(
        of=push_settings.OtlpSettings,
        name="otlp_headers",
        type=HEADERS,
        section=PUSHING,
        repeatable=True,
        callback=flatten_values,
        help="Headers for each of these requests, such as the key of an API: NAME=VALUE. Comma-separated, repeatable.",
    ),
    Flag(
        of=push_settings.OtlpSettings,
        name="otlp_resource_attributes",
        type=LABELS,
        section=PUSHING,
        repeatable=True,
        callback=flatten_values,
        help="What stands for this daemon there, beside service.name, service.instance.id and host.name, or instead of "
        "them: NAME=VALUE. Comma-separated, repeatable.",
    ),
    Flag(
        of=push_settings.OtlpSettings,
        name="otlp_compression",
        type=one_of(("gzip", "none")),
        section=PUSHING,
        help="How these requests are compressed.",
    ),
    Flag(
        of=push_settings.PushgatewaySettings,
        name="pushgateway_grouping",
        type=GROUPING,
        section=PUSHING,
        repeatable=True,
        callback=flatten_values,
        help="The labels of the grouping key beside the job: NAME=VALUE, or none; by default instance=HOST. "
        "Comma-separated, repeatable.",
    ),
    Flag(
        of=push_settings.PushgatewaySettings,
        name="pushgateway_method",
        type=one_of(("put", "post")),
        section=PUSHING,
        help="Whether a push replaces the whole group (put), or its metrics of the same names (post).",
    ),
    Flag(
        of=push_settings.PushgatewaySettings,
        name="pushgateway_delete_on_exit",
        type=BOOLEAN,
        section=PUSHING,
        help="Delete the group behind the last push when the daemon ends.",
    ),
    Flag(
        of=push_settings.TextfileSettings,
        name="textfile_path",
        type=PATH,
        section=PUSHING,
        help="Write the metrics to this file (*.prom) for the textfile collector of the node exporter.",
    ),
    Flag(
        of=push_settings.TextfileSettings,
        name="textfile_mode",
        type=MODE,
        section=PUSHING,
        help="The permissions of that file, in octal.",
    ),
)
