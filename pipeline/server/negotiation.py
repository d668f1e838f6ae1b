"""Which form of the page a scraper gets: the one that its `Accept` header weighs most (RFC 9110 section 12.5.1).

Prometheus names texts by type and version, messages by type and what they are, and says how names are to be escaped in
them. Whatever a header holds, the answer is one of our forms: the oldest text if none was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.formats import prometheus

# Browsers and scrapers need some 500. To read as much as a request may have took 17 ms, in which no line is read.
MAX_HEADER = 2048
"""What a header has beyond this is not read, nor the range that it would cut."""

MEDIA_TYPES = {"*/*"} | {
    media_type
    for variant in prometheus.VARIANTS
    for media_type in (variant.media_type, variant.media_type.partition("/")[0] + "/*")
}
"""Other ranges describe none of our forms."""

# weight = OWS ";" OWS "q=" qvalue; more digits than the three of the RFC are taken too.
WEIGHT = re.compile(r"(0|1)?(\.[0-9]*)?")

# A quoted string may hold what parts ranges and parameters.
RANGE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')

ANY, ANY_OF_TYPE, ANY_VERSION, EXACT = range(4)
"""How closely a range describes a form: the closest one decides on its weight."""


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One range of an `Accept` header."""

    media_type: str
    parameters: Mapping[str, str]
    weight: float

    def find_closeness(self, variant: prometheus.Variant) -> int:
        """Return how closely it describes a form, less than 0 if it does not."""
        if self.media_type == variant.media_type:
            if not variant.suits(self.parameters):
                return -1
            return ANY_VERSION if variant.version and not self.parameters.get("version") else EXACT
        if self.media_type == variant.media_type.partition("/")[0] + "/*":
            return ANY_OF_TYPE
        return ANY if self.media_type == "*/*" else -1


def choose_variant(header: str) -> tuple[prometheus.Variant, str]:
    """Return the form to answer in, and the scheme of escaping that was asked for with it."""
    if len(header) > MAX_HEADER:
        header = header[:MAX_HEADER].rpartition(",")[0]
    ranges = [media_range for part in RANGE.findall(header) if (media_range := read_range(part)) is not None]
    best: tuple[tuple[float, int, int], prometheus.Variant, str] | None = None
    for variant in prometheus.VARIANTS:
        places = [(range_.find_closeness(variant), -place) for place, range_ in enumerate(ranges)]
        closeness, place = max(places, default=(-1, 0))
        if closeness < 0:
            continue
        range_ = ranges[-place]
        merit = (range_.weight, closeness, place)
        if range_.weight > 0 and (best is None or merit > best[0]):
            best = merit, variant, range_.parameters.get("escaping", "").lower()
    return (prometheus.TEXT, "") if best is None else best[1:]


def read_range(text: str) -> MediaRange | None:
    """Return the range that `text` spells; nothing if its weight is none, or if it is of another type than ours."""
    if text.partition(";")[0].strip().lower() not in MEDIA_TYPES:
        return None
    media_type, *rest = [part.strip() for part in PARAMETER.findall(text)]
    parameters: dict[str, str] = {}
    for part in rest:
        name, _, value = part.partition("=")
        parameters.setdefault(name.strip().lower(), value.strip().strip('"'))
    weight = parameters.get("q", "1")
    if not re.search("[0-9]", weight) or not WEIGHT.fullmatch(weight):
        return None
    return MediaRange(media_type.lower(), parameters, min(float(weight), 1.0))
