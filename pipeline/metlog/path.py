"""Things of Python by their dotted names, as configurations spell them; those of metlog-py lead to ours."""

from __future__ import annotations

from importlib import import_module

from pipeline.metlog.exceptions import ConfigError

THEIRS = "metlog"
OURS = "pipeline.metlog"


def resolve_name(name: str, folder: str = "") -> object:
    """Return what `package.module.thing` or `package.module:thing` stands for; raises `ConfigError`.

    A name without a dot is looked for in `folder`, a module of ours such as `senders`; one below `metlog.` is looked
    for below `pipeline.metlog`.
    """
    module, _, thing = name.replace(":", ".").rpartition(".")
    if not module:
        module = f"{OURS}.{folder}".removesuffix(".")
    elif module == THEIRS or module.startswith(f"{THEIRS}."):
        module = find_ours(module)
    try:
        return getattr(import_module(module), thing)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(f"There is no {name!r}: {error}.") from error


def find_ours(module: str) -> str:
    """Return our module for one of metlog-py: the same below our package, or the nearest folder above it."""
    ours = f"{OURS}{module.removeprefix(THEIRS)}"
    while ours != OURS:
        try:
            import_module(ours)
        except ModuleNotFoundError:
            ours = ours.rpartition(".")[0]
        else:
            return ours
    return OURS


class DottedNameResolver:
    """metlog-py's way to call `resolve_name`."""

    def resolve(self, name: str) -> object:
        """Return what a dotted name stands for."""
        return resolve_name(name)
