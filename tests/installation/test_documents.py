"""What docs/setup.md shows of setup is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

from tests.installation.roots import install, make_root, write

PAGE = Path(__file__).parents[2] / "docs" / "setup.md"


def test_shown_commands_are_those_that_are_printed(tmp_path: Path) -> None:
    """On a machine with rsyslog, and with an nginx that has its certificate and a password."""
    root = make_root(tmp_path, "rsyslog", "nginx")
    for name in ("tls/server.crt", "passwords"):
        write(root / "etc/syslog-pipeline" / name, "")
    shown = re.search(r"^```\n(Now run.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert install(root).stdout.endswith("\n" + shown[1])
