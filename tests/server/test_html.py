"""All pages for people: nothing on them is more than text; and what answers for them, over a real unix socket."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import unquote_to_bytes, urljoin

import httpx
import pytest
import trio
from starlette.types import ASGIApp

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Store
from pipeline.server import (
    Answers,
    DaemonStatus,
    FailureStatus,
    Listing,
    MetricStatus,
    PatternStatus,
    ProgramDetails,
    ProgramState,
    ProgramStatus,
    PushStatus,
    ReloadStatus,
    SeriesStatus,
    SourceState,
    SourceStatus,
    StateStatus,
    Status,
    UnknownProgram,
    make_app,
)
from pipeline.server.html import TEMPLATES, load_templates
from pipeline.server.listing import LINES_PER_PAGE
from tests.server.status_pages import DETAILS, EVIL, NOW, STATUS, Outline, read_text, serving, show_program


def test_templates_are_those_of_the_run(tmp_path: Path) -> None:
    """An upgrade on the disk does not reach the daemon that runs: new templates ask for what old code does not give."""
    for template in TEMPLATES.iterdir():
        (tmp_path / template.name).write_bytes(template.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_templates().loader, "searchpath", [str(tmp_path)])
        environment = load_templates().overlay()
        before = environment.get_template("unknown.html").render(unknown=UnknownProgram(), name="x", folder="")
        (tmp_path / "unknown.html").write_text("{{ what_only_new_code_gives }}")
        os.utime(tmp_path / "unknown.html", (1, 1))
        after = environment.get_template("unknown.html").render(unknown=UnknownProgram(), name="x", folder="")
    assert before == after


async def test_everything_is_escaped(tmp_path: Path) -> None:
    """Whoever names a file or writes a log line puts nothing into a page but text."""
    evil = EVIL
    failure = FailureStatus(evil, evil, 1, 1, evil, evil, evil, NOW)
    program = ProgramStatus(evil, ProgramState.OUTDATED, evil, last_failure=failure, bound_to=(evil,))
    status = Status(
        DaemonStatus(
            host=evil,
            programs_path=evil,
            now=NOW,
            reload=ReloadStatus(failure=evil),
            state=StateStatus(evil, 1, 1, is_failing=True),
        ),
        Listing((program,)),
        Listing((SourceStatus(evil, SourceState.FAILING, evil, connections=1, losses=(evil,)),)),
        (PushStatus(evil, evil, 1, failure=evil, time=NOW, problems=Listing((evil,))),),
    )
    metric = MetricStatus(
        evil,
        evil,
        (evil,),
        1,
        evil,
        evil,
        series=1,
        limit=evil,
        notes=(evil,),
        losses=(evil,),
        newest=Listing((SeriesStatus(evil, evil, 1),)),
    )
    details = ProgramDetails(
        program,
        NOW,
        loaded=NOW,
        warnings=Listing((evil,)),
        text=evil,
        patterns=Listing((PatternStatus(1, 1, evil, evil, evil),)),
        guard=evil,
        metrics=Listing((metric,)),
    )
    async with serving(tmp_path, status, {evil: details}) as client:
        first = await client.get("/")
        (link,) = {link.partition("#")[0] for link in Outline(first.text).links if link.startswith("program/")}
        assert os.fsdecode(unquote_to_bytes(link.removeprefix("program/"))) == evil
        second = await client.get(f"/{link}")
        empty = await client.get(f"/{link}x")
    assert [answer.status_code for answer in (first, second, empty)] == [200, 200, 404]
    for answer in (first, second, empty):
        body = answer.content.decode().partition("<body>")[2]
        assert set(Outline(answer.text).tags).isdisjoint({"script", "img", "iframe"})
        assert "<script" not in body
        assert "alert(1)&lt;/script&gt;" in body
        assert not set(body) & {"\u202e", "\x1b", "\0", "\udcff"}
        assert "{{ 7 * 7 }}" in body


async def test_pages_are_read_one_in_a_round_of_the_loop() -> None:
    """However many ask: lines are read in between."""
    rounds: list[int] = []
    count = 0

    def read_status() -> Status:
        rounds.append(count)
        return STATUS

    def read_program(_name: str) -> ProgramDetails:
        rounds.append(count)
        return DETAILS

    app = make_app(Answers(Store().snapshot, read_status, lambda: True, read_program), PrometheusOptions())
    transport = httpx.ASGITransport(app=cast("ASGIApp", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client, trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(client.get, ("/", "/program/a.mtail")[number % 2])
        while len(rounds) < 20:
            await trio.lowlevel.checkpoint()
            count += 1
    # Trio shuffles the tasks of a round: the last of one and the first of the next can see the same number.
    assert Counter(rounds).most_common(1)[0][1] <= 2


async def test_name_of_a_program_is_found_whatever_bytes_it_has(tmp_path: Path) -> None:
    """Slashes excepted, a file may be called anything."""
    names = [
        "a b.mtail",
        "ü.mtail",
        "\udcff\udce9.mtail",
        "a\nb.mtail",
        "%41.mtail",
        "?#.mtail",
        "a:b+c&d=;.mtail",
        "..x.mtail",
    ]
    programs = {name: replace(DETAILS, program=ProgramStatus(name, ProgramState.RUNNING)) for name in names}
    status = Status(programs=Listing(tuple(one.program for one in programs.values())))
    async with serving(tmp_path, status, programs) as client:
        links = [link for link in Outline((await client.get("/")).text).links if link.startswith("program/")]
        answers = [await client.get(f"/{link}") for link in links]
    assert [answer.status_code for answer in answers] == [200] * len(names)
    titles = [re.findall("<title>(.*?) – syslog-pipeline</title>", answer.text, re.DOTALL) for answer in answers]
    assert titles[0] == ["a b.mtail"]
    assert titles[2] == ["\ufffd\ufffd.mtail"]
    assert titles[4] == ["%41.mtail"]


SPELLED, SLASHED = b"/%70rogram/a%20b.mtail", b"/program%2fx"
"""Both are below `/program/` to who reads them (RFC 3986 section 2.3), the second without a name."""


async def test_program_that_there_is_not_is_404_and_names_others(tmp_path: Path) -> None:
    """HEAD too."""
    async with serving(tmp_path, STATUS, {"a b.mtail": DETAILS}) as client:
        answer, head = await client.get("/program/x/y.mtail"), await client.head("/program/x")
        nothing = await client.get("/program/")
        post = await client.post("/program/a%20b.mtail")
        spelled = [await client.get(httpx.URL("http://x", raw_path=path)) for path in (SPELLED, SLASHED)]
    assert [one.status_code for one in spelled] == [200, 404]
    assert (answer.status_code, head.status_code, nothing.status_code, post.status_code) == (404, 404, 404, 405)
    assert head.content == b""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no program x/y.mtail . Those that there are a b.mtail" in read_text(answer.text)
    links = [urljoin(str(answer.url), link) for link in Outline(answer.text).links]
    assert links[-3:] == [f"http://x/{link}" for link in ("", "#programs", "program/a%20b.mtail")]
    assert "There is none at all." in read_text(show_program(UnknownProgram()))


async def test_pages_answer_head_and_pages_of_text(tmp_path: Path) -> None:
    """What is no number asks for the first page."""
    text = "".join(f"# {number}\n" for number in range(2 * LINES_PER_PAGE))
    async with serving(tmp_path, STATUS, {"a.mtail": replace(DETAILS, text=text)}) as client:
        heads = [await client.head(path) for path in ("/", "/program/a.mtail")]
        queries = ("", "?page=2", "?page=x", "?page=-1", "?page=9999999999", "?page=%D9%A2")
        pages = [(await client.get(f"/program/a.mtail{query}")).text for query in queries]
    assert [(head.status_code, head.content, head.headers["content-type"]) for head in heads] == [
        (200, b"", "text/html; charset=utf-8")
    ] * 2
    assert [f'id="L{LINES_PER_PAGE + 1}"' in page for page in pages] == [False, True, False, False, False, False]


async def test_page_is_loaded_again_only_where_that_is_asked_for(tmp_path: Path) -> None:
    """And says how to stop it."""
    async with serving(tmp_path, STATUS) as client:
        answers = [await client.get(f"/{query}") for query in ("", "?refresh=10", "?refresh=1", "?refresh=x")]
        head = await client.head("/?refresh=10")
    assert [answer.headers.get("refresh") for answer in answers] == [None, "10", None, None]
    assert head.headers.get("refresh") == "10"
    assert "?refresh=10" in Outline(answers[0].text).links
    assert "This page is loaded again every 10 s: stop that ." in read_text(answers[1].text)
    assert [("./" in Outline(answer.text).links) for answer in answers] == [False, True, False, False]
