"""What the tests of the doctor share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doctor.chain import Chain, run_chain


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """A whole way in which all is well. Who breaks something of it mends it again."""
    with run_chain() as running:
        yield running
