"""`run`: the daemon."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import click

from pipeline import __version__, settings
from pipeline.accepted_flags import ACCEPTED_FLAGS
from pipeline.cli.group import SPELLINGS, VERSION, main
from pipeline.cli.programs import check_paths
from pipeline.cli.replay import list_record_rules, make_program_settings, make_source_settings, replay_logs, start_log
from pipeline.errors import SettingError
from pipeline.flags import RUN_FLAGS, TABLES
from pipeline.held_signals import release_signals
from pipeline.metlog_settings import MetlogSettings
from pipeline.options import FlagCommand, fill, hide_secrets, make_accepted_options, make_options, make_push_settings


@main.command(
    cls=FlagCommand,
    params=[
        *make_options(RUN_FLAGS),
        *make_accepted_options(),
        click.Argument(["extra_logs"], nargs=-1, metavar="[SOURCE]..."),
    ],
    short_help="Run the daemon.",
    epilog="Accepted without effect, for command lines written for mtail: "
    + ", ".join(f"--{name}" for name, _ in ACCEPTED_FLAGS)
    + f".\n\n{SPELLINGS}",
)
@click.version_option(__version__, message=VERSION)
def run(
    *, logs: tuple[str, ...], extra_logs: tuple[str, ...], one_shot: bool, compile_only: bool, **values: object
) -> None:
    """Run the daemon: read log lines, run the programs on them, serve the metrics.

    It ends in good order on SIGTERM, on SIGINT, and when all sources have ended; a second signal ends it
    at once.

    \b
    Read a named pipe and a unix socket:
      syslog-pipeline run --progs /etc/syslog-pipeline/programs \\
          --logs /run/syslog-pipeline/log.fifo --logs unix:///run/syslog-pipeline/log.sock \\
          --unix_socket /run/syslog-pipeline/metrics.sock
    Read the metrics:
      curl --unix-socket /run/syslog-pipeline/metrics.sock http://localhost/metrics
    """
    start_log(values)
    metlog = make_metlog_settings(values)
    values["logs"] = (*logs, *extra_logs)
    if compile_only or one_shot:
        release_signals()
    if values["progs"] is None and (one_shot or compile_only or values["logs"] or not metlog.metlog_logs):
        raise click.MissingParameter(param_hint="'--progs'", param_type="option")
    if one_shot and values["metlog_logs"]:
        raise SettingError("--metlog_logs is for the daemon and does not go with --one_shot.")
    if compile_only:
        check_paths([cast("Path", values["progs"])], fill(settings.LanguageSettings, values), list_record_rules(values))
    elif one_shot:
        replay_logs({**values, "format_name": values["one_shot_format"]})
    else:
        import shlex

        from pipeline.daemon import logger, run_daemon

        logger.info("%s starts as: %s", VERSION, shlex.join(hide_secrets(sys.argv, RUN_FLAGS)))
        run_daemon(
            settings.DaemonSettings(
                programs=make_program_settings(values),
                sources=make_source_settings(values, may_be_none=bool(metlog.metlog_logs)),
                store=fill(settings.StoreSettings, values),
                formats=fill(settings.FormatSettings, values),
                server=fill(settings.ServerSettings, values),
                state=fill(settings.StateSettings, values),
                life=fill(settings.LifeSettings, values),
                push=make_push_settings(values),
                metlog=metlog,
            )
        )


def make_metlog_settings(values: Mapping[str, object]) -> MetlogSettings:
    """Return the settings of the router: those of the table, with the sources of the flag if it is given."""
    table = click.get_current_context().meta.get(TABLES, {}).get("metlog", MetlogSettings())
    logs = cast("tuple[str, ...]", values["metlog_logs"])
    return replace(table, metlog_logs=logs) if logs else cast("MetlogSettings", table)
