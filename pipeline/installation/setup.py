"""One run of setup: what is there, what is wanted, what would change, and the writing of it."""

from __future__ import annotations

import os

from pipeline import __version__
from pipeline.errors import SettingError
from pipeline.installation.changes import Change, find_changes
from pipeline.installation.choices import ALWAYS, Choices, make_choices, parse_choices
from pipeline.installation.machine import LIVE, look_at_machine
from pipeline.installation.place import Place
from pipeline.installation.plan import plan_files
from pipeline.installation.steps import Step, list_needs, list_steps, list_undoing_steps, list_warnings
from pipeline.settings import SetupSettings
from pipeline.shipped import list_shipped_programs


class Setup:
    """What would change on a machine, and the changing of it.

    Raises:
        SettingError: the choices do not go together, or not with the machine.
        InstallationError: what is in place cannot be compared, or cannot be replaced.
    """

    def __init__(self, settings: SetupSettings) -> None:
        self.settings = settings
        self.machine = look_at_machine(settings.root)
        self.place = Place(settings.base)
        self.manifest = self.place.read_manifest()
        self.last = parse_choices(self.manifest.choices)
        self.available = list_shipped_programs()
        self.choices: Choices | None = None
        if not settings.uninstall:
            self.choices = make_choices(settings, self.last, self.machine, self.available)
        wanted = plan_files(self.choices, self.machine) if self.choices else []
        self.changes = find_changes(wanted, self.manifest, self.place.read, overwrite=settings.overwrite)

    @property
    def work(self) -> list[Change]:
        """The changes in which something is written or removed."""
        return [change for change in self.changes if change.is_work]

    @property
    def refused(self) -> list[Change]:
        """What is wanted and not done, because somebody changed a file."""
        return [change for change in self.changes if change.is_refused]

    @property
    def unused_programs(self) -> list[str]:
        """The line programs that come along and are not put into place."""
        used = self.choices.programs if self.choices else ()
        return [name for name in self.available if name not in (*used, ALWAYS)]

    def list_warnings(self) -> list[str]:
        """Return what would keep the files from being of use."""
        return list_warnings(self.choices, self.machine) if self.choices else []

    def list_steps(self) -> list[Step]:
        """Return what is to be done then, in the order that loses nothing."""
        if self.choices is None:
            return list_undoing_steps(self.last, self.machine)
        machine = Place(self.settings.root)
        missing = [need for need in list_needs(self.choices, self.machine) if machine.is_missing(need.path)]
        return list_steps(self.choices, self.last, self.machine, missing)

    def check_rights(self) -> None:
        """Raise `SettingError` unless we may write where we are to."""
        if self.settings.base == LIVE and os.geteuid() != 0:
            raise SettingError("Only root can write to /etc: run setup with sudo, or look at the files with --into.")

    def write(self) -> list[str]:
        """Make the changes; return the folders that an uninstallation left, because there is something in them.

        Raises:
            InstallationError: something was changed since it was looked at, or cannot be written or removed.
        """
        self.place.check_unchanged(self.changes)
        if self.choices is None:
            return self.place.take_away(self.manifest, self.changes)
        self.place.make_changes(self.manifest, self.changes, __version__, self.choices.describe())
        return []
