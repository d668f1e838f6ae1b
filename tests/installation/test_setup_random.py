"""Whatever was set up, and wherever a run ended: uninstalling brings back the tree that there was before."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.installation import Change, Setup
from pipeline.installation.place import Place
from pipeline.settings import SetupSettings
from tests.installation.roots import make_root, read_tree, setup, write

PLACES = (
    "etc/rsyslog.d/60-syslog-pipeline.conf",
    "etc/syslog-ng/conf.d/syslog-pipeline.conf",
    "etc/systemd/system/syslog-pipeline.service",
    "etc/systemd/system/syslog-pipeline@.service",
    "etc/syslog-pipeline/settings.toml",
    "etc/syslog-pipeline/settings.toml.old",
    "etc/nginx/conf.d/syslog-pipeline.conf",
    "etc/syslog-pipeline/programs/sshd.mtail",
)
"""Where something of the operator's may be in the way."""

WAYS = st.one_of(
    st.tuples(st.just("rsyslog"), st.sampled_from(["pipe", "socket", "ompipe", "omprog"]), st.just(1)),
    st.tuples(st.just("syslog-ng"), st.sampled_from(["pipe", "socket", "datagram", "program"]), st.just(1)),
    st.tuples(st.sampled_from(["rsyslog", "syslog-ng", "none"]), st.just("pipe"), st.integers(1, 5)),
)
CHOICES = st.builds(
    lambda way, nginx, programs, overwrite: SetupSettings(
        syslog_daemon=way[0], way=way[1], instances=way[2], nginx=nginx, programs=programs, overwrite=overwrite
    ),
    WAYS,
    st.sampled_from(["none", "basic-auth", "client-certificate"]),
    st.sampled_from([(), ("sshd",), ("cron", "sshd"), ("none",)]),
    st.booleans(),
)
RUNS = st.lists(st.tuples(CHOICES, st.none() | st.integers(0, 40)), min_size=1, max_size=4)
"""Each with the number of writes after which it ends, if it does not come to its end."""


class CutOffError(Exception):
    """The machine was switched off."""


class CutOffPlace(Place):
    """A place on a machine that is switched off after so many writes."""

    def __init__(self, base: Path, writes: int) -> None:
        super().__init__(base)
        self.writes = writes

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Write, unless it is over."""
        self.count()
        super().write(path, content, mode)

    def make_change(self, change: Change) -> None:
        """Make a change, unless it is over."""
        self.count()
        super().make_change(change)

    def count(self) -> None:
        """Switch the machine off when it is time."""
        self.writes -= 1
        if self.writes < 0:
            raise CutOffError


def run_setup(root: Path, choices: SetupSettings, writes: int | None) -> None:
    """Write what the choices want, or some of it."""
    fields = {name: getattr(choices, name) for name in ("syslog_daemon", "way", "instances", "nginx", "programs")}
    job = Setup(SetupSettings(root=root, install=True, overwrite=choices.overwrite, **fields))
    if writes is not None:
        job.place = CutOffPlace(root, writes)
    try:
        job.write()
    except CutOffError:
        assert writes is not None


@settings(max_examples=20)
@given(present=st.sets(st.sampled_from(PLACES)), runs=RUNS, end=st.none() | st.integers(0, 30))
def test_uninstall_brings_the_tree_back(
    present: set[str], runs: Sequence[tuple[SetupSettings, int | None]], end: int | None
) -> None:
    """After any runs with any choices, of which any may have ended in the middle, as may the uninstallation."""
    with tempfile.TemporaryDirectory(prefix="setup-") as name:
        root = make_root(Path(name), "rsyslog", "syslog-ng", "nginx")
        for path in present:
            write(root / path, f"the operator's {path}\n")
        before = read_tree(root)
        for choices, writes in runs:
            run_setup(root, choices, writes)
        if end is not None:
            job = Setup(SetupSettings(root=root, uninstall=True))
            job.place = CutOffPlace(root, end)
            with suppress(CutOffError):
                job.write()
        result = setup(root, "--uninstall")
        assert result.exit_code == 0, result.output
        assert read_tree(root) == before


@settings(max_examples=8)
@given(runs=RUNS, choices=CHOICES)
def test_last_choices_alone_decide(runs: Sequence[tuple[SetupSettings, int | None]], choices: SetupSettings) -> None:
    """What was chosen before, and where a run ended, leaves no trace."""
    with tempfile.TemporaryDirectory(prefix="setup-") as name:
        used = make_root(Path(name) / "used", "rsyslog", "syslog-ng", "nginx")
        fresh = make_root(Path(name) / "fresh", "rsyslog", "syslog-ng", "nginx")
        for earlier, writes in runs:
            run_setup(used, earlier, writes)
        last = SetupSettings(
            syslog_daemon=choices.syslog_daemon,
            way=choices.way,
            instances=choices.instances,
            nginx=choices.nginx,
            programs=choices.programs or ("none",),
        )
        for root in (used, fresh):
            run_setup(root, last, None)
        kept = {path: content for path, content in read_tree(used).items() if content is not None}
        assert kept.keys() == {path for path, content in read_tree(fresh).items() if content is not None}
        assert {path for path in kept if kept[path] != read_tree(fresh)[path]} <= {"etc/syslog-pipeline/setup.json"}
