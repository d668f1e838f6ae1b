"""What must be absent from the code, where neither a lint rule nor an import contract can say it."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "pipeline"
MODULES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}

MAX_MODULE_LINES = 500


def find_calls(*names: str) -> set[str]:
    """Return the modules that call a builtin function of one of these names."""
    return {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    }


def find_attributes(owner: str, *names: str) -> set[str]:
    """Return the modules that mention `owner.name` for one of these names."""
    return {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
    }


def test_only_the_code_generator_makes_code() -> None:
    """`compile` and `exec` are called in one place, and `eval` nowhere."""
    assert find_calls("compile", "exec") == {"language/codegen.py"}
    assert find_calls("eval", "__import__") == set()


def test_clock_is_read_at_the_edge() -> None:
    """Who reads the wall clock is listed here; everybody else is given `now`."""
    assert find_attributes("time", "time_ns", "time", "localtime", "gmtime") <= {
        "daemon.py",
        "push_once.py",
        "replay.py",
        "log_format.py",
        "profiling/runs.py",
        "doctor/tls.py",
        "doctor/checks/daemon.py",
        "metlog/client.py",
    }


def test_modules_are_small() -> None:
    """A module of over 500 lines has more than one subject."""
    large = {
        module: lines
        for module in MODULES
        if (lines := (PACKAGE / module).read_text("utf-8").count("\n")) > MAX_MODULE_LINES
    }
    assert large == {}


def test_a_folder_is_used_by_its_face() -> None:
    """What a folder offers stands in its `__init__`; nobody else imports from inside it."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"formats"}
    intruders = {
        f"{module} imports {node.module}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module is not None
        and node.module.startswith("pipeline.")
        and len(parts := node.module.split(".")) > 2
        and parts[1] in folders
        and not module.startswith(f"{parts[1]}/")
    }
    assert intruders == set()
