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
        "metlog/envelope.py",
        "emitting/emission.py",
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
    """What a folder offers stands in its `__init__`; nobody else imports from inside it.

    The modules of `metlog` are named as metlog-py's, for applications to import; its folders are as others.
    """
    folders = [
        path.parent.relative_to(PACKAGE)
        for pattern in ("*", "metlog/*")
        for path in PACKAGE.glob(f"{pattern}/__init__.py")
    ]
    faces = {str(folder) for folder in folders} - {".", "formats", "metlog"}
    intruders = {
        f"{module} imports {node.module}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for face in faces
        if node.module.startswith(f"pipeline.{face.replace('/', '.')}.")
        and not module.startswith(f"{face.split('/')[0]}/")
    }
    assert intruders == set()
