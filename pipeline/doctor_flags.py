"""The flags of `doctor`. What none of them says is as the daemon's settings have it, and as `setup` has made it."""

from __future__ import annotations

from pipeline import settings
from pipeline.flag import ALONG, GENERAL, SCRAPE, Flag, flatten_values
from pipeline.flag_types import BOOLEAN, DURATION, INTEGER, PATH, SOURCES, TEXT

DOCTOR_CONFIG = Flag(
    name="config",
    type=PATH,
    section=GENERAL,
    help="The file of settings that the daemon is started with (default /etc/syslog-pipeline/settings.toml).",
)
DOCTOR_FLAGS = (
    Flag(
        name="progs",
        type=PATH,
        section=ALONG,
        help="The programs, if the file of settings does not name them.",
    ),
    Flag(
        name="logs",
        type=SOURCES,
        section=ALONG,
        repeatable=True,
        callback=flatten_values,
        help="The sources, if the file of settings does not name them. Comma-separated, repeatable.",
    ),
    Flag(
        name="unix_socket",
        type=PATH,
        section=ALONG,
        help="The daemon's HTTP socket, if the file of settings does not name it.",
    ),
    Flag(
        name="instances",
        type=INTEGER,
        section=ALONG,
        help="How many daemons share the lines; each has its number in the names of its pipes and sockets.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="log_socket",
        type=PATH,
        section=ALONG,
        help="Where applications log, and where the test line is sent (default /dev/log).",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="syslog_config",
        type=PATH,
        section=ALONG,
        help="The configuration of rsyslog or syslog-ng, if it is not at its usual place.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="nginx_config",
        type=PATH,
        section=SCRAPE,
        help="The configuration of nginx, if it is not at its usual place.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="url",
        type=TEXT,
        section=SCRAPE,
        help="Where nginx answers, without a path, such as https://localhost:9443; by default what its configuration "
        "says.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="ca",
        type=PATH,
        section=SCRAPE,
        help="The certificates that nginx's must be signed by, as Prometheus has them.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="user",
        type=TEXT,
        section=SCRAPE,
        help="The user to ask nginx as.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="password_file",
        type=PATH,
        section=SCRAPE,
        help="The file that holds the password of that user.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="client_certificate",
        type=PATH,
        section=SCRAPE,
        help="The certificate to show to nginx.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="client_key",
        type=PATH,
        section=SCRAPE,
        help="The key of that certificate, if it is not in the same file.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="root",
        type=PATH,
        section=GENERAL,
        help="Look for units of systemd, and for what setup has noted, below this folder: the tree of an image.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="send",
        type=BOOLEAN,
        section=ALONG,
        help="Send a test line through the syslog daemon, and put one into each pipe and socket.",
    ),
    Flag(
        of=settings.DoctorSettings,
        name="timeout",
        type=DURATION,
        section=GENERAL,
        help="How long to wait for each answer, and for each test line.",
    ),
    Flag(
        name="json",
        type=BOOLEAN,
        section=GENERAL,
        default=False,
        help="Print what was found as JSON.",
    ),
)
