"""Writes a log into a pipe at a steady rate, and watches when it is read: `python -m tests.bench.paced_writer`.

A process of its own, so that nothing else that the benchmark does delays it. At its end it prints
the waits of all chunks as JSON, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from tests.bench.feeding import count_unread
from tests.bench.waits import WaitingChunks

CHUNK_SECONDS = 0.005
POLL_SECONDS = 0.0001
GRACE_SECONDS = 30.0
"""So long it waits at the end for the reader."""


def split_chunks(data: bytes, lines: int) -> list[bytes]:
    """Return pieces of `lines` lines."""
    all_lines = data.splitlines(keepends=True)
    return [b"".join(all_lines[begin : begin + lines]) for begin in range(0, len(all_lines), lines)]


def write_paced(pipe: int, chunks: list[bytes]) -> list[float]:
    """Write a chunk each `CHUNK_SECONDS`; return the waits of those that were read.

    What a full pipe does not take stays due, and is written as soon as it does.
    """
    data, ends = memoryview(b"".join(chunks)), list(accumulate(map(len, chunks)))
    waiting, sent, begun = WaitingChunks(), 0, 0
    begin = now = time.perf_counter()
    last = begin + len(chunks) * CHUNK_SECONDS + GRACE_SECONDS
    while len(waiting.waits) < len(chunks) and now < last:
        while begun < len(chunks) and (due := begin + begun * CHUNK_SECONDS) <= now:
            waiting.add(ends[begun], due)
            begun += 1
        with suppress(BlockingIOError):
            sent += os.write(pipe, data[sent : ends[begun - 1]])
        unread = count_unread(pipe)
        now = time.perf_counter()
        waiting.note_read(sent - unread, now)
        time.sleep(POLL_SECONDS)
    return waiting.waits


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.paced_writer")
    parser.add_argument("pipe", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("rate", type=int, help="lines per second")
    arguments = parser.parse_args()
    chunks = split_chunks(arguments.log.read_bytes(), int(arguments.rate * CHUNK_SECONDS))
    pipe = os.open(arguments.pipe, os.O_WRONLY | os.O_NONBLOCK)
    json.dump(write_paced(pipe, chunks), sys.stdout)


if __name__ == "__main__":
    main()
