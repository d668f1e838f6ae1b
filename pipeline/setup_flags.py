"""The flags of `setup`. A choice that has no default is as it was made last."""

from __future__ import annotations

from pipeline import settings
from pipeline.flag import CHOICES, DEEDS, Flag, flatten_values
from pipeline.flag_types import BOOLEAN, INTEGER, NAMES, PATH, one_of

SETUP_FLAGS = (
    Flag(
        name="syslog_daemon",
        type=one_of(("auto", "rsyslog", "syslog-ng", "none")),
        section=CHOICES,
        help="Who writes the lines: auto is the one that is installed, none sets up the rest.",
    ),
    Flag(
        name="way",
        type=one_of(("pipe", "socket", "datagram", "ompipe", "omprog", "program")),
        section=CHOICES,
        help="How the lines come: by a named pipe (the first time), a unix socket, from rsyslog's ompipe or omprog, or "
        "from syslog-ng's program.",
    ),
    Flag(
        name="instances",
        type=INTEGER,
        section=CHOICES,
        help="Over how many daemons the lines are spread, for more than one core. The first time it is one.",
    ),
    Flag(
        name="nginx",
        type=one_of(("auto", "basic-auth", "client-certificate", "none")),
        section=CHOICES,
        help="Whom nginx lets read the metrics: who knows a password, or has a certificate. auto is the first, if "
        "nginx is installed.",
    ),
    Flag(
        name="programs",
        type=NAMES,
        section=CHOICES,
        repeatable=True,
        callback=flatten_values,
        help="Which of the line programs that come along are put into place: names, all, or none (the first time). "
        "Comma-separated, repeatable.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="install",
        type=BOOLEAN,
        section=DEEDS,
        help="Write the files into place. On a terminal it asks first.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="into",
        type=PATH,
        section=DEEDS,
        help="Write the files below this folder instead.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="uninstall",
        type=BOOLEAN,
        section=DEEDS,
        help="Remove what was written, as far as nobody has changed it.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="overwrite",
        type=BOOLEAN,
        section=DEEDS,
        help="Write or remove files too that somebody has changed; what was there is kept as .old.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="yes",
        type=BOOLEAN,
        section=DEEDS,
        help="Do not ask.",
    ),
    Flag(
        of=settings.SetupSettings,
        name="root",
        type=PATH,
        section=DEEDS,
        help="The root of the machine, if it is another one's: the tree of an image.",
    ),
)
