"""The certificate of a TLS server: whether it is still valid, and whether it is trusted."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

EXPIRED = 10
SELF_SIGNED = (18, 19, 20, 21)
WRONG_NAME = (62, 64)
"""Numbers of X509_V_ERR in OpenSSL's x509_vfy.h."""

DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """`days_left` is None when it has expired; `distrust` is why its chain is not trusted, and `code` the number of
    that."""

    days_left: float | None
    distrust: str = ""
    code: int = 0


def make_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return how to connect as a scraper does: raises `OSError` when a file cannot be used."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def make_trusting_context(certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return how to connect to whoever is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def inspect_certificate(host: str, port: int, context: ssl.SSLContext, seconds: float) -> Certificate:
    """Return what is to be said of a server's certificate; raises `OSError` when there is no TLS server."""
    with (
        socket.create_connection((host, port), seconds) as plain,
        make_trusting_context().wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        own = wrapped.getpeercert(binary_form=True) or b""
    days_left = read_days_left(host, port, own, seconds)
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return Certificate(days_left)
    except ssl.SSLCertVerificationError as error:
        return Certificate(days_left, error.verify_message, error.verify_code)


def read_days_left(host: str, port: int, own: bytes, seconds: float) -> float | None:
    """Return how many days a certificate is still valid: None if it is not now.

    Python reads the dates of a certificate that it has verified only. So this one is its own authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=own)
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            facts = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError:
        return None
    return (ssl.cert_time_to_seconds(str(facts["notAfter"])) - time.time_ns() / 1e9) / DAY_SECONDS
