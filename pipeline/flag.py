"""What a flag is, and the sections that flags have in the help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import click

from pipeline.flag_types import FlagType

ENVIRONMENT_PREFIX = "SYSLOG_PIPELINE_"

PROGRAMS = "Programs"
LINES = "Lines"
METRICS = "Metrics"
SERVING = "Serving"
PUSHING = "Pushing"
LIFE = "Start and stop"
MODES = "Other modes"
CHOICES = "Choices"
DEEDS = "What is done"
ALONG = "The way of a line"
SCRAPE = "The scrape"
PACE = "Receiver and pace"
CONTENT = "What is sent"
GENERAL = "General"
LINE_SECTIONS = (PROGRAMS, LINES, METRICS, SERVING, PUSHING, LIFE, MODES)
SECTIONS = (*LINE_SECTIONS, CHOICES, DEEDS, ALONG, SCRAPE, PACE, CONTENT, GENERAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag of one or several commands.

    `of` is the settings class that has a field for it, with its default: called as the flag is, or with the unit
    behind that, as durations are. `setting` is what a command gets it as, where that is not its own name.
    """

    name: str
    type: FlagType
    help: str
    section: str
    of: Callable[..., object] | None = None
    default: object = None
    setting: str = ""
    required: bool = False
    repeatable: bool = False
    callback: Callable[[click.Context, click.Parameter, object], object] | None = None

    def __post_init__(self) -> None:
        if self.of is None:
            return
        fields = inspect.signature(self.of).parameters
        if self.name not in fields:
            object.__setattr__(self, "setting", f"{self.name}_seconds")
        object.__setattr__(self, "default", fields[self.setting or self.name].default)


def flatten_values(ctx: click.Context, option: click.Parameter, values: object) -> object:
    """Join what the values of a repeatable flag list."""
    assert isinstance(values, tuple)
    return tuple(item for value in values for item in value)
