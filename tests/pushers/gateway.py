"""The real Pushgateway, and what it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.daemons import is_open, running
from tests.e2e.monitoring import connect
from tests.ports import find_port
from tests.pushers.awkward import Sample, spell_sample


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Pushgateway that runs."""

    port: int
    client: httpx.Client

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def list_groups(self) -> list[dict[str, Any]]:
        """Return what it says of each group."""
        groups = self.client.get("/api/v1/metrics").json()["data"]
        assert isinstance(groups, list)
        return groups

    def list_keys(self) -> list[dict[str, str]]:
        """Return the grouping key of each group."""
        return [group["labels"] for group in self.list_groups()]

    def read_page(self, job: str) -> tuple[dict[Sample, float], dict[str, tuple[str, str]]]:
        """Return the samples of a job without that label, and type and help text of each family."""
        page = self.client.get("/metrics").text
        samples: dict[Sample, float] = {}
        families = {}
        for family in text_string_to_metric_families(page):
            own = [sample for sample in family.samples if sample.labels.get("job") == job]
            if own and not family.name.startswith("push_"):
                families[family.name] = (family.type, family.documentation)
                samples.update((spell_sample(one.name, **{**one.labels, "job": ""}), one.value) for one in own)
        return samples, families

    def delete_all(self) -> None:
        """Forget all groups, so that each test begins with none."""
        self.client.put("/api/v1/admin/wipe").raise_for_status()


@contextmanager
def run_gateway(folder: Path, port: int = 0) -> Iterator[Gateway]:
    """Run a gateway, whose log is in `folder`, on any port if none is named."""
    port = port or find_port()
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}", "--web.enable-admin-api"]
    command += ["--persistence.file="]  # Debian's keeps its groups in /var/lib
    with running(command, folder / "pushgateway.out", ready=lambda: is_open(port)), connect(port) as client:
        yield Gateway(port, client)
