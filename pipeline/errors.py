"""The exceptions of the project.

::

    PipelineError
    ├── SettingError        a flag, variable or file given by the operator cannot be used (exit 2)
    ├── ProgramError        a line program cannot be loaded; carries its diagnostics
    ├── MismatchError       a value in the file of settings is of the wrong type; it becomes a SettingError
    ├── StoreConflictError  metrics of one name that cannot live in one store
    ├── ShippedFileError    a file that comes with us is missing, or is not what it was
    ├── InstallationError   a file cannot be put into place, or taken away
    ├── PushError           a push did not reach its destination; the next one may
    ├── StateError          a state file that cannot be taken up; it is set aside
    ├── LiteralError        a number or duration of a program that has no value ┐ inside the compiler:
    ├── LayoutError         a time layout that cannot be used                   │ each becomes
    ├── PatternError        a pattern that cannot be used                       ┘ a diagnostic
    └── LineError           a program failed on one line; the line is counted, the program goes on
        └── TimeError       `strptime` failed on it
"""

from __future__ import annotations


class PipelineError(Exception):
    """The root of all errors the project raises across a folder's border."""


class SettingError(PipelineError):
    """Wrong use. Its text is one plain sentence for the operator; the start stops with status 2."""


class MismatchError(PipelineError):
    """A value in the file of settings is not of the type that its key demands. Its text says what it must be."""


class StoreConflictError(PipelineError):
    """Metrics of one exported name whose kinds differ."""


class ShippedFileError(PipelineError):
    """A file that comes with us is missing, or is not what it was. Its text is a sentence for the operator."""


class InstallationError(PipelineError):
    """A file cannot be put into place or taken away. Its text is one plain sentence for the operator."""


class StateError(PipelineError):
    """What is in a state file is not a state that we can take up. Its text ends a sentence: it says why."""


class PushError(PipelineError):
    """A push did not reach its destination. Its text ends a sentence: it says why."""

    def __init__(self, text: str, pause_seconds: float = 0.0, *, is_final: bool = False) -> None:
        """`pause_seconds` is how long the destination asks to be left alone.

        `is_final` says that it would not take the same another time either.
        """
        super().__init__(text)
        self.pause_seconds = pause_seconds
        self.is_final = is_final


class LineError(PipelineError):
    """A runtime error of a program on one line (spec section 14). Its text names the cause."""


class TimeError(LineError):
    """A text is no time of its layout, or none that exists."""


def describe_os_error(error: OSError) -> str:
    """Return what went wrong, for the end of a sentence: in lower case, without number and path."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def find_first(group: BaseExceptionGroup[OSError]) -> OSError:
    """Return the first failure of several: a source may have a task for each connection."""
    first = group.exceptions[0]
    return find_first(first) if isinstance(first, BaseExceptionGroup) else first
