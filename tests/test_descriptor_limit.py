"""How many descriptors may be open."""

from __future__ import annotations

import resource

import pytest

from pipeline.descriptor_limit import RESERVED, describe_shortage, raise_descriptor_limit


def test_soft_limit_becomes_the_hard_one() -> None:
    """As systemd asks of daemons that do without select()."""
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1), hard))
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("limit", "listeners"), [(4096 + RESERVED, 1), (8192 + RESERVED, 2), (16, 0)])
def test_connections_that_fit_are_no_matter(limit: int, listeners: int) -> None:
    """Nor is the limit where nothing listens."""
    assert describe_shortage(limit, 4096, listeners) is None


@pytest.mark.parametrize(
    ("limit", "listeners", "advice"), [(4095 + RESERVED, 1, 4095), (1024, 2, (1024 - RESERVED) // 2), (64, 1, 1)]
)
def test_connections_that_do_not_fit_are_told(limit: int, listeners: int, advice: int) -> None:
    """With what can be done."""
    assert describe_shortage(limit, 4096, listeners) == (
        f"--max_connections=4096 is more than the {limit} descriptors allow that the process may have open: "
        f"what connects beyond them waits. Raise LimitNOFILE= in its unit, or set --max_connections={advice}."
    )
