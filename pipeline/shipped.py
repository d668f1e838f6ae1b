"""The configuration that we ship for other programs: rsyslog, syslog-ng, systemd, nginx.

The files stand in folders of their own beside the package, with the paths that are ours by default, so
that they can be copied as they are. An installed package has them below `share/syslog-pipeline`.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ShippedFileError

CHECKOUT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).parent / "programs"


def find_shipped(name: str) -> Path:
    """Return where the file `name` is, such as `rsyslog/pipe.conf`.

    Raises:
        ShippedFileError: it is in neither place.
    """
    for folder in (CHECKOUT, Path(sysconfig.get_path("data")) / "share" / "syslog-pipeline"):
        if (path := folder / name).is_file():
            return path
    raise ShippedFileError(f"The file {name}, which comes with syslog-pipeline, is missing.")


def list_shipped_programs() -> list[str]:
    """Return the names of the line programs that come with us, without their ending."""
    return sorted(path.stem for path in PROGRAMS.glob("*.mtail"))


def render_shipped(name: str, replacements: Mapping[str, str]) -> str:
    """Return the text of the file `name` with each of `replacements` made, in their order.

    Raises:
        ShippedFileError: it is missing, or a text that should be replaced is not in it.
    """
    return substitute(find_shipped(name).read_text(encoding="utf-8"), replacements, name)


def substitute(text: str, replacements: Mapping[str, str], name: str) -> str:
    """Return `text`, which is that of the file `name`, with each of `replacements` made, in their order.

    Raises:
        ShippedFileError: a text that should be replaced is not in it.
    """
    for old, new in replacements.items():
        if old not in text:
            raise ShippedFileError(
                f"The file {name}, which comes with syslog-pipeline, has been changed: it lacks {old!r}."
            )
        text = text.replace(old, new)
    return text
