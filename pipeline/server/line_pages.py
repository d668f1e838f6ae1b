"""The pages with a line for each series: `/varz` for Borgmon, `/graphite` for Graphite."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.formats import LineOptions, graphite, varz
from pipeline.metrics import Snapshot
from pipeline.server.pages import Pages, answer_head

Write = Callable[[Snapshot, LineOptions, list[str]], Iterator[bytes]]


def list_line_routes(pages: Pages, options: LineOptions) -> list[Route]:
    """Return the routes of these pages, which take turns with the others of `pages`."""

    async def answer(request: Request, content_type: str, write: Write) -> Response:
        if request.method == "HEAD":
            return answer_head(request, content_type)
        problems: list[str] = []
        pieces = write(pages.take_snapshot(), options, problems)
        return await pages.answer_page(request, content_type, report_behind(pieces, pages, problems))

    async def answer_varz(request: Request) -> Response:
        return await answer(request, varz.CONTENT_TYPE, varz.write)

    async def answer_graphite(request: Request) -> Response:
        return await answer(request, graphite.CONTENT_TYPE, graphite.write)

    return [Route("/varz", answer_varz), Route("/graphite", answer_graphite)]


def report_behind(pieces: Iterator[bytes], pages: Pages, problems: list[str]) -> Iterator[bytes]:
    """Yield the pieces; what was found wrong in making them is logged behind the last."""
    yield from pieces
    pages.reporter.report(problems)
