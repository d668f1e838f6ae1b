"""The way over HTTP, before servers that answer, and servers that misbehave."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio

from pipeline import __version__
from pipeline.errors import PushError, SettingError
from pipeline.pushers.http import MAX_ANSWER_BYTES, Answer, HttpConnection
from tests.pushers.http_peer import Mischief, Reply, serving

NOW = 1_700_000_000 * 10**9

FAILURES = {
    Mischief.CLOSE_AT_ONCE: "it closed the connection without an answer, or its answer is not HTTP",
    Mischief.CLOSE_UNANSWERED: "it closed the connection without an answer, or its answer is not HTTP",
    Mischief.CLOSE_IN_ANSWER: "it closed the connection without an answer, or its answer is not HTTP",
    Mischief.NONSENSE: "it closed the connection without an answer, or its answer is not HTTP",
    Mischief.ENDLESS_HEADERS: "it closed the connection without an answer, or its answer is not HTTP",
    Mischief.RESET: "connection reset by peer",
}


async def post(connection: HttpConnection, body: bytes = b"body") -> Answer:
    """Send a request, and close the connection when there is no answer."""
    await connection.connect()
    try:
        return await connection.send("POST", body=body)
    except BaseException:
        with trio.CancelScope(shield=True):
            await connection.disconnect()
        raise


async def test_request_has_what_it_needs_and_no_more() -> None:
    """The password of the URL goes into a header, and no compression is asked for."""
    async with serving() as peer:
        connection = HttpConnection(peer.url.replace("//", "//me:s%40fe@") + "/a/b", {"x-key": "v"})
        assert "s%40fe" not in connection.url
        await post(connection)
        await connection.disconnect()
    (received,) = peer.received
    assert (received.method, received.target, received.body) == ("POST", "/a/b", b"body")
    assert received.headers == {
        "host": f"127.0.0.1:{peer.port}",
        "user-agent": f"syslog-pipeline/{__version__}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "x-key": "v",
        "authorization": "Basic bWU6c0BmZQ==",
        "content-length": "4",
    }


async def test_connection_is_kept_and_nothing_else() -> None:
    """A cookie is not sent back."""
    async with serving(Reply(headers={"set-cookie": "session=1"})) as peer:
        connection = HttpConnection(peer.url)
        for _ in range(3):
            await post(connection)
        await connection.disconnect()
    assert peer.connections == 1
    assert not any("cookie" in received.headers for received in peer.received)


@pytest.mark.parametrize("mischief", FAILURES)
async def test_mischief_is_a_failure_and_the_next_request_goes_well(mischief: Mischief) -> None:
    """Each with its reason."""
    async with serving(mischief, Reply(204)) as peer:
        connection = HttpConnection(peer.url)
        with pytest.raises(PushError) as caught:
            await post(connection)
        assert str(caught.value) == FAILURES[mischief]
        assert (await post(connection)).status == 204
        await connection.disconnect()


@pytest.mark.parametrize("mischief", [Mischief.CLOSE_UNANSWERED, Mischief.RESET])
async def test_kept_connection_may_have_been_closed(mischief: Mischief) -> None:
    """Then the request goes over a new one. The server is not to blame: it had been idle for long enough."""
    async with serving(Reply(200), mischief, Reply(204)) as peer:
        connection = HttpConnection(peer.url)
        assert [(await post(connection)).status for _ in range(2)] == [200, 204]
        await connection.disconnect()
    assert (peer.connections, [received.body for received in peer.received]) == (2, [b"body"] * 3)


async def test_request_is_sent_again_only_once() -> None:
    """Who hangs up on a new connection means it."""
    async with serving(Reply(200), Mischief.CLOSE_UNANSWERED) as peer:
        connection = HttpConnection(peer.url)
        await post(connection)
        with pytest.raises(PushError) as caught:
            await post(connection)
        assert str(caught.value) == FAILURES[Mischief.CLOSE_UNANSWERED]
    assert (peer.connections, len(peer.received)) == (2, 3)


async def test_server_that_repeats_a_secret_is_not_shown_doing_so() -> None:
    """Be it the key, the password or what they make in a header. Other words of an answer stay."""
    said = b"no 1 application/x-protobuf for tenant 1, key-of-api, s%40fe-key, s@fe-key or bWU6c0BmZS1rZXk="
    headers = {"authorization": "Bearer key-of-api", "x-tenant": "1", "content-type": "application/x-protobuf"}
    async with serving(Reply(401, said)) as peer:
        connection = HttpConnection(peer.url.replace("//", "//me:s%40fe-key@"), headers)
        answer = await post(connection)
        await connection.disconnect()
    assert answer.describe() == "it answered 401: no 1 application/x-protobuf for tenant 1, ***, ***, *** or ***"
    assert "key" not in repr(replace(answer, body=b""))


async def test_redirect_is_not_followed() -> None:
    """It is an answer like any other."""
    async with serving(Reply(307, headers={"location": "http://127.0.0.1:1/"})) as peer:
        connection = HttpConnection(peer.url)
        answer = await post(connection)
        assert (answer.status, answer.is_good) == (307, False)
        await connection.disconnect()
    assert len(peer.received) == 1


async def test_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be there for other programs, and would see what is pushed."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(Reply(204)) as peer:
        connection = HttpConnection(peer.url)
        assert (await post(connection)).status == 204
        await connection.disconnect()


async def test_endless_answer_is_not_read_to_its_end() -> None:
    """Its beginning is taken, and the connection is closed."""
    async with serving(Mischief.ENDLESS_BODY) as peer:
        connection = HttpConnection(peer.url)
        for _ in range(2):
            assert len((await post(connection)).body) == MAX_ANSWER_BYTES
        await connection.disconnect()
    assert peer.connections == 2


@pytest.mark.parametrize("mischief", [Mischief.HANG, Mischief.READ_NOTHING])
async def test_hanging_peer_can_be_left(mischief: Mischief) -> None:
    """Cancelling leaves no socket behind: pytest would tell."""
    async with serving(mischief) as peer:
        connection = HttpConnection(peer.url)
        with trio.move_on_after(0.1) as scope:
            await post(connection, b"x" * 20_000_000)
        assert scope.cancelled_caught


async def test_refusal_has_its_reason() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PushError, match=r"^connection refused$"):
        await post(HttpConnection(f"http://127.0.0.1:{port}/"))


async def test_server_that_knows_no_tls_is_told_of() -> None:
    """It hangs up."""
    async with serving(Mischief.NONSENSE) as peer:
        with pytest.raises(PushError, match=r"^TLS failed: UNEXPECTED_EOF_WHILE_READING$"):
            await post(HttpConnection(peer.url.replace("http:", "https:")))


async def test_slow_resolver_keeps_one_thread_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the same host again adds none."""
    answered, is_asked, asked = trio.Event(), trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    def ask(_host: object, _port: object, family: int, kind: int, protocol: int, flags: int) -> list[object]:
        if flags & socket.AI_NUMERICHOST:  # Trio asks this first, and waits for it
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        asked.append(1)
        token.run_sync_soon(is_asked.set)
        trio.from_thread.run(answered.wait, trio_token=token)
        raise socket.gaierror(socket.EAI_AGAIN, "not now")

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    connection = HttpConnection("http://slow.example.org/")
    for _ in range(3):
        with trio.move_on_after(0.05) as scope:
            await post(connection)
        assert scope.cancelled_caught
    await is_asked.wait()
    assert len(asked) == 1
    answered.set()
    with pytest.raises(PushError, match=r"^the host has no address$"):
        await post(connection)


async def test_sending_without_a_connection_is_a_failure() -> None:
    """Not a crash."""
    with pytest.raises(PushError):
        await HttpConnection("http://127.0.0.1:1/").send("GET")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_authority_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    """A missing file, and one without a certificate."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    reason = "no such file or directory" if content is None else "there is no certificate in it"
    with pytest.raises(SettingError) as caught:
        HttpConnection("https://127.0.0.1:1/", ca=path)
    assert str(caught.value) == f"--push_ca '{path}' cannot be used: {reason}."


@pytest.mark.parametrize("host", ["256.1.1.1", "a..b", "xn--a", "x" * 64, "caf\xe9..a"])
def test_host_that_has_no_name_stops_the_start(host: str) -> None:
    """Otherwise it would be known at the first request. No password is shown."""
    with pytest.raises(SettingError) as caught:
        HttpConnection(f"http://me:secret@{host}:1/x")
    assert str(caught.value) == f"The URL http://{host}:1/x cannot be used: its host has no valid name."


@pytest.mark.parametrize(
    "host", ["localhost", "a_b-c.example.", "caf\xe9.example", "xn--caf-dma.example", "[fe80::1%eth0]"]
)
def test_host_that_may_have_an_address_is_good(host: str) -> None:
    """Whether it has one is asked for at each connection."""
    assert HttpConnection(f"http://{host}:1/").url == f"http://{host}:1/"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("9" * 400, 0.0),
        ("٣", 0.0),
    ],
)
def test_pause_that_a_server_asks_for(value: str, seconds: float) -> None:
    """In seconds or as a date; nonsense is none."""
    assert Answer(503, httpx.Headers([(b"retry-after", value.encode())]), b"").find_pause(NOW) == seconds


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "it answered 503"),
        (b" full \nmore", "it answered 503: full"),
        (b"\x1b[31mred\xff", "it answered 503: \ufffd[31mred\ufffd"),
        (b"x" * 1000, "it answered 503: " + "x" * 400),
        (b"<html>\r\n<head><TITLE>\n 503 Not now</title>", "it answered 503: 503 Not now"),
        (b"<html>\r\nno title", "it answered 503: <html>"),
        (b"no page <title>at all</title>", "it answered 503: no page <title>at all</title>"),
    ],
)
def test_answer_is_shown_safely(body: bytes, text: str) -> None:
    """Its first line, printable and short."""
    assert Answer(503, httpx.Headers(), body).describe() == text
