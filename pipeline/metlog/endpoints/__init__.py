"""Where the router's messages go: a module for each kind of endpoint.

A new kind is a module here, a case of `make_endpoint`, and a settings class with its row in `ENDPOINT_KINDS`.
"""

from __future__ import annotations

from pipeline.endpoint_settings import (
    EndpointSettings,
    FileEndpointSettings,
    HttpEndpointSettings,
    SentryEndpointSettings,
    StatsdEndpointSettings,
    SyslogEndpointSettings,
)
from pipeline.errors import SettingError
from pipeline.metlog.endpoints.endpoint import Endpoint, EndpointContext
from pipeline.metlog.endpoints.message import Message, spell_value

__all__ = ["Endpoint", "EndpointContext", "Message", "make_endpoint", "spell_value"]


def make_endpoint(name: str, settings: EndpointSettings, context: EndpointContext) -> Endpoint:
    """Return the endpoint that `settings` describe; `SettingError` if they cannot be used.

    What a kind needs is imported where one is made: who sends nothing to Sentry, needs no HTTP client.
    """
    match settings:
        case FileEndpointSettings():
            from pipeline.metlog.endpoints.file import FileEndpoint

            return FileEndpoint(name, settings)
        case HttpEndpointSettings():
            from pipeline.metlog.endpoints.http import JsonEndpoint

            return JsonEndpoint(name, settings, context)
        case SentryEndpointSettings():
            from pipeline.metlog.endpoints.sentry import SentryEndpoint

            return SentryEndpoint(name, settings, context)
        case StatsdEndpointSettings():
            from pipeline.metlog.endpoints.statsd import StatsdEndpoint

            return StatsdEndpoint(name, settings)
        case SyslogEndpointSettings():
            from pipeline.metlog.endpoints.syslog import SyslogEndpoint

            return SyslogEndpoint(name, settings, context)
        case _:
            raise SettingError(f"metlog.endpoint.{name} is of a kind that cannot be made.")
