"""A server that takes messages as JSON: an array with each request, or a line for each message."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from pipeline.endpoint_settings import HttpEndpointSettings
from pipeline.metlog.endpoints.endpoint import EndpointContext
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.http_endpoint import HttpEndpoint
from pipeline.metlog.endpoints.secret import read_secret


class JsonEndpoint(HttpEndpoint):
    """Sends envelopes as they came."""

    def __init__(self, name: str, settings: HttpEndpointSettings, context: EndpointContext) -> None:
        """Raises `SettingError` when a secret cannot be had."""
        of = f"of metlog endpoint {name}"
        token = read_secret(f"The token {of}", settings.token_variable, settings.token_file)
        password = read_secret(f"The password {of}", settings.password_variable, settings.password_file)
        self.is_array = settings.format == "array"
        self.is_compressed = settings.compression == "gzip"
        self.content_type = "application/json" if self.is_array else "application/x-ndjson"
        headers = {**dict(settings.headers), **authorize(token, settings.user, password)}
        super().__init__(
            name,
            settings,
            context.read_clock,
            url=settings.url,
            headers=headers,
            secrets=(token, password),
            ca=settings.ca,
        )

    async def send(self, entries: Sequence[Entry]) -> None:
        """Send messages with one request."""
        lines = [entry.line for entry in entries]
        body = b"[" + b",".join(lines) + b"]" if self.is_array else b"".join(line + b"\n" for line in lines)
        answer = await self.post(body, {"content-type": self.content_type}, is_compressed=self.is_compressed)
        self.obey(answer, len(entries))


def authorize(token: str, user: str, password: str) -> dict[str, str]:
    """Return the header that says who we are, if there is anything to say (RFC 6750 section 2.1, RFC 7617)."""
    if token:
        return {"authorization": f"Bearer {token}"}
    if user:
        return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {}
