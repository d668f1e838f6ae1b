"""What configuring a client raises. Sending raises nothing."""

from __future__ import annotations


class ConfigError(ValueError):
    """A configuration that cannot be used. Its text is one sentence."""


class EnvironmentNotFoundError(ConfigError):
    """A variable of the environment that a configuration names is not set."""

    def __init__(self, varname: str) -> None:
        super().__init__(f"The configuration names the variable {varname}, which is not set in the environment.")
        self.varname = varname
