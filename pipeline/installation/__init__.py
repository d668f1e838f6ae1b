"""Our configuration of other programs, adapted to a machine, and put into place or taken away.

`machine` looks, `choices` and `plan` decide what is wanted, `changes` compares it with what is there, `place` writes,
and `steps` says what is to be done then. Of these `machine` and `place` alone touch files.
"""

from pipeline.installation.changes import Change, Kind, describe_difference
from pipeline.installation.place import holding
from pipeline.installation.setup import Setup
from pipeline.installation.steps import Step

__all__ = ["Change", "Kind", "Setup", "Step", "describe_difference", "holding"]
