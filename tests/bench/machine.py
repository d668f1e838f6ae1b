"""What the figures were taken on: a figure without its machine says nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from tests.bench.contenders import Contender, Mtail

ROOT = Path(__file__).parents[2]
PACKAGES = ("pyre2", "hyperscan", "trio", "hypercorn")
GIBIBYTE = 1024**3


def describe_machine(contenders: tuple[Contender, ...]) -> dict[str, str]:
    """Return what is worth knowing, by name, in the order to show it."""
    load = os.getloadavg()[0]
    described = {
        "CPU": f"{read_cpu_model()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIBIBYTE:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {find_version(name)}" for name in PACKAGES),
        "commit": describe_commit(),
        "load before": f"{load:.1f} (other work on the machine makes the figures less certain)",
    }
    versions = {each.name: ask_version(each.binary) for each in contenders if isinstance(each, Mtail)}
    return described | versions


def read_cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def find_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"


def ask_version(binary: str) -> str:
    """Return an mtail's own words: version, revision, Go."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip().removeprefix("mtail version ") or "does not tell its version"


def describe_commit() -> str:
    try:
        commit = ask_git("rev-parse", "--short", "HEAD")
        changed = ask_git("status", "--porcelain", "--untracked-files=no", "--", "pipeline", "tests")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}, with changes that are not committed" if changed else commit


def ask_git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
