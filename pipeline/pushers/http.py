"""One way over HTTP for all destinations that speak it: a connection that is kept, and answers that are not trusted.

The schedule limits the time. No redirect is followed, no proxy of the environment is used, no cookie is kept. Of an
answer no more than `MAX_ANSWER_BYTES` is read; the connection is closed when there is more.
"""

from __future__ import annotations

import email.utils
import errno
import os
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
import trio

from pipeline import __version__
from pipeline.errors import PushError, SettingError, describe_os_error
from pipeline.setting_checks import RESERVED_HEADERS

# Errors are some hundred bytes; what is beyond this nobody reads.
MAX_ANSWER_BYTES = 64 * 1024
# A Pushgateway names the series that it does not like before it says why.
MAX_SHOWN_CHARACTERS = 400

# Keys and passwords are not shorter; a word that is, such as `1`, stands in answers by chance.
MIN_SECRET_CHARACTERS = 6
HIDDEN = "***"

PAGE_TYPES = ("text/html", "application/xhtml+xml")
TITLE = re.compile(rb"<title>([^<]*)</title>", re.IGNORECASE)
"""What a page says in short; its first line says `<html>`."""

PASSING = (408, 425, 429)
"""Refusals that are not about what was sent, of those from 400 to 499."""

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination has answered; `body` is its beginning."""

    status: int
    headers: httpx.Headers
    body: bytes
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the request had in its headers. A server may repeat it, and is not shown doing so."""

    @property
    def is_good(self) -> bool:
        """Whether it says that all is well."""
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people: of a network that wants a password first, or of the wrong server.

        That it is HTML many a server says by default of an answer that is empty, or `ok`.
        """
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return self.body.lstrip()[:1] == b"<" or (content_type in PAGE_TYPES and b"<" in self.body)

    def describe(self) -> str:
        """Return what it says, for the end of a sentence, in printable characters and not too long."""
        title = TITLE.search(self.body) if self.is_page else None
        said = self.body if title is None else title[1]
        text = said.decode("utf-8", "replace").strip().partition("\n")[0].strip()
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        shown = "".join(char if char.isprintable() else "\ufffd" for char in text[:MAX_SHOWN_CHARACTERS])
        answer = f"it answered {self.status}"
        return f"{answer}: {shown}" if shown else answer

    def make_error(self, now: int) -> PushError:
        """Return the failure that it tells of. `now` is in ns since 1970."""
        is_final = 300 <= self.status < 500 and self.status not in PASSING
        return PushError(self.describe(), self.find_pause(now), is_final=is_final)

    def find_pause(self, now: int) -> float:
        """Return how many seconds it asks to be left alone (RFC 9110 section 10.2.3); 0 if it does not.

        `now` is in ns since 1970.
        """
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit() and len(value) < 10:
            return float(value)
        try:
            return max(email.utils.parsedate_to_datetime(value).timestamp() - now / NANOSECONDS, 0.0)
        except (ValueError, OverflowError):
            return 0.0


class HostResolver(trio.abc.HostnameResolver):
    """Asks the system, with one thread for each host: one that does not answer does not take up all there are."""

    def __init__(self) -> None:
        self.limiters: dict[object, trio.CapacityLimiter] = {}

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name is Trio's
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Return the addresses of a host, as `socket.getaddrinfo` does."""
        ask = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        limiter = self.limiters.setdefault(host, trio.CapacityLimiter(1))
        return await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=limiter)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:  # noqa: ANN401 - as in Trio
        """Return the name of an address, which nobody here asks for."""
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


RESOLVER = HostResolver()
"""For all destinations: their hosts are those of the settings, and so are few."""


class Body(httpx.AsyncByteStream):
    """The body of a request. That of httpx is an async generator, which is left open when a request is cut short."""

    def __init__(self, data: bytes) -> None:
        self.rest = [data] if data else []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.rest:
            raise StopAsyncIteration
        return self.rest.pop()


class HttpConnection:
    """The way to one server. `url` may name a user and a password, which go into a header and nowhere else."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, ca: Path | None = None, ca_name: str = "--push_ca"
    ) -> None:
        """Trust the authority in the file `ca`, or those of the system; `SettingError` if there is none in it.

        Also for a URL whose host can be none. `ca_name` is what the setting of that file is called.
        """
        self.url, self.auth = split_credentials(url)
        self.secrets = list_secrets(url, headers or {})
        self.headers = {
            "user-agent": f"syslog-pipeline/{__version__}",
            "accept-encoding": "identity",
            **{name.lower(): value for name, value in (headers or {}).items()},
        }
        require_host(self.url)
        self.context = make_context(self.url, ca, ca_name)
        self.client: httpx.AsyncClient | None = None
        self.is_reached = False
        """There is a connection for the last request."""
        self.is_kept = False
        """It was there before that request."""

    async def connect(self) -> None:
        """Have a client. Its connection is made by the first request, or is there from the last."""
        trio.socket.set_custom_hostname_resolver(RESOLVER)
        if self.client is None:
            self.client = httpx.AsyncClient(
                auth=self.auth,
                headers=self.headers,
                verify=self.context,
                timeout=None,  # noqa: S113 - the schedule limits the time of a push as a whole
                trust_env=False,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
            )

    async def send(
        self, method: str, url: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to one request, by default to the URL of the settings.

        `PushError` if there is none, or a page for people that says that all is well: it has taken nothing.
        """
        client = self.client
        if client is None:
            raise PushError("there is no connection")
        # A cookie would be a state that a destination keeps with us.
        client.cookies.clear()
        try:
            response = await self.request(client, method, url or self.url, body, headers or {})
            try:
                answer = Answer(response.status_code, response.headers, await read_beginning(response), self.secrets)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, ValueError) as error:
            raise PushError(describe_http_error(error)) from error
        if answer.is_good and answer.is_page:
            raise PushError(f"{answer.describe()}, which is a page for people")
        return answer

    async def request(
        self, client: httpx.AsyncClient, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Return the answer to a request, as yet without its body.

        A server may close a kept connection at any moment. A request that meets this is sent again, once, over a new
        one (RFC 9112 section 9.3.1). What was taken all the same is then sent twice, which changes nothing: it has
        its time, or takes the place of what was there.
        """
        length = {"content-length": str(len(body))} if body or method != "GET" else {}
        request = client.build_request(method, url, headers={**length, **headers}, extensions={"trace": self.trace})
        request.stream = Body(body)
        self.is_kept = True
        try:
            return await client.send(request, stream=True)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if not self.is_kept:
                raise
        request.stream = Body(body)
        return await client.send(request, stream=True)

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        """Note what becomes of the connection, as httpx tells it."""
        if event == "connection.connect_tcp.started":
            self.is_kept = self.is_reached = False
        elif event == "connection.connect_tcp.complete":
            self.is_reached = True

    async def disconnect(self) -> None:
        """Close the connection."""
        client, self.client = self.client, None
        if client is not None:
            await client.aclose()


async def read_beginning(response: httpx.Response) -> bytes:
    """Return the beginning of the body of an answer, as it came."""
    body = b""
    with trio.CancelScope() as scope:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) >= MAX_ANSWER_BYTES:
                scope.cancel()  # so that each of the generators below ends by itself, which `break` would leave open
    return body[:MAX_ANSWER_BYTES]


def split_credentials(url: str) -> tuple[str, httpx.BasicAuth | None]:
    """Return `url` without user and password, and these."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, httpx.BasicAuth(user, password) if user or password else None


def require_host(url: str) -> None:
    """Raise `SettingError` when the host of a URL is none that can be asked for: `http://256.1.1.1`, `http://a..b`."""
    try:
        host = httpx.Request("GET", url).url.raw_host.decode()
        host.encode("idna")  # as Python's socket module does it
    except (httpx.InvalidURL, ValueError) as error:
        raise SettingError(f"The URL {url} cannot be used: its host has no valid name.") from error


def list_secrets(url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what nobody is to see of a URL and of headers, the longest first: one may be a part of another."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    values = [value for name, value in headers.items() if name.lower() not in RESERVED_HEADERS]
    words = [
        *" ".join(values).split(),
        parts.password or "",
        password,
        b64encode(f"{user}:{password}".encode()).decode(),
    ]
    return tuple(sorted({word for word in words if len(word) >= MIN_SECRET_CHARACTERS}, key=len, reverse=True))


def make_context(url: str, ca: Path | None, ca_name: str) -> ssl.SSLContext:
    """Return whom to trust. To load the authorities of the system takes 20 ms, so only for a URL that needs them."""
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=None if ca is None else os.fspath(ca))
    except OSError as error:  # of the ssl module too
        is_read = isinstance(error, ssl.SSLError) or error.errno is None or not error.strerror
        text = "there is no certificate in it" if is_read else describe_os_error(error)
        raise SettingError(f"{ca_name} {os.fspath(ca or '')!r} cannot be used: {text}.") from error


def describe_http_error(error: BaseException) -> str:
    """Return why there was no answer, for the end of a sentence."""
    found = list(walk_causes(error))
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
    for cause in found:
        if isinstance(cause, socket.gaierror):
            return "the host has no address"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or 'the connection ended'}"
    for cause in found:
        if isinstance(cause, OSError) and cause.errno:
            return describe_os_error(OSError(cause.errno, os.strerror(cause.errno)))
    if isinstance(error, httpx.RemoteProtocolError):
        return "it closed the connection without an answer, or its answer is not HTTP"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return describe_os_error(OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
    return str(error) or type(error).__name__


def walk_causes(error: BaseException) -> list[BaseException]:
    """Return `error` and all that it came from, in depth first."""
    causes: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in causes:
            continue
        causes.append(one)
        inner = list(one.exceptions) if isinstance(one, BaseExceptionGroup) else []
        waiting += [*inner, one.__cause__, one.__context__]
    return causes
