"""What keeps the log small."""

from __future__ import annotations

from pipeline.rate_limit import RateLimit


def test_rate_limit_lets_the_first_through() -> None:
    """Also at time zero, and when the clock was set back."""
    limit = RateLimit(10)
    assert [limit.admit(now) for now in (0, 1, 9, 10, 5, 30)] == [0, None, None, 2, None, 1]
