"""The pages for people: `/`, and one for each program. No script, nothing from elsewhere, nothing that can be changed.

Whatever stands on them is cleaned and escaped where it is put in (`clean`, Jinja's autoescape): names of files and
texts come from strangers.
"""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline import __version__
from pipeline.server.figures import FILTERS, clean
from pipeline.server.listing import list_text, spell_place
from pipeline.server.pages import Pages, answer_head
from pipeline.server.status import ProgramDetails, Status, UnknownProgram
from pipeline.server.status_values import MAX_PROBLEMS, Listing
from pipeline.server.troubles import find_troubles

PRODUCT = "syslog-pipeline"
TEMPLATES = Path(__file__).parent / "templates"
CONTENT_TYPE = "text/html; charset=utf-8"

REFRESH_SECONDS = 10
"""A page that is loaded again by itself is a nuisance to who reads with a screen reader: it is only where it is asked
for, and says how to stop it (WCAG 2.2.1)."""

PIECE_CHARACTERS = 8 * 1024
"""Made at once: 0.5 ms. A page with all that there may be has 500 KB and takes 40 ms (measured)."""

ReadStatus: TypeAlias = Callable[[], Status]
ReadProgram: TypeAlias = Callable[[str], ProgramDetails | UnknownProgram]


class AnyText(Convertor[str]):
    """The rest of a path, line feeds included: names of files have them."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return it as it is."""
        return value


register_url_convertor("any", AnyText())


def list_html_routes(pages: Pages, read_status: ReadStatus, read_program: ReadProgram) -> list[Route]:
    """Return the routes of these pages, which take turns with the others of `pages`."""

    async def answer_html(request: Request, pieces: Iterator[bytes]) -> Response:
        if request.method == "HEAD":
            return answer_head(request, CONTENT_TYPE)
        return await pages.answer_page(request, CONTENT_TYPE, pieces)

    async def answer_status(request: Request) -> Response:
        is_refreshed = request.query_params.get("refresh") == str(REFRESH_SECONDS)
        async with pages.turn:
            pieces = write_status(read_status(), is_refreshed=is_refreshed)
        answer = await answer_html(request, pieces)
        if is_refreshed:
            answer.headers["Refresh"] = str(REFRESH_SECONDS)
        return answer

    async def answer_program(request: Request) -> Response:
        name = read_name(request.scope["raw_path"])
        async with pages.turn:
            details = read_program(name)
            pieces = write_program(details, read_page(request), name, find_folder(request.scope["raw_path"]))
        answer = await answer_html(request, pieces)
        answer.status_code = 404 if isinstance(details, UnknownProgram) else 200
        return answer

    return [Route("/", answer_status), Route("/program/{name:any}", answer_program)]


def cut_name(raw_path: bytes) -> bytes:
    """Return the name of a program as the path of a request spells it: `/program/NAME`, or `/%70rogram/NAME`."""
    return raw_path.partition(b"?")[0].removeprefix(b"/").partition(b"/")[2]


def read_name(raw_path: bytes) -> str:
    """Return the name of a program that the path of a request spells; its bytes need not be UTF-8."""
    return os.fsdecode(unquote_to_bytes(cut_name(raw_path)))


def find_folder(raw_path: bytes) -> str:
    """Return the way to the folder of the pages of programs, from where a browser takes the page to be."""
    return "../" * cut_name(raw_path).count(b"/")


def read_page(request: Request) -> int:
    """Return which page of a program's text is asked for; what cannot be one asks for the first."""
    page = request.query_params.get("page", "")
    return int(page) if re.fullmatch("[0-9]{1,6}", page) else 1


def write_status(status: Status, *, is_refreshed: bool = False) -> Iterator[bytes]:
    """Yield the first page in pieces."""
    failures = [program.last_failure for program in status.programs.rows if program.last_failure is not None]
    return write_page(
        "status.html",
        status=status,
        troubles=find_troubles(status),
        failures=Listing.cut(sorted(failures, key=lambda failure: -failure.time), MAX_PROBLEMS),
        refresh=REFRESH_SECONDS if is_refreshed else 0,
        refresh_seconds=REFRESH_SECONDS,
    )


def write_program(
    details: ProgramDetails | UnknownProgram, page: int = 1, name: str = "", folder: str = ""
) -> Iterator[bytes]:
    """Yield the page of a program in pieces, or the page that says that there is none of this name.

    A path that leads to none may have slashes; `folder` leads back to where the others are.
    """
    if isinstance(details, UnknownProgram):
        return write_page("unknown.html", unknown=details, name=name, folder=folder)
    return write_page("program.html", details=details, listing=list_text(details, page))


def write_page(template: str, **values: object) -> Iterator[bytes]:
    """Yield a page in pieces of some `PIECE_CHARACTERS`, an empty one behind each: others have their turn then."""
    parts: list[str] = []
    size = 0
    for part in load_templates().get_template(template).generate(**values):
        parts.append(part)
        size += len(part)
        if size >= PIECE_CHARACTERS:
            yield "".join(parts).encode()
            yield b""
            parts, size = [], 0
    yield "".join(parts).encode()


@cache
def load_templates() -> Environment:
    """Return what makes pages; it escapes whatever is put into them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=clean,
        auto_reload=False,  # an upgrade puts new ones on the disk, which are for the next run
    )
    environment.filters.update(FILTERS, place=spell_place)
    environment.globals.update(product=PRODUCT, version=__version__, style=read_style())
    return environment


@cache
def read_style() -> Markup:
    """Return the style sheet, which is ours and needs no escaping."""
    return Markup((TEMPLATES / "status.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


@cache
def make_content_policy() -> str:
    """Return what a browser may do with any answer: use our style sheet, and nothing else."""
    digest = b64encode(hashlib.sha256(read_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
