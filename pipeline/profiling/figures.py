"""How figures and places are written."""

from __future__ import annotations

from pipeline.language import Position


def show_share(share: float | None) -> str:
    """Return a share in percent, a dash for none that is known."""
    if share is None:
        return "–"
    return f"{share * 100:.1f} %" if 0 < share < 0.0995 else f"{share * 100:.0f} %"


def show_place(position: Position) -> str:
    """Return the line and the column of a place."""
    return f"{position.line}:{position.column}"


def count(number: int, thing: str) -> str:
    """Return `number` things."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
