"""Remote write of Prometheus: the same series that a scrape gives, as the messages of version 1.0 and 2.0.

`Writer` makes requests of a snapshot. Snappy, headers and answers are the business of who sends them.
"""

from __future__ import annotations

from pipeline.formats.prometheus.remote_write.message import Message, Request
from pipeline.formats.prometheus.remote_write.version1 import Message1
from pipeline.formats.prometheus.remote_write.version2 import Message2
from pipeline.formats.prometheus.remote_write.writer import Writer

__all__ = ["Message", "Message1", "Message2", "Request", "Writer"]
