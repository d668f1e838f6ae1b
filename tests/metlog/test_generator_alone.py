"""What applications import needs the standard library and nothing else."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "pipeline" / "metlog"
OF_THE_DAEMON = ("router", "endpoints")

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in FOLDER.rglob("*.py")
    if path.relative_to(FOLDER).parts[0] not in OF_THE_DAEMON
)

APPLICATION = """
import json, sys
sys.path.insert(0, sys.argv[1])
for module in json.loads(sys.argv[2]):
    __import__(module)

from pipeline.metlog.decorators import timeit
from pipeline.metlog.holder import get_client

@timeit
def work():
    client.incr("x", fields={"a": {1}})

client = get_client("shop", {"sender_class": "stdout", "filters": [("severity_max", {"severity": 6})]})
work()
client.debug("hidden")
ours = [name for name in sys.modules if name.startswith("pipeline")]
rest = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"pipeline", "__main__"}
print(json.dumps([sorted(name for name in rest if not name.startswith("_")), ours, client.counts.sent]))
"""


def test_modules_are_found() -> None:
    """Those of the client, its senders and its decorators."""
    assert {"pipeline.metlog", "pipeline.metlog.client", "pipeline.metlog.senders.udp"} <= set(MODULES)
    assert not [module for module in MODULES if "router" in module]


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_the_standard_library_and_its_neighbours(module: str) -> None:
    """Also where an import stands inside a function."""
    path = ROOT / module.replace(".", "/")
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    strange = {
        name
        for name in imported
        if name.partition(".")[0] not in sys.stdlib_module_names
        and (not name.startswith("pipeline.metlog.") or name.split(".")[2] in OF_THE_DAEMON)
    }
    assert strange == set()


def test_types_are_found_by_who_checks_them() -> None:
    """The marker of PEP 561 is in the package, and is installed with it."""
    assert (ROOT / "pipeline" / "py.typed").read_bytes() == b""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["*"]


def test_python_without_packages_runs_it() -> None:
    """Each module is imported, and a client sends."""
    arguments = [sys.executable, "-I", "-S", "-c", APPLICATION, str(ROOT), json.dumps(MODULES)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr == ""
    *messages, told = result.stdout.splitlines()
    assert [json.loads(line)["type"] for line in messages] == ["counter", "timer"]
    strange, ours, sent = json.loads(told)
    assert (strange, sent) == ([], 2)
    assert {name for name in ours if not name.startswith("pipeline.metlog")} == {"pipeline"}
