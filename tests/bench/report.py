"""Tables: on the terminal row by row as they come, and at the end as a page of Markdown."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

NAME_WIDTH = 26
LEAST_WIDTH = 6
TEXT_WIDTH = 120
SUMMARIES = ("Summary", "Targets")
"""Tables that come last on the terminal, and first on a page."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; the first column names the row.

    `about` says what was measured, `legend` how to read the columns; several tables may share a legend.
    """

    title: str
    about: str
    headings: tuple[str, ...]
    legend: str = ""
    least_width: int = LEAST_WIDTH
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def as_markdown(self) -> str:
        rule = ["---"] + ["--:"] * (len(self.headings) - 1)
        rows = [f"| {' | '.join(row)} |" for row in (self.headings, tuple(rule), *self.rows)]
        return "\n".join([f"### {self.title}", "", self.about[0].upper() + self.about[1:], "", *rows, ""])

    def as_records(self) -> list[dict[str, str]]:
        return [dict(zip(self.headings, row, strict=True)) for row in self.rows]

    def spell_row(self, cells: tuple[str, ...]) -> str:
        widths = [max(len(heading), self.least_width) for heading in self.headings[1:]]
        figures = (cell.rjust(width) for cell, width in zip(cells[1:], widths, strict=True))
        return f"{cells[0]:{NAME_WIDTH}}  {'  '.join(figures)}".rstrip()


@dataclass(slots=True)
class Report:
    """All tables of a run. Progress is told on a terminal only, in one line that is overwritten."""

    output: TextIO = sys.stdout
    terminal: TextIO = sys.stderr
    tables: list[Table] = field(default_factory=list)

    def open_table(
        self, title: str, about: str, headings: tuple[str, ...], *, legend: str = "", least_width: int = LEAST_WIDTH
    ) -> Table:
        """Begin a table. On the terminal a column is as wide as its heading, and `least_width`."""
        table = Table(title, about, headings, legend, least_width)
        self.tables.append(table)
        self.print("\n" + textwrap.fill(f"{title}: {about} {legend}", TEXT_WIDTH))
        self.print("\n" + table.spell_row(headings))
        return table

    def add_row(self, table: Table, *cells: str) -> None:
        table.rows.append(cells)
        self.print(table.spell_row(cells))

    def print(self, text: str) -> None:
        self.progress("")
        self.output.write(f"{text}\n")
        self.output.flush()

    def progress(self, text: str) -> None:
        if self.terminal.isatty():
            self.terminal.write(f"\r\x1b[K{text}")
            self.terminal.flush()


def spell_section(tables: Sequence[Table], machine: Mapping[str, str], how: str) -> str:
    """Return the results as a section of a Markdown page: summary first, a shared legend below its first table."""
    rows = [f"| {name} | {value} |" for name, value in machine.items()]
    parts = ["## Results", "", how, "", "| | |", "|---|---|", *rows, ""]
    shown = {""}
    for table in sorted(tables, key=lambda each: each.title not in SUMMARIES):
        parts += [table.as_markdown()]
        parts += [table.legend, ""] if table.legend not in shown else []
        shown.add(table.legend)
    return "\n".join(parts)
