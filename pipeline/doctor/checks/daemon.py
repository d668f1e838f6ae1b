"""Our daemon: whether it runs and answers, what it says of its programs, and whether its page can be read."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pipeline import __version__
from pipeline.doctor.commands import run_command
from pipeline.doctor.examination import Examination, ask_samples
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.processes import Process, read_process, read_start
from pipeline.doctor.scrape import (
    BUILD,
    OVERFLOWS,
    PROGRAM_ERRORS,
    PROGRAM_LINES,
    UNMATCHED_LINES,
    Answer,
    Reach,
    Sample,
    ask,
    try_connect,
)
from pipeline.doctor.site import Instance

OK_STATUS, NOT_FOUND = 200, 404
POLL_SECONDS = 0.1
INIT = 1
"""The number of the process that systemd is."""


def check_daemon(exam: Examination) -> Iterator[Finding]:
    """Whether each of our daemons runs, and answers."""
    for instance in exam.site.instances:
        path = instance.unix_socket
        exam.show(f"Asking the daemon at {path}")
        reach, pid = try_connect(path, socket.SOCK_STREAM, exam.seconds)
        while reach in (Reach.MISSING, Reach.STALE) and is_starting(exam, instance):
            time.sleep(POLL_SECONDS)
            reach, pid = try_connect(path, socket.SOCK_STREAM, exam.seconds)
        match reach:
            case Reach.SERVED:
                yield check_answer(exam, instance, pid)
            case Reach.FULL:
                yield tell_stuck(exam, instance, exam.find_own(instance), 0)
            case Reach.FORBIDDEN:
                yield skip(f"Your user may not connect to {path}. Run this as root.", "sudo syslog-pipeline doctor")
            case Reach.FOREIGN:
                yield fail(f"{path} is not an HTTP socket of ours.", "The daemon does not start.", f"ls -l {path}")
            case _:
                yield from tell_absent(exam, instance, is_stale=reach is Reach.STALE)


def is_starting(exam: Examination, instance: Instance) -> bool:
    """Whether our daemon has been started so lately that it may not listen yet."""
    process = exam.find_own(instance)
    try:
        return process is not None and time.time_ns() / 1e9 - read_start(process.pid) < exam.seconds
    except OSError:
        return False


def tell_absent(exam: Examination, instance: Instance, *, is_stale: bool) -> Iterator[Finding]:
    """Say that nobody listens, and as far as it can be told why."""
    if exam.failed("programs") and not exam.site.progs.exists():
        yield skip("The daemon does not run, which it cannot without programs.")
        return
    path = instance.unix_socket
    remains = f"{path} is left from an earlier run, and nobody answers there" if is_stale else f"There is no {path}"
    if (process := exam.find_own(instance)) is not None:
        yield fail(
            f"{remains}, though {process.label} runs.",
            "It was started with another --unix_socket, or its socket was removed.",
            exam.spell_start(instance),
        )
        return
    yield fail(
        f"The daemon does not run: {remains if is_stale else remains[0].lower() + remains[1:]}.",
        "No line is counted, and the syslog daemon keeps what it has for us.",
        exam.spell_start(instance, "start"),
    )


def check_answer(exam: Examination, instance: Instance, pid: int) -> Finding:
    """Whether a daemon that listens answers, and is ready."""
    path = instance.unix_socket
    process = read_process(pid)
    process = process if process is not None and process.is_ours else exam.find_own(instance)
    answers: dict[str, Answer] = {}
    for target in ("/-/healthy", "/-/ready", "/metrics"):
        answer = ask(path, target, exam.seconds)
        if answer is None and target == "/metrics":
            return tell_slow_page(exam, instance, process)
        if answer is None:
            return tell_stuck(exam, instance, process, pid)
        answers[target] = answer
    page = answers["/metrics"]
    if page.status != OK_STATUS:
        return fail(
            f"{path} answers /metrics with status {page.status}: somebody else serves there.", "", f"ls -l {path}"
        )
    exam.pages[instance] = page.text
    for answer in answers.values():
        if answer.status not in (OK_STATUS, NOT_FOUND):
            return warn(f"The daemon runs, but is not ready: {describe_body(answer)}", "", *read_logs(instance))
    return tell_running(exam, instance, process)


def tell_running(exam: Examination, instance: Instance, process: Process | None) -> Finding:
    """Say that it runs, and in which version."""
    version = next((sample.labels.get("version", "") for sample in ask_samples(exam, instance, BUILD)), "")
    who = process.label if process else "The daemon"
    if version not in ("", __version__):
        return warn(
            f"{who} runs in version {version}, and version {__version__} is installed.", "", exam.spell_start(instance)
        )
    return approve(f"{who} answers at {instance.unix_socket}.")


def tell_stuck(exam: Examination, instance: Instance, process: Process | None, pid: int) -> Finding:
    """Say that a daemon gives no answer, and why if that can be seen."""
    why = "The pipe fills, and then the syslog daemon keeps the lines in its queue."
    if process is not None and process.is_stopped:
        return fail(f"{process.label} has been stopped by a signal.", why, f"kill -CONT {process.pid}")
    if process is None and pid == INIT:
        return fail(
            f"The daemon does not run; systemd holds {instance.unix_socket} for it meanwhile.",
            "No line is counted, and the syslog daemon keeps what it has for us.",
            exam.spell_start(instance, "start"),
        )
    who = process.label if process else f"Who listens at {instance.unix_socket}"
    return fail(f"{who} has not answered within {exam.seconds:g} s.", why, exam.spell_start(instance))


def tell_slow_page(exam: Examination, instance: Instance, process: Process | None) -> Finding:
    """Say that a daemon answers, but that its page of metrics is too long to come in time."""
    who = process.label if process else f"Who listens at {instance.unix_socket}"
    return fail(
        f"{who} answers, but its page of metrics has not come within {exam.seconds:g} s.",
        "It has very many series, or much else to do. Prometheus waits no longer than its scrape_timeout, 10 s.",
        f"curl --unix-socket {instance.unix_socket} 'http://localhost/metrics?name[]=syslog_pipeline_series'",
        "syslog-pipeline doctor --timeout 1m",
    )


def read_logs(instance: Instance) -> tuple[str, ...]:
    """Return the command that shows what a daemon of ours says."""
    return (f"journalctl --unit {instance.unit} --lines 20",)


def describe_body(answer: Answer) -> str:
    """Return the first line of an answer."""
    return (answer.text.strip() or f"status {answer.status}").splitlines()[0]


def check_work(exam: Examination) -> Iterator[Finding]:
    """Whether the programs work on what comes."""
    found: list[Finding] = []
    for instance in exam.site.instances:
        samples = ask_samples(exam, instance, PROGRAM_LINES, UNMATCHED_LINES, PROGRAM_ERRORS, OVERFLOWS)
        found += judge_programs([sample for sample in samples if is_there(exam, sample)], instance)
    yield from found or [approve("No program fails on its lines, and no metric has too many series.")]


def is_there(exam: Examination, sample: Sample) -> bool:
    """Return whether a sample is not of a program whose file is gone; what it counted stays."""
    progs, prog = exam.site.progs, sample.labels.get("prog")
    return not prog or not progs.is_dir() or (progs / prog).exists()


def judge_programs(samples: list[Sample], instance: Instance) -> Iterator[Finding]:
    """Yield what one daemon's own metrics say against its programs."""
    by_name: dict[str, dict[str, float]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, {})[sample.labels.get("prog", "")] = sample.value
    lines = by_name.get(PROGRAM_LINES, {})
    for prog, count in by_name.get(PROGRAM_ERRORS, {}).items():
        if count:
            yield warn(
                f"{prog} failed on {count:.0f} of {lines.get(prog, 0):.0f} lines.",
                "Those lines are not counted by it; the log says where in the program.",
                *read_logs(instance),
            )
    unmatched = by_name.get(UNMATCHED_LINES, {})
    idle = sorted(prog for prog, count in lines.items() if count and unmatched.get(prog) == count)
    if lines and len(idle) == len([count for count in lines.values() if count]) > 0:
        yield warn(
            "No program has matched any line so far.",
            "Perhaps the syslog daemon writes lines in another form than the programs expect.",
            "syslog-pipeline replay --progs PROGRAM --logs FILE",
        )
    for sample in samples:
        if sample.name == OVERFLOWS and sample.value:
            yield warn(
                f"The metric {sample.labels.get('metric')} of {sample.labels.get('prog')} has too many series: "
                f"{sample.value:.0f} new ones were not kept.",
                "A label takes values that never end. Give the metric a `limit`, or take the label away.",
                "syslog-pipeline check PROGRAM",
            )


def check_page(exam: Examination) -> Iterator[Finding]:
    """Whether the page of metrics is one that Prometheus takes."""
    for instance, page in exam.pages.items():
        try:
            families = sum(1 for _ in text_string_to_metric_families(page))
        except ValueError as error:
            yield fail(
                f"The page of metrics is no valid Prometheus text: {error}.",
                "Prometheus refuses the whole page.",
                f"curl --unix-socket {instance.unix_socket} http://localhost/metrics | promtool check metrics",
            )
            continue
        outcome = run_command(["promtool", "check", "metrics"], page.encode())
        if outcome is not None and outcome.status:
            first = outcome.output.strip().splitlines()[0] if outcome.output.strip() else f"status {outcome.status}"
            yield warn(
                f"promtool finds fault with a metric: {first}",
                "Prometheus takes it all the same, if the page can be read at all.",
                f"curl --unix-socket {instance.unix_socket} http://localhost/metrics | promtool check metrics",
            )
        else:
            checked = "" if outcome is None else ", and promtool has nothing against it"
            yield approve(f"The page of {show_name(instance.unix_socket)} has {families} metrics{checked}.")


def show_name(path: Path) -> str:
    """Return the name of a socket's file."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to("/run"))
    return str(path)
