"""Our configuration of other programs, adapted to a machine, and put into place or taken away."""
