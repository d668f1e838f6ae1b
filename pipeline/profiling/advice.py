"""Which pattern of a program is the dearest, and what its author could do about it."""

from __future__ import annotations

from pipeline.language import is_faster_anchored
from pipeline.profiling.costs import PatternCost, Profile
from pipeline.profiling.figures import show_place, show_share

OFTEN, SELDOM = 0.5, 0.1
"""A pattern that is searched on so many lines, and found on so few of those, had better not be searched on all."""

SMALL = 0.1
"""Of the time. A pattern that takes less is not worth a change."""


def give_advice(profile: Profile) -> str:
    """Return one sentence that names the dearest pattern, and one more for each thing that would make it cheaper."""
    return " ".join(filter(None, [advise_on_patterns(profile), advise_on_fields(profile)]))


def advise_on_fields(profile: Profile) -> str:
    """Return what would let the sieve stand before a program that decodes every line for a field."""
    field = profile.compiled.guard.absent
    if not field:
        return ""
    return (
        f"Every line is decoded because of `${field}`: where it is one of a few lines, write"
        f" `defined(${field})` behind the `decode`, or a pattern before it."
    )


def advise_on_patterns(profile: Profile) -> str:
    """Return what is to be said of the dearest pattern."""
    if not profile.patterns:
        return "It has no pattern."
    dearest = profile.patterns[0]
    if not dearest.ns:
        return "No pattern took any time."
    share = profile.share(dearest.ns)
    place = show_place(dearest.position)
    sentences = [f"The dearest pattern is the one at {place}, with {show_share(share)} of the time."]
    if share >= SMALL:
        sentences += [advise_on_engine(dearest), advise_on_block(dearest)]
    return " ".join(filter(None, sentences))


def advise_on_engine(cost: PatternCost) -> str:
    """Return what keeps a pattern from a faster engine, and what would not."""
    pattern = cost.pattern
    if not pattern.has_slow_engine:
        return ""
    reason = pattern.reason.partition(";")[0]
    if is_faster_anchored(pattern.text):
        remedy = ": if it can match at the beginning only, write `^` there, and `re` will run it"
    elif "repeat" in reason:
        remedy = ": let each repeat take only what cannot stand behind it, such as `[^ ]+` before a blank"
    else:
        remedy = ""
    return f"RE2 runs it, because {reason}{remedy}."


def advise_on_block(cost: PatternCost) -> str:
    """Return what to do about searches that seldom find something. Where it begins with `^`, they end at once."""
    if cost.searched is None or cost.found is None or cost.pattern.text.startswith("^"):
        return ""
    if cost.searched < OFTEN or cost.found > SELDOM * cost.searched:
        return ""
    return (
        f"It is searched on {show_share(cost.searched)} of the lines and found on {show_share(cost.found)}:"
        " put it into a block whose pattern is a text that those lines hold."
    )
