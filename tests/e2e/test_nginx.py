"""nginx with the configuration that users copy, before our daemon: who is let in, and to what."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.counting import Counting, run_counting
from tests.e2e.web import CLIENT_CERTIFICATE, Web, run_nginx

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """Our daemon behind nginx."""

    counting: Counting
    web: Web


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for everything; the paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def counting(folder: Path) -> Iterator[Counting]:
    """Our daemon, with the program that counts."""
    with run_counting(folder, "--logs", f"{folder}/log.fifo") as counting:
        yield counting


@pytest.fixture(scope="module")
def web(counting: Counting) -> Iterator[Web]:
    """An nginx that asks for a password."""
    with run_nginx(counting.folder) as web:
        yield web


def test_only_our_pages_are_served(web: Web) -> None:
    """The metrics and whether all is well; nothing else, however it is spelled."""
    with web.connect() as client:
        status = {path: client.get(path).status_code for path in ("/metrics", "/-/healthy", "/-/ready", "/", "/json")}
    assert status == {"/metrics": 200, "/-/healthy": 200, "/-/ready": 200, "/": 404, "/json": 404}


def test_certificate_of_our_authority_is_let_in(counting: Counting) -> None:
    """And nobody without one."""
    with (
        run_nginx(counting.folder, CLIENT_CERTIFICATE) as web,
        web.connect(auth=None, certificate=web.client_certificate) as client,
        web.connect(auth=None) as stranger,
    ):
        assert (client.get("/metrics").status_code, stranger.get("/metrics").status_code) == (200, 400)
