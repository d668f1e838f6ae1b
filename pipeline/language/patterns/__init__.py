"""RE2's patterns: what they capture, what they require, and which engine runs them.

text → `parse` → tree → `captures` (types of groups) and `engines` (a plan of the search, from
`literals`, `linearity` and `exactness`) → `printing` → a compiled pattern.
"""

from __future__ import annotations

from pipeline.language.patterns.anchoring import is_faster_anchored
from pipeline.language.patterns.captures import Group, capture_groups
from pipeline.language.patterns.engines import MAX_PLANS, Engine, Match, Search, SearchPlan, plan_search
from pipeline.language.patterns.heads import HEAD_BYTES, find_heads
from pipeline.language.patterns.line_beginnings import print_line_beginning
from pipeline.language.patterns.literals import required_literals
from pipeline.language.patterns.parse import parse_pattern
from pipeline.language.patterns.prefixes import find_prefix, prefers_prefix, required_suffix
from pipeline.language.patterns.replace import replacer
from pipeline.language.patterns.tree import PatternError, Regex

__all__ = [
    "HEAD_BYTES",
    "MAX_PLANS",
    "Engine",
    "Group",
    "Match",
    "PatternError",
    "Regex",
    "Search",
    "SearchPlan",
    "capture_groups",
    "find_heads",
    "find_prefix",
    "is_faster_anchored",
    "parse_pattern",
    "plan_search",
    "prefers_prefix",
    "print_line_beginning",
    "replacer",
    "required_literals",
    "required_suffix",
]
