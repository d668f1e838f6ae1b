"""Flags as click knows them: their spellings, their sections in the help, and the settings they fill.

`normalize_arguments` turns the spellings that an operator may use into click's one before click sees
them: dashes for underscores (`--unix-socket`), Go's single dash (`-unix_socket`), and Go's Boolean flags
(`--one_shot`, `--one_shot=false`; also `--no-one_shot`). Precedence: flag, environment, file, default.
"""

from __future__ import annotations

import inspect
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeVar

import click

from pipeline.accepted_flags import ACCEPTED_FLAGS
from pipeline.flag import ENVIRONMENT_PREFIX, GENERAL, SECTIONS, Flag
from pipeline.flag_types import BOOLEAN, BOOLEAN_WORDS
from pipeline.flags import CONFIG
from pipeline.push_settings import DESTINATIONS, PushSettings

ARGUMENT = re.compile(r"--?([A-Za-z][\w-]*)(=.*)?", re.DOTALL)

CREDENTIALS = re.compile(r"(?<=://)(?:[^/\s]*|[^/\s:\[]*:\d*[^/\s\d].*)(?=@)")
"""Those of a URL. A password may have a slash in it, which is wrong there; what is before it is no port then."""
HIDDEN = "***"

T = TypeVar("T")


class FlagOption(click.Option):
    """A flag as click knows it: one spelling in help and errors."""

    def __init__(self, flag: Flag) -> None:
        self.flag = flag
        super().__init__(
            [f"--{flag.name}", flag.setting or flag.name],
            type=flag.type,
            required=flag.required,
            multiple=flag.repeatable,
            is_eager=flag is CONFIG,
            envvar=ENVIRONMENT_PREFIX + flag.name.upper(),
            help=flag.help,
            callback=flag.callback,
        )
        if flag.default is not None:  # to click, a default of None is a value, and the flag never missing
            self.default = flag.default

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Name the flag in its first spelling, with what it takes and its default."""
        flag = self.flag
        default = "" if flag.default in (None, "", (), False) else f" (default {flag.type.spell(flag.default)})"
        spelling = f"--{flag.name}" if flag.type is BOOLEAN else f"--{flag.name} {flag.type.metavar}"
        return spelling, flag.help.removesuffix(".") + default + "."

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the place where the value was written: the flag, or the variable."""
        source = ctx.get_parameter_source(self.name) if ctx is not None else None
        if source is click.core.ParameterSource.ENVIRONMENT and isinstance(self.envvar, str):
            return f"'{self.envvar}'"
        return f"'--{self.flag.name}'"


class FlagCommand(click.Command):
    """A command whose flags have mtail's spellings, grouped in its help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the arguments into click's one spelling first."""
        takes_value = {"help": False, "version": False}
        switches = set()
        for option in self.params:
            if isinstance(option, click.Option) and option.opts[0].startswith("--"):
                name = option.opts[0].removeprefix("--")
                takes_value[name] = not option.is_flag and option.type is not BOOLEAN
                if option.type is BOOLEAN:
                    switches.add(name)
        try:
            return super().parse_args(ctx, normalize_arguments(args, takes_value, switches))
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # so that all of them show how the command is used
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group of flags."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            if record is not None:
                section = option.flag.section if isinstance(option, FlagOption) else GENERAL
                sections.setdefault(section, []).append(record)
        for section in sorted(sections, key=SECTIONS.index):
            with formatter.section(section):
                formatter.write_dl(sections[section], col_max=34)


def normalize_arguments(arguments: Sequence[str], takes_value: Mapping[str, bool], switches: Set[str]) -> list[str]:
    """Return `arguments` with known flags in the spelling `--name_with_underscores`.

    `switches` are the Boolean flags; one without a value gets it here, since a Boolean
    flag never takes the next argument. What is no known flag is left as it is.
    """
    normal: list[str] = []
    rest = deque(arguments)
    while rest and rest[0] != "--":
        argument = rest.popleft()
        match = ARGUMENT.fullmatch(argument)
        name, value = (match[1].replace("-", "_"), match[2]) if match else ("", None)
        if value is None and name not in takes_value and name.removeprefix("no_") in switches:
            normal.append(f"--{name.removeprefix('no_')}=false")
        elif name in switches:
            if value is None and rest and rest[0] in BOOLEAN_WORDS:
                raise click.UsageError(f"A Boolean flag takes its value after an equals sign: --{name}={rest[0]}.")
            normal.append(f"--{name}{value or '=true'}")
        elif name in takes_value:
            normal.append(f"--{name}{value or ''}")
            if takes_value[name] and value is None and rest:
                normal.append(rest.popleft())
        else:
            normal.append(argument)
    return [*normal, *rest]


def hide_secrets(arguments: Sequence[str], flags: Sequence[Flag]) -> list[str]:
    """Return `arguments` for people to read: without the values of `flags` that are secrets, and passwords of URLs."""
    secrets = {flag.name for flag in flags if flag.type.is_secret}
    shown: list[str] = []
    rest = deque(arguments)
    while rest:
        argument = rest.popleft()
        match = ARGUMENT.fullmatch(argument)
        if match and match[1].replace("-", "_") in secrets:
            shown.append(argument[: match.end(1)] + (f"={HIDDEN}" if match[2] else ""))
            if not match[2] and rest:
                rest.popleft()
                shown.append(HIDDEN)
        else:
            shown.append(CREDENTIALS.sub(HIDDEN, argument))
    return shown


def make_options(flags: Sequence[Flag]) -> list[click.Parameter]:
    """Return the options of a command that has `flags`, and `--config`."""
    return [FlagOption(flag) for flag in (*flags, CONFIG)]


def make_accepted_options() -> list[click.Parameter]:
    """Return the options that are accepted for mtail's sake, and do nothing."""
    return [
        click.Option([f"--{name}", f"accepted_{name}"], type=type_, hidden=True, expose_value=False)
        for name, type_ in ACCEPTED_FLAGS
    ]


def fill(kind: Callable[..., T], values: Mapping[str, object]) -> T:
    """Return the settings of class `kind`, each field from the value of its name."""
    names = inspect.signature(kind).parameters
    return kind(**{name: values[name] for name in names if name in values})


def make_push_settings(values: Mapping[str, object]) -> PushSettings:
    """Return the settings of the pushes, those of each destination within."""
    destinations = {name: fill(kind, values) for name, kind in DESTINATIONS.items()}
    return fill(PushSettings, {**values, **destinations})
