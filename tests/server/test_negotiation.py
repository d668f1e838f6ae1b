"""Which form a scraper gets for what it says it accepts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import prometheus
from pipeline.server.negotiation import MAX_HEADER, choose_variant

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8; escaping="
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
OPENMETRICS_0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,/;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
MESSAGES = f"{PROTOBUF.replace(';', '; ')}; escaping="
NATIVE_2_42 = (
    f"{PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""With `--enable-feature=native-histograms`."""
NATIVE_3 = f"{PROTOBUF};escaping=allow-utf-8;q=0.7,{PROMETHEUS_3}"
ALL_TYPES = {TEXT, OPENMETRICS_0} | {
    start + scheme for start in (TEXT_1, OPENMETRICS, MESSAGES) for scheme in ("underscores", "allow-utf-8", "values")
}


def negotiate(header: str) -> str:
    """Return the content type of the answer to an `Accept` header."""
    variant, escaping = choose_variant(header)
    return variant.spell_content_type(escaping)


@pytest.mark.parametrize(
    ("header", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        ("text/*", TEXT),
        ("text/plain", TEXT),
        ("Text/Plain ; Charset=UTF-8", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("text/plain;version=1.0.0", TEXT_1 + "underscores"),
        ("text/plain;version=1.0.0;escaping=values", TEXT_1 + "values"),
        ("text/plain;version=2.0.0", TEXT),
        ("application/json", TEXT),
        ("application/*", OPENMETRICS + "underscores"),
        ("application/openmetrics-text", OPENMETRICS + "underscores"),
        ('application/openmetrics-text; Version="1.0.0"', OPENMETRICS + "underscores"),
        ("application/openmetrics-text;version=0.0.1", OPENMETRICS_0),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;version=2.0.0,application/openmetrics-text;q=0.9", OPENMETRICS + "underscores"),
        (PROMETHEUS_2_42, OPENMETRICS + "underscores"),
        (PROMETHEUS_3, OPENMETRICS + "allow-utf-8"),
        (NATIVE_2_42, MESSAGES + "underscores"),
        (NATIVE_3, MESSAGES + "allow-utf-8"),
        (f"{PROTOBUF};q=0.5,{PROMETHEUS_3}", OPENMETRICS + "allow-utf-8"),
        (f"{PROTOBUF},*/*;q=0.1", MESSAGES + "underscores"),
        (f"*/*,{PROTOBUF}", MESSAGES + "underscores"),
        (f"{PROTOBUF};q=0,text/plain;q=0.1", TEXT),
        (
            'Application/Vnd.Google.Protobuf; Proto=io.prometheus.client.MetricFamily; Encoding="delimited"',
            MESSAGES + "underscores",
        ),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", TEXT),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text", TEXT),
        ("application/vnd.google.protobuf;proto=other.Message;encoding=delimited", TEXT),
        ("application/vnd.google.protobuf", TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.3", TEXT),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.2", OPENMETRICS + "underscores"),
        ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", TEXT),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4", OPENMETRICS + "underscores"),
        ("*/*,application/openmetrics-text", OPENMETRICS + "underscores"),
        ("application/openmetrics-text;q=0,*/*;q=0.1", TEXT),
        ("text/plain;q=0,*/*;q=0.1", OPENMETRICS + "underscores"),
        ("text/plain;q=0", TEXT),
        ("*/*;q=0", TEXT),
        ("application/openmetrics-text;q=high,text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=.,text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=1.5,text/plain;q=0.9", OPENMETRICS + "underscores"),
        ("application/openmetrics-text;q=0", TEXT),
        ("Application/OpenMetrics-Text", OPENMETRICS + "underscores"),
        (
            "application/openmetrics-text;version=1.0.0;q=1.5,text/plain;version=0.0.4;q=1.9",
            OPENMETRICS + "underscores",
        ),
        ('text/html;title="a, application/openmetrics-text",text/plain;q=0.1', TEXT),
    ],
)
def test_text_with_the_highest_weight_is_chosen(header: str, content_type: str) -> None:
    """Of those we have, as RFC 9110 weighs them: the range that describes a text most closely counts for it."""
    assert negotiate(header) == content_type


@pytest.mark.parametrize(
    ("escaping", "answered"),
    [
        ("underscores", "underscores"),
        ("ALLOW-UTF-8", "allow-utf-8"),
        ("values", "values"),
        ("dots", "underscores"),
        ("nonsense", "underscores"),
        ('"values"', "values"),
    ],
)
def test_scheme_of_escaping_is_one_that_our_names_follow(escaping: str, answered: str) -> None:
    """It is never echoed: whatever else is asked for, the names are those of `underscores`."""
    assert negotiate(f"application/openmetrics-text;version=1.0.0;escaping={escaping}") == OPENMETRICS + answered


def test_header_is_read_as_far_as_anybody_needs_it() -> None:
    """A range that the limit cuts is not read in part."""
    wanted = "application/openmetrics-text;version=1.0.0"
    whole = "text/" + "x" * (MAX_HEADER - len("text/,") - len(wanted))
    assert [negotiate(f"{other},{wanted}") for other in (whole, whole + "x")] == [OPENMETRICS + "underscores", TEXT]
    assert negotiate(f"{wanted},{whole}") == OPENMETRICS + "underscores"
    assert negotiate(f"{whole[:-4]},{wanted};q=0.05") == TEXT


PIECES = st.sampled_from(
    [
        *(",", ";", "=", '"', "\\", " ", "*", "/", "\t", "\0", "\xff", "\u20ac"),
        *("q=", "q=0", "q=0.5", "q=1.", "version=", "1.0.0", "0.0.4", "escaping=", "values", "dots"),
        *("text/plain", "application/openmetrics-text", "*/*", "text/*", "application/*", PROTOBUF),
        *("application/vnd.google.protobuf", "proto=", "encoding=", "delimited"),
    ]
)
HEADERS = st.text() | st.lists(PIECES, max_size=40).map("".join)


@given(HEADERS)
def test_any_header_is_answered_with_one_of_our_types(header: str) -> None:
    """Never an error, and nothing of the header in the answer."""
    assert negotiate(header) in ALL_TYPES


@given(st.lists(st.sampled_from(prometheus.VARIANTS), unique=True, min_size=1), HEADERS)
def test_weights_decide_whatever_else_is_accepted(order: list[prometheus.Variant], other: str) -> None:
    """The order of the ranges in the header does not."""
    ranges = [f"{spell_range(variant)};q={0.9 - place / 10:.1f}" for place, variant in enumerate(order)]
    assert negotiate(",".join(sorted(ranges))) == order[0].spell_content_type()


def spell_range(variant: prometheus.Variant) -> str:
    """Return what asks for a form."""
    return PROTOBUF if variant.is_protobuf else f"{variant.media_type};version={variant.version}"
