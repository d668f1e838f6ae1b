"""The pages of metrics: made for each scrape, in turns with everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import trio
from starlette.requests import Request
from starlette.responses import Response

from pipeline.formats import PrometheusOptions, json, prometheus
from pipeline.metrics import Snapshot
from pipeline.server.negotiation import choose_variant
from pipeline.server.slices import SlicedResponse, compress, gather, take_slice, take_step

logger = logging.getLogger(__name__)

MAX_REPORTED_PROBLEMS = 100

VARY = "Accept-Encoding"
METRICS_VARY = f"Accept, {VARY}"
"""What a cache has to compare before it gives a page to another client."""


class Pages:
    """Answers scrapes, and keeps what they have in common."""

    def __init__(self, take_snapshot: Callable[[], Snapshot], options: PrometheusOptions) -> None:
        self.take_snapshot = take_snapshot
        self.metrics = prometheus.Page(options)
        self.reporter = ProblemReporter()
        self.refreshing = trio.Lock()
        self.turn = trio.Lock()
        """Whoever has it may take one step."""

    async def answer_metrics(self, request: Request) -> Response:
        """Return the families that the parameters `name[]` name, all if there are none, in the form asked for."""
        variant, escaping = choose_variant(",".join(request.headers.getlist("accept")))
        content_type = variant.spell_content_type(escaping)
        if request.method == "HEAD":
            return answer_head(request, content_type, METRICS_VARY)
        async with self.refreshing:
            names = variant.list_names(request.query_params.getlist("name[]"))
            steps = self.metrics.refresh(self.take_snapshot(), names)
            while await take_step(steps, self.turn, "end") != "end":
                pass
            pieces = self.metrics.write(variant)
            self.reporter.report(self.metrics.problems)
        return await self.answer_page(request, content_type, pieces, METRICS_VARY)

    async def answer_json(self, request: Request) -> Response:
        """Return all metrics as JSON."""
        if request.method == "HEAD":
            return answer_head(request, json.CONTENT_TYPE)
        return await self.answer_page(request, json.CONTENT_TYPE, json.write(self.take_snapshot()))

    async def answer_page(
        self, request: Request, content_type: str, pieces: Iterator[bytes], vary: str = VARY
    ) -> Response:
        """Return the page, compressed if the client takes that. One of several slices is sent while it is made."""
        headers = make_headers(request, content_type, vary)
        slices = gather(pieces)
        first = await take_slice(slices, self.turn)
        second = await take_slice(slices, self.turn)
        body: Iterator[bytes] = chain((first, second), slices)
        if "Content-Encoding" in headers:
            body = compress(body)
        return SlicedResponse(body, self.turn, headers) if second else Response(b"".join(body), headers=headers)


def make_headers(request: Request, content_type: str, vary: str) -> dict[str, str]:
    """Return the headers of a page, but for its length; one that names an encoding is to be compressed."""
    headers = {"Content-Type": content_type, "Vary": vary}
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
    return headers


def answer_head(request: Request, content_type: str, vary: str = VARY) -> Response:
    """Return the headers of a page that is not made, so that its length is not known."""
    response = Response(headers=make_headers(request, content_type, vary))
    del response.headers["content-length"]
    return response


def accepts_gzip(header: str) -> bool:
    """Tell whether an `Accept-Encoding` header (RFC 9110 section 12.5.3) allows gzip."""
    weights = {}
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        weights[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))


class ProblemReporter:
    """Logs what a page had to leave out: each thing once, and only so many, since label values are a stranger's."""

    def __init__(self) -> None:
        self.reported: set[str] = set()

    def report(self, problems: Iterable[str]) -> None:
        """Log what is new."""
        for problem in problems:
            if problem not in self.reported and len(self.reported) < MAX_REPORTED_PROBLEMS:
                self.reported.add(problem)
                logger.warning("%s", problem)
