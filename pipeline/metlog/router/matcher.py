"""Which routes a message takes: the operator's table, made fast. Pure.

What a table says of type, logger and severity is found out once for each three of them and remembered, as
applications send the same few again and again. What it says of fields is asked for each message.

Patterns are those of fnmatch(3), without a backslash that quotes. `fnmatch.translate` writes them so that no `*` but
the last is tried twice: the time goes with the length of the text, whatever that holds.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

from pipeline.decoders import Value, find_field
from pipeline.metlog.endpoints import spell_value
from pipeline.metlog_settings import RouteSettings

P = TypeVar("P")
T = TypeVar("T")

Traits: TypeAlias = tuple[str, str, int]
"""The type, the logger and the severity of a message."""

Test: TypeAlias = Callable[[str], bool]

MAX_REMEMBERED = 4096
"""Of each thing that is remembered: more than applications have, and what strangers think of is forgotten again."""
MAX_REMEMBERED_CHARACTERS = 256
"""Of a type and a logger together: with longer ones, what is remembered could fill the memory."""

WILDCARD = re.compile(r"[*?\[]")

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One route, compiled. `number` is its place in the table, from 0."""

    number: int
    goes_on: bool
    fits_type: Test
    fits_logger: Test
    fits_severity: Callable[[int], bool]
    fields: tuple[tuple[tuple[str, ...], Test], ...]

    def fits_traits(self, traits: Traits) -> bool:
        """Tell whether it fits as far as fields do not matter."""
        kind, logger, severity = traits
        return self.fits_type(kind) and self.fits_logger(logger) and self.fits_severity(severity)

    def fits_fields(self, fields: Mapping[str, Value]) -> bool:
        """Tell whether all fields that it names are there, and have the texts that it wants."""
        for path, test in self.fields:
            value = find_field(fields, path)
            if value is None or not test(spell_value(value)):
                return False
        return True


class Matcher(Generic[P]):
    """Finds the plan for a message: what `make_plan` has made of the numbers of the routes that it takes, in order."""

    def __init__(self, routes: Sequence[RouteSettings], make_plan: Callable[[tuple[int, ...]], P]) -> None:
        self.rules = [compile_route(number, route) for number, route in enumerate(routes)]
        self.make_plan = make_plan
        self.plans: dict[tuple[int, ...], P] = {}
        self.by_traits: dict[Traits, P] = {}
        """Where no field is asked for."""
        self.rules_by_traits: dict[Traits, tuple[Rule, ...]] = {}
        """The rules that may fit where one is."""

    def find(self, record: Mapping[str, Value]) -> P:
        """Return the plan for a message with all fields of an envelope."""
        traits = cast("Traits", (record["type"], record["logger"], record["severity"]))
        plan = self.by_traits.get(traits)
        return self.find_slowly(traits, record) if plan is None else plan

    def find_slowly(self, traits: Traits, record: Mapping[str, Value]) -> P:
        """Do the same for a message of a kind that is not remembered, or whose fields matter."""
        rules = self.rules_by_traits.get(traits)
        if rules is None:
            rules = tuple(self.list_rules(traits))
            if not any(rule.fields for rule in rules):
                plan = self.find_plan(tuple(rule.number for rule in rules))
                self.remember(self.by_traits, traits, plan)
                return plan
            self.remember(self.rules_by_traits, traits, rules)
        return self.find_plan(tuple(self.choose(rules, cast("Mapping[str, Value]", record["fields"]))))

    def list_rules(self, traits: Traits) -> Iterator[Rule]:
        """Yield the rules that fit unless fields say no, up to the one at which it ends for sure."""
        for rule in self.rules:
            if rule.fits_traits(traits):
                yield rule
                if not rule.fields and not rule.goes_on:
                    return

    def choose(self, rules: Sequence[Rule], fields: Mapping[str, Value]) -> Iterator[int]:
        """Yield the numbers of those that fit."""
        for rule in rules:
            if rule.fits_fields(fields):
                yield rule.number
                if not rule.goes_on:
                    return

    def find_plan(self, numbers: tuple[int, ...]) -> P:
        """Return the plan for the routes of these numbers."""
        plan = self.plans.get(numbers)
        if plan is None:
            if len(self.plans) >= MAX_REMEMBERED:
                self.plans.clear()
            plan = self.plans[numbers] = self.make_plan(numbers)
        return plan

    def remember(self, memory: dict[Traits, T], traits: Traits, found: T) -> None:
        """Remember what was found for a kind of messages, if its name is not a stranger's novel."""
        if len(traits[0]) + len(traits[1]) > MAX_REMEMBERED_CHARACTERS:
            return
        if len(memory) >= MAX_REMEMBERED:
            memory.clear()
        memory[traits] = found


def compile_route(number: int, route: RouteSettings) -> Rule:
    """Return a route as functions."""
    return Rule(
        number,
        route.goes_on,
        compile_names(route.type),
        compile_names(route.logger),
        compile_severity(route),
        tuple((tuple(name.split(".")), compile_names(patterns)) for name, patterns in route.fields),
    )


def compile_names(patterns: Sequence[str]) -> Test:
    """Return what tells whether one of the names or patterns fits a text; none at all fit any."""
    if not patterns:
        return fits_any
    names = frozenset(pattern for pattern in patterns if not WILDCARD.search(pattern))
    searches = [
        re.compile(fnmatch.translate(pattern)).match for pattern in dict.fromkeys(patterns) if pattern not in names
    ]

    def fits(text: str) -> bool:
        return text in names or any(search(text) is not None for search in searches)

    return fits


def compile_severity(route: RouteSettings) -> Callable[[int], bool]:
    """Return what tells whether a severity fits."""
    wanted = route.find_severity()
    if wanted is None:
        return fits_any
    compare, level = COMPARISONS[wanted[0]], wanted[1]

    def fits(severity: int) -> bool:
        return compare(severity, level)

    return fits


def fits_any(_value: object) -> bool:
    return True
