"""The files that a pattern matches, each read by one tail, through all that may become of them.

A look at the pattern (`scan`) finds new files, and those that are gone; a turn reads one batch of one file. Neither
waits.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pipeline.batch import Batch, Deliver
from pipeline.errors import describe_os_error
from pipeline.settings import ReadFrom, SourceSettings
from pipeline.sources.compressed import find_compression, may_be_compressed
from pipeline.sources.files.expansion import Expansion, expand
from pipeline.sources.files.identity import (
    Fingerprint,
    Identity,
    Mark,
    has_position,
    read_marks,
)
from pipeline.sources.files.parts import Parts
from pipeline.sources.files.pattern import PathPattern
from pipeline.sources.files.remains import Folders, open_remains
from pipeline.sources.files.tail import Tail, open_regular
from pipeline.sources.intake import Intake
from pipeline.sources.records import Spelled, open_way
from pipeline.sources.surroundings import Surroundings
from pipeline.unix_socket import identify

logger = logging.getLogger(__name__)

DELETED_SECONDS = 5.0
"""A deleted file is read until nothing has been written to it for so long: its writer opens the new one soon after."""

REPLACED_SECONDS = 60.0
"""The same for a renamed file whose successor is there. Old workers of a web server write on until their last
request is done."""

MOVED_SECONDS = 3600.0
"""The same for a renamed file without a successor: its writer has not been told yet."""

Seen: TypeAlias = tuple[Identity, int, int]
"""A file with its size and the time of its last change."""


@dataclass(slots=True)
class Roster:
    """Opens, reads and closes the files of one source. Times are those of Trio's clock."""

    pattern: PathPattern
    settings: SourceSettings
    surroundings: Surroundings
    deliver: Deliver = field(init=False)
    early: list[Batch] = field(default_factory=list)
    """What was to be delivered before anybody took it: records of the last run that cannot be gone on with."""
    parts: Parts = field(init=False)
    expansion: Expansion = field(default_factory=Expansion)
    tails: dict[Identity, Tail] = field(default_factory=dict)
    marks: dict[Identity, Mark] = field(default_factory=dict)
    """How far files were read that are not open now, and are gone on with when they can be."""
    foreign: dict[Identity, Mark] = field(default_factory=dict)
    """The same of other sources in the last run, during the first look."""
    places: dict[str, Tail] = field(default_factory=dict)
    """The tails by the paths where their files are now, and where links lead."""
    links: dict[str, tuple[Identity, str]] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    passed_over: dict[str, Seen] = field(default_factory=dict)
    """Copies, and what is compressed. When one changes it is looked at again."""
    unopened: dict[Identity, int] = field(default_factory=dict)
    """Files that could not be opened, with the place where to begin when they can be."""

    def __post_init__(self) -> None:
        self.deliver = self.early.append
        kept = self.pattern.text if self.pattern.is_path else ""
        self.parts = Parts(self.surroundings, self.settings.poll_log_interval_seconds, kept)
        if kept:
            self.surroundings.ledger.claim(kept, self)

    # Looking ---------------------------------------------------------------------------------------

    def start(self, positions: Mapping[str, object]) -> list[str]:
        """Look for the first time, or again after `close`; return the paths of named pipes.

        `positions` are those of all sources: an operator may have made a pattern of a path since.
        """
        self.parts.start()
        position = positions.get(self.pattern.text)
        others = [other for name, other in positions.items() if name != self.pattern.text]
        self.foreign = {mark.identity: mark for other in others for mark in read_marks(other)}
        goes_on = has_position(position) or bool(self.marks)
        self.marks |= {mark.identity: mark for mark in read_marks(position)}
        self.unopened |= {mark.identity: mark.offset for mark in read_marks(position, "unopened")}
        past = self.surroundings.ledger.past
        past.extend([mark for mark in read_marks(position, "past") if mark not in past])
        pipes = self.look(is_first=not goes_on)
        self.foreign = {}
        folders = Folders()
        for mark in [mark for mark in self.marks.values() if mark.identity not in self.unopened]:
            self.look_for(mark, folders)
        return pipes

    def scan(self, now: float) -> list[str]:
        """Look again; return the paths of named pipes."""
        pipes = self.look()
        present = {tail.identity for tail in self.places.values()}
        for tail in self.tails.values():
            if tail.identity in present:
                tail.gone_since = None
            elif tail.gone_since is None:
                tail.gone_since = now
        self.parts.forget_others({*self.claimed, *(tail.path for tail in self.tails.values())}, now)
        return pipes

    def look(self, *, is_first: bool = False) -> list[str]:
        """Open what is new, and note where everything is. What is found at first was there before us."""
        self.expansion = expand(self.pattern)
        for folder, error in self.expansion.failures:
            text = f"{folder} cannot be listed: {describe_os_error(error)}. Files in it are not found until it can be."
            self.parts.say_once(folder, text)
        found = self.look_at(self.expansion.paths)
        self.forget_paths(found)
        self.places = {}
        files = [(path, status) for path, status in found.items() if stat.S_ISREG(status.st_mode)]
        if is_first:
            files.sort(key=lambda item: item[1].st_mtime_ns)  # of rotated files, the oldest lines first
        for path, status in files:
            self.place(path, status, is_first=is_first)
        return [path for path, status in found.items() if stat.S_ISFIFO(status.st_mode)]

    def look_at(self, paths: list[str]) -> dict[str, os.stat_result]:
        """Return what is there, of that which is ours to read."""
        found = {}
        for path in paths:
            if self.is_ignored(path):
                continue
            try:
                status = os.stat(path)  # noqa: PTH116 - to make a Path of it costs as much again
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.parts.report_failure(path, error)
                continue
            if self.can_be_read(path, status.st_mode) and self.surroundings.ledger.claim(path, self):
                found[path] = status
        return found

    def is_ignored(self, path: str) -> bool:
        """Return whether the operator does not want it."""
        ignored = self.settings.ignore_filename_regex_pattern
        return bool(ignored) and re.search(ignored, path.rpartition("/")[2]) is not None

    def can_be_read(self, path: str, mode: int) -> bool:
        """Return whether it is a file or a pipe. A folder is passed over, and anything else told of."""
        if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            return True
        if not stat.S_ISDIR(mode) or self.parts.kept:
            self.parts.say_once(path, f"{path} is not read: it is neither a file nor a named pipe.")
        return False

    def forget_paths(self, found: dict[str, os.stat_result]) -> None:
        """Forget what we knew of paths where nothing is any more."""
        for path in self.claimed - found.keys():
            self.surroundings.ledger.release(path)
        self.claimed = set(found) - {self.parts.kept}
        self.parts.unsay_others([*self.expansion.paths, *self.expansion.folders])
        self.passed_over = {path: seen for path, seen in self.passed_over.items() if path in found}
        self.links = {path: link for path, link in self.links.items() if path in found}
        there = {identify(status) for status in found.values()}
        self.unopened = {identity: start for identity, start in self.unopened.items() if identity in there}

    # Opening ---------------------------------------------------------------------------------------

    def place(self, path: str, status: os.stat_result, *, is_first: bool) -> None:
        """Note which tail reads the file at `path`, and begin one if none does."""
        identity = identify(status)
        tail = self.tails.get(identity)
        if tail is None:
            if identity in self.surroundings.ledger.tails or self.passed_over.get(path) == see(status):
                return
            try:
                tail = self.open(path, is_first=is_first)
            except OSError as error:
                self.parts.report_failure(path, error)
                is_skipped = is_first and self.settings.read_from is ReadFrom.END
                self.unopened.setdefault(identity, status.st_size if is_skipped else 0)
            if tail is None:
                return
        self.places[path] = tail
        if path not in self.links or self.links[path][0] != identity:
            self.links[path] = identity, os.path.realpath(path)
        self.places[self.links[path][1]] = tail

    def open(self, path: str, *, name: str = "", is_first: bool = False) -> Tail | None:
        """Begin with a file that is new to us; return None if it is not to be read.

        Its lines are named after `path`, or after `name` if that is given.
        """
        tail = self.take(open_regular(path))
        mark = self.find_mark(tail)
        if mark is not None and mark.path != path and os.path.lexists(mark.path):
            name = mark.path  # it was rotated while we were away, as another file has taken its place
        self.adopt(tail, name or path, () if mark is None else mark.records)
        tail.is_accepted = mark is not None or (is_first and find_compression(tail.head) is None)
        tail.begin(self.find_start(tail, is_first=is_first) if mark is None else mark.offset)
        if not self.accept(tail, path):
            return None
        tail.predecessors = [other for other in self.tails.values() if other.path == tail.path and other is not tail]
        return tail

    def trace(self, renames: Iterable[tuple[str, str]]) -> None:
        """Open files that were at a path of ours for so short a time that no look found them there.

        A program that rotates its own logs by size may do so several times in a hundredth of a second. What a look
        found meanwhile at such a path is newer, and waits.
        """
        moved: dict[str, str] = {}
        for old, new in renames:
            if old in moved:
                moved[new] = moved.pop(old)
            elif self.pattern.matches(old) and not self.is_ignored(old):
                moved[new] = old
        for path, name in moved.items():
            with suppress(OSError):  # it may be gone by now, or no file
                if identify(os.stat(path)) not in self.surroundings.ledger.tails:  # noqa: PTH116 - as above
                    self.put_before(self.open(path, name=name), self.places.get(name))

    def put_before(self, tail: Tail | None, successor: Tail | None) -> None:
        """Have the file that is now where `tail` was wait for it."""
        if tail is None or successor is None or identify(os.stat(tail.path)) != successor.identity:  # noqa: PTH116
            return
        tail.predecessors = [other for other in tail.predecessors if other is not successor]
        successor.predecessors.append(tail)

    def take(self, descriptor: int) -> Tail:
        """Return a tail for an open file."""
        try:
            return Tail(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def adopt(self, tail: Tail, path: str, records: Spelled = ()) -> None:
        """Know a tail from now on, and name its lines after `path`; go on with records that were begun."""
        tail.name(path, self.make_intake(path))
        tail.intake.resume_records(records)
        self.tails[tail.identity] = self.surroundings.ledger.tails[tail.identity] = tail

    def make_intake(self, path: str) -> Intake:
        """Return the way of the lines that are named after `path`."""
        counts = self.parts.count(path)
        records = open_way(self.settings, counts, self.pass_on, self.surroundings.watch, self.pattern.text)
        return Intake(counts, self.pass_on, self.settings.max_line_bytes, records=records)

    def find_start(self, tail: Tail, *, is_first: bool) -> int:
        """Return where to begin in a file that was never read: the end is the one it had at our start."""
        start = self.unopened.pop(tail.identity, 0)
        if is_first and self.settings.read_from is ReadFrom.END:
            start = tail.size
        return start if start <= tail.size else 0

    def find_mark(self, tail: Tail) -> Mark | None:
        """Return how far a file was read before, by the last run or by this one."""
        mark = self.marks.pop(tail.identity, None)
        if mark is None:
            mark = self.foreign.get(tail.identity)
            if mark is not None and mark.fingerprint.length and mark.fits(tail.head, tail.size):
                return mark
            return self.surroundings.ledger.find_past(tail.identity, tail.head, tail.size)
        if not mark.fingerprint.length:
            return None  # of an empty file nothing was read, and nothing is known
        if mark.fits(tail.head, tail.size):
            return mark
        self.look_for(mark)
        return None

    def accept(self, tail: Tail, path: str) -> bool:
        """Return whether the file at `path` is to be read, as far as its beginning tells; if not, let go of it.

        As long as it cannot be said yet, nothing is read of it.
        """
        if tail.is_accepted or not tail.head or may_be_compressed(tail.head):
            return True
        if (program := find_compression(tail.head)) is not None:
            reason = f"{path} is not read: it is compressed by {program}."
        elif self.is_copy(tail, path):
            reason = f"{path} is not read: it is a copy of a file that is read."
        else:
            tail.is_accepted = True
            return True
        self.parts.say_once(path, reason, logging.INFO)
        self.passed_over[path] = see(os.fstat(tail.descriptor))
        self.drop(tail)
        if not any(other.path == tail.path for other in self.tails.values()):
            self.parts.remove(tail.path)
        return False

    def is_copy(self, tail: Tail, path: str) -> bool:
        """Return whether a file is the copy of one that is or was read."""
        known = [*self.marks.values(), *self.surroundings.ledger.marks_like(tail)]
        return any(mark.is_copied_by(path, tail.head) for mark in known)

    def look_for(self, mark: Mark, folders: Folders | None = None) -> None:
        """Read what is left of a file that was replaced or truncated while we did not look; say so if it is gone."""
        if self.resume_elsewhere(mark, folders) is None and mark.fingerprint.length:
            text = "%s: the file that was read up to byte %d is gone. What was written to it after that is not read."
            logger.warning(text, mark.path, mark.offset, extra={"source": mark.path})
            self.end_records(mark)

    def end_records(self, mark: Mark) -> None:
        """Deliver the records of a file that is gone: they are as they are."""
        if mark.records and mark.identity not in self.surroundings.ledger.tails:  # where it is read, they go on
            intake = self.make_intake(mark.path)
            intake.resume_records(mark.records)
            intake.finish()

    def resume_elsewhere(self, mark: Mark, folders: Folders | None = None) -> Tail | None:
        """Read what is left of a file that is no longer what or where it was; what is there now has to wait for it."""
        self.marks.pop(mark.identity, None)
        descriptor = open_remains(mark, self.surroundings.ledger.tails.keys(), folders or Folders())
        if descriptor is None:
            return None
        tail = self.take(descriptor)
        self.adopt(tail, mark.path, mark.records)
        tail.begin(mark.offset)
        tail.is_accepted = True
        tail.is_copy = tail.identity != mark.identity
        if (successor := self.places.get(mark.path)) is not None:
            successor.predecessors.append(tail)
        return tail

    # Reading ---------------------------------------------------------------------------------------

    def turn(self, tail: Tail, now: float) -> int:
        """Read one batch of a file, if there is one; return how many bytes it had."""
        try:
            status = tail.look()
            if tail.is_begun_anew(status):
                self.begin_anew(tail)
            if tail.waits() or not self.accept(tail, tail.path):
                return 0
            size = tail.read() if tail.lag and tail.is_accepted else 0
        except OSError as error:
            self.fail(tail, error)
            return 0
        if size:
            tail.grown_at = now
        elif self.is_over(tail, now, is_deleted=not status.st_nlink):
            self.let_go(tail, is_deleted=not status.st_nlink)
        return size

    def begin_anew(self, tail: Tail) -> None:
        """Read a truncated file from its start; what was lost by that, from a copy of it if there is one."""
        mark = tail.mark
        tail.intake.counts.file_truncates += 1
        copy = self.resume_elsewhere(mark)
        if copy is None:
            tail.finish()
        else:
            tail.predecessors.append(copy)
        tail.start_over()
        self.surroundings.ledger.past.append(replace(mark, records=()))

    def fail(self, tail: Tail, error: OSError) -> None:
        """Report a failure to read. A handle that has become stale (of NFS) is opened again at the next look."""
        self.parts.report_failure(tail.path, error)
        tail.has_failed = True
        if error.errno == errno.ESTALE:
            self.marks[tail.identity] = tail.mark
            self.drop(tail)

    def is_over(self, tail: Tail, now: float, *, is_deleted: bool) -> bool:
        """Return whether nobody will write to a file any more whose end was reached."""
        if tail.is_copy or tail.gone_since is None:
            return tail.is_copy
        wait = REPLACED_SECONDS if tail.path in self.places else MOVED_SECONDS
        if is_deleted:
            wait = DELETED_SECONDS
        return now - max(tail.gone_since, tail.grown_at) >= wait

    def let_go(self, tail: Tail, *, is_deleted: bool) -> None:
        """End the reading of a file; it is remembered in case it comes back."""
        tail.finish()
        self.drop(tail)
        if not is_deleted and tail.head:
            self.surroundings.ledger.past.append(tail.mark)

    def drop(self, tail: Tail) -> None:
        """Close a file, and no longer know it."""
        tail.close()
        del self.tails[tail.identity], self.surroundings.ledger.tails[tail.identity]
        self.places = {path: other for path, other in self.places.items() if other is not tail}

    def deliver_to(self, deliver: Deliver) -> None:
        """Deliver there from now on."""
        self.deliver = deliver
        early = self.early[:]
        self.early.clear()
        for batch in early:
            deliver(batch)

    def pass_on(self, batch: Batch) -> None:
        """Deliver a batch to whom we deliver now."""
        self.deliver(batch)

    def finish(self) -> None:
        """Deliver the unended last lines, unless the next run goes on with them."""
        if not self.settings.read_positions:
            for tail in self.tails.values():
                tail.finish()

    def close(self) -> None:
        """Close all files, and remember how far they were read."""
        self.places = {}
        for tail in list(self.tails.values()):
            self.marks[tail.identity] = tail.mark
            self.drop(tail)

    @property
    def position(self) -> dict[str, object]:
        """How far each file has been read, as JSON can spell it.

        Under "past" are those whose copies may be here, under "unopened" where to begin with what could not be opened.
        """
        marks = [*self.marks.values(), *(tail.mark for tail in self.tails.values())]
        past = [mark for mark in self.surroundings.ledger.past if self.pattern.matches(mark.path)]
        unopened = [Mark("", identity, Fingerprint.of(b""), start) for identity, start in self.unopened.items()]
        kinds = {"files": marks, "past": past, "unopened": unopened}
        return {kind: [mark.spell() for mark in marks] for kind, marks in kinds.items()}


def see(status: os.stat_result) -> Seen:
    """Return what tells whether a file has changed."""
    return identify(status), status.st_size, status.st_mtime_ns
