"""The endpoint `http`: forms of the body, who we say we are, and that no secret is shown."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline.endpoint_settings import HttpEndpointSettings
from pipeline.errors import SettingError
from tests.metlog.endpoints.messages import NOW, make_message, make_numbered
from tests.metlog.endpoints.running import make, opened, send_all, write_secret
from tests.pushers.http_peer import HttpPeer, Mischief, Reply, serving

TOKEN = "a-token-of-some-length"

MESSAGES = [make_message(payload="ü\n\u2028", fields={"big": 2**63, "x": 1e300}), make_message(payload="")]


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("format_", ["array", "lines"])
async def test_envelopes_are_sent_as_they_came(format_: str, compression: str) -> None:
    """Byte for byte, in one JSON array or a line for each."""
    async with serving() as peer:
        settings = HttpEndpointSettings(
            url=f"{peer.url}/in", format=format_, compression=compression, headers=(("X-Scope", "logs"),)
        )
        async with opened(settings) as endpoint:
            endpoint.take(MESSAGES, NOW)
            await send_all(endpoint)
    (received,) = peer.received
    assert (received.method, received.target, received.headers["x-scope"]) == ("POST", "/in", "logs")
    assert received.headers.get("content-encoding", "none") == compression
    body = gzip.decompress(received.body) if compression == "gzip" else received.body
    lines = [message.line for message in MESSAGES]
    if format_ == "array":
        assert received.headers["content-type"] == "application/json"
        assert body == b"[" + b",".join(lines) + b"]"
        assert json.loads(body) == [json.loads(line) for line in lines]
    else:
        assert received.headers["content-type"] == "application/x-ndjson"
        assert body == b"".join(line + b"\n" for line in lines)


async def test_token_and_password_go_into_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or a variable, and nowhere else."""
    monkeypatch.setenv("OUR_PASSWORD", "pass:word")
    async with serving() as peer:
        for settings in (
            HttpEndpointSettings(url=peer.url, token_file=write_secret(tmp_path, TOKEN)),
            HttpEndpointSettings(url=peer.url, user="me", password_variable="OUR_PASSWORD"),  # noqa: S106 - a name
        ):
            async with opened(settings) as endpoint:
                endpoint.take(make_numbered([1]), NOW)
                await send_all(endpoint)
    assert [received.headers["authorization"] for received in peer.received] == [
        f"Bearer {TOKEN}",
        f"Basic {b64encode(b'me:pass:word').decode()}",
    ]


@pytest.mark.parametrize("kind", ["token", "password"])
async def test_no_secret_is_shown(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the server says it: neither one that we read nor one that is in the settings."""
    monkeypatch.setenv("OURS", TOKEN)
    secrets = [TOKEN, "k3y-of-mine"] + ([b64encode(f"me:{TOKEN}".encode()).decode()] if kind == "password" else [])
    async with serving(Reply(500, f"who is {' '.join(secrets)}?".encode())) as peer:
        keys = {"user": "me", "password_variable": "OURS"} if kind == "password" else {"token_variable": "OURS"}
        settings = HttpEndpointSettings(url=peer.url, headers=(("K", "k3y-of-mine"),), **keys)  # type: ignore[arg-type]
        async with opened(settings) as endpoint:
            endpoint.take(make_numbered([1]), NOW)
            assert not await endpoint.attempt()
            shown = f"{endpoint.counts} {settings} {endpoint.address} {caplog.text}"
    assert endpoint.counts.last_failure == f"it answered 500: who is {' '.join('***' for _ in secrets)}?"
    assert not [secret for secret in secrets if secret in shown]


WRONG = [
    ({"url": "ftp://x"}, "--url must be http:// or https:// with a host, and perhaps a port and a path."),
    (
        {"url": "http://me:secret@x"},
        "url must have no password in it: use user, with password_variable or password_file.",
    ),
    ({"format": "xml"}, "format must be one of array, lines, not 'xml'."),
    ({"compression": "br"}, "compression must be one of none, gzip, not 'br'."),
    ({"headers": (("Authorization", "x"),)}, "--headers: the header authorization is not for you to set."),
    ({"user": "a:b", "password_variable": "P"}, "user must be printable and have no colon."),
    ({"user": "me"}, "user and a password (password_variable or password_file) are given together."),
    ({"password_variable": "P"}, "user and a password (password_variable or password_file) are given together."),
    (
        {"token_variable": "T", "token_file": Path("/t")},
        "token_variable and token_file do not go together.",
    ),
    (
        {"token_variable": "T", "user": "me", "password_variable": "P"},
        "token and password do not go together: a request has one authorization.",
    ),
    ({"token_variable": "a b"}, "token_variable must be the name of a variable of the environment."),
    ({"deadline_seconds": 0.0}, "deadline must be more than 0."),
    ({"batch_delay_seconds": -1.0}, "batch_delay must not be negative."),
    ({"batch_messages": 0}, "--batch_messages must be at least 1, not 0."),
    ({"spool_bytes": 1000}, "--spool_bytes must be at least 1048576, not 1000."),
    ({"spool_fsync": "often"}, "spool_fsync must be one of always, interval, never, not 'often'."),
]


@pytest.mark.parametrize(("settings", "text"), WRONG, ids=range(len(WRONG)))
def test_wrong_settings_are_refused(settings: dict[str, object], text: str) -> None:
    """In one sentence, which shows no secret. Who reads the file says where it stands."""
    with pytest.raises(SettingError) as caught:
        HttpEndpointSettings(**{"url": "http://x", **settings})  # type: ignore[arg-type] # wrong on purpose
    assert str(caught.value) == text


def test_missing_secrets_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place where they should be."""
    (tmp_path / "empty").touch()
    (tmp_path / "blank").write_text("two words\n")
    monkeypatch.setenv("ENDED", "line\r\nX-Other: header")
    of = "The token of metlog endpoint it"
    absent = tmp_path / "absent"
    for settings, text in (
        ({"token_variable": "NOT_SET"}, f"{of} is to be in the variable NOT_SET, which is not set."),
        ({"token_variable": "ENDED"}, f"{of} has characters that no header has."),
        ({"token_file": absent}, f"{of} cannot be read from {absent}: no such file or directory."),
        ({"token_file": tmp_path / "empty"}, f"{of} is to be in the file {tmp_path}/empty, which is empty."),
        ({"token_file": tmp_path / "blank"}, f"{of} has characters that no header has."),
    ):
        with pytest.raises(SettingError) as caught:
            make(HttpEndpointSettings(url="http://x", **settings))
        assert str(caught.value) == text


def test_authority_that_is_none_is_told(tmp_path: Path) -> None:
    """With the name of the setting that is meant."""
    with pytest.raises(SettingError) as caught:
        make(HttpEndpointSettings(url="https://x", ca=tmp_path / "none"))
    assert str(caught.value) == f"metlog.endpoint.it.ca '{tmp_path}/none' cannot be used: no such file or directory."


HTML = {"content-type": "text/html; charset=utf-8"}
ANSWERS = {
    "empty": (Reply(204, headers=HTML), True),
    "text": (Reply(200, b"ok", HTML), True),
    "page": (Reply(200, "\ufeff<!doctype html>".encode(), HTML), False),
    "page that says nothing of it": (Reply(200, b"  <html>"), False),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_answer_that_says_html_by_default_is_good(what: str) -> None:
    """As those of many a small server; a page of a network that wants a password first is not."""
    reply, is_good = ANSWERS[what]
    async with serving(reply) as peer, opened(HttpEndpointSettings(url=peer.url)) as endpoint:
        endpoint.take(make_numbered([1]), NOW)
        assert await endpoint.attempt() is is_good
        assert endpoint.counts.delivered == is_good


class SlowPeer(HttpPeer):
    """Needs more time for many messages than anybody has."""

    def pass_on(self) -> Reply | Mischief:
        return Mischief.HANG if len(json.loads(self.received[-1].body)) > 4 else Reply()


async def test_slow_server_gets_fewer_messages_at_once(patient_clock: MockClock) -> None:
    """Until it takes them in time; else it would get the same ones for ever."""
    peer = SlowPeer()
    async with opened(HttpEndpointSettings(url=peer.url)) as endpoint, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, peer.serve, [peer.listener])
        endpoint.take(make_numbered(range(8)), NOW)
        assert not await endpoint.attempt()
        assert await endpoint.attempt()
        assert await endpoint.attempt()
        assert [len(json.loads(received.body)) for received in peer.received] == [8, 4, 4]
        assert endpoint.counts.delivered == 8
        nursery.cancel_scope.cancel()
