"""Names of functions."""

from __future__ import annotations


def return_fq_name(function: object) -> str:
    """Return module and name of a function, with a dot between; of anything else that can be called, its class's."""
    named = function if hasattr(function, "__name__") else type(function)
    return f"{named.__module__}.{named.__name__}"
