"""Messages and lines for a receiver, at a rate: for load, and for trying things."""

from __future__ import annotations

from pipeline.emitting.outcome import Outcome
from pipeline.emitting.senders import Emitter

__all__ = ["Emitter", "Outcome"]
