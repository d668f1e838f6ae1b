"""The flags of `emit`."""

from __future__ import annotations

from pipeline.emit_settings import EmitSettings
from pipeline.flag import CONTENT, PACE, Flag, flatten_values
from pipeline.flag_types import DURATION, FIELDS, INTEGER, PATH, TEXT

EMIT_FLAGS = (
    Flag(
        of=EmitSettings,
        name="to",
        type=TEXT,
        section=PACE,
        help="The receiver: unixgram://PATH, unix://PATH, udp://HOST:PORT, tcp://HOST:PORT, syslog://PATH, journal://, "
        "the path of a pipe or a file, file://PATH for a new file, or - for standard output.",
    ),
    Flag(
        of=EmitSettings,
        name="rate",
        type=INTEGER,
        section=PACE,
        help="How many per second, of all senders together. 0: as fast as it goes.",
    ),
    Flag(
        of=EmitSettings,
        name="count",
        type=INTEGER,
        section=PACE,
        help="How many. 0: until it is stopped. Without it there is one, or what --duration and --lines make.",
    ),
    Flag(
        of=EmitSettings,
        name="duration",
        type=DURATION,
        section=PACE,
        help="How long.",
    ),
    Flag(
        of=EmitSettings,
        name="senders",
        type=INTEGER,
        section=PACE,
        help="How many processes send, each with a connection of its own.",
    ),
    Flag(
        of=EmitSettings,
        name="wait",
        type=DURATION,
        section=PACE,
        help="How long a message waits for room at the receiver before it is dropped.",
    ),
    Flag(
        of=EmitSettings,
        name="type",
        type=TEXT,
        section=CONTENT,
        help="The type of the messages: counter, timer, gauge, oldstyle, or any other.",
    ),
    Flag(
        of=EmitSettings,
        name="logger",
        type=TEXT,
        section=CONTENT,
        help="Who they are said to come from.",
    ),
    Flag(
        of=EmitSettings,
        name="severity",
        type=INTEGER,
        section=CONTENT,
        help="Their severity, 0 (emergency) to 7 (debug).",
    ),
    Flag(
        of=EmitSettings,
        name="payload",
        type=TEXT,
        section=CONTENT,
        help="Their payload. In it, in fields and in lines {n} is the number of the message, and {time} the time. By "
        'default it is 1 for counters, timers and gauges, and "message {n}" for others.',
    ),
    Flag(
        of=EmitSettings,
        name="field",
        type=FIELDS,
        section=CONTENT,
        repeatable=True,
        callback=flatten_values,
        help="One of their fields; what looks like a number, true or false is that. Repeatable. Counters, timers and "
        "gauges have name=emit unless a name is given.",
    ),
    Flag(
        of=EmitSettings,
        name="line",
        type=TEXT,
        section=CONTENT,
        help="Send this line as it is, and no messages.",
    ),
    Flag(
        of=EmitSettings,
        name="lines",
        type=PATH,
        section=CONTENT,
        help="Send the lines of this file, or of standard input (-). With --count or --duration a file begins again.",
    ),
)
