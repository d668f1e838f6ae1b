"""Secrets come from the environment or from a file, and go nowhere but into requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error

MAX_SECRET_BYTES = 4096


def read_secret(what: str, variable: str, file: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the secret in a variable or a file; nothing if neither is named.

    `what` is what it is of whom: "The token of metlog endpoint x". `SettingError` does not show it.
    """
    if variable:
        text = environment.get(variable, "")
        if not text:
            raise SettingError(f"{what} is to be in the variable {variable}, which is not set.")
    elif file is not None:
        text = read_file(what, file)
    else:
        return ""
    # As it goes into the header of a request.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise SettingError(f"{what} has characters that no header has.")
    return text


def read_file(what: str, file: Path) -> str:
    """Return the first line of a file, without blanks around it."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SECRET_BYTES)
    except OSError as error:
        raise SettingError(f"{what} cannot be read from {file}: {describe_os_error(error)}.") from error
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise SettingError(f"{what} is to be in the file {file}, which is empty.")
    return text
