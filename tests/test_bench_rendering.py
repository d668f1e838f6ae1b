"""The benchmark of formats: what it measures are whole pages. Nothing here measures."""

from __future__ import annotations

import pytest

from tests.bench.rendering import FORMATS, make_data


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_rendered_with_all_series(name: str) -> None:
    """At the first time and at each later one."""
    sizes = []
    for count in (500, 1000):
        data, render = make_data(count), FORMATS[name]()
        own = []
        for _ in range(3):
            data.change_all()
            own.append(sum(render(data)))
        assert min(own) > 0.8 * max(own)
        sizes.append(min(own))
    assert 1.6 < sizes[1] / sizes[0] < 2.4
