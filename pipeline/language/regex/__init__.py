"""RE2's patterns: what they capture, what they require, and which engine runs them.

text → `parse` → tree → `captures` (types of groups) and `engines` (a plan of the search, from
`literals`, `linearity` and `exactness`) → `printing` → a compiled pattern.
"""

from __future__ import annotations

from pipeline.language.regex.captures import Group, capture_groups
from pipeline.language.regex.engines import Engine, Match, Search, SearchPlan, plan_search
from pipeline.language.regex.literals import required_literals
from pipeline.language.regex.parse import parse_pattern
from pipeline.language.regex.replace import replacer
from pipeline.language.regex.tree import PatternError, Regex

__all__ = [
    "Engine",
    "Group",
    "Match",
    "PatternError",
    "Regex",
    "Search",
    "SearchPlan",
    "capture_groups",
    "parse_pattern",
    "plan_search",
    "replacer",
    "required_literals",
]
