"""What docs/prometheus.md has the reader copy is what promtool finds whole, below a folder that stands for `/etc`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.daemons import ROOT
from tests.e2e.pages import Command, follow, open_shell, read_steps

PAGE = ROOT / "docs" / "prometheus.md"

pytestmark = pytest.mark.slow


def test_scraping_is_set_up_as_the_page_says(tmp_path: Path) -> None:
    """With the files that docs/nginx.md makes; the last command, for systemd, is left out."""
    for path in ("etc/prometheus", "home"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "home" / "docs").symlink_to(ROOT / "docs")
    for name in ("ca.crt", "prometheus.password"):
        (tmp_path / "home" / name).write_text(f"{name}\n")

    def adapt(text: str) -> str:
        # Only root can give a file to somebody else.
        text = text if os.geteuid() == 0 else text.replace(" --owner prometheus", "")
        return text.replace("/etc/", f"{tmp_path}/etc/")

    *steps, reload = [step for step in read_steps(PAGE, "Scraping") if isinstance(step, Command)]
    assert reload == Command("systemctl reload prometheus\n", "", for_root=True)
    with open_shell(tmp_path / "home") as shell:
        follow([replace(step, text=adapt(step.text), shown=adapt(step.shown), for_root=False) for step in steps], shell)
    password = tmp_path / "etc/prometheus/syslog-pipeline/prometheus.password"
    assert (password.read_text(), oct(password.stat().st_mode & 0o777)) == ("prometheus.password\n", "0o600")
