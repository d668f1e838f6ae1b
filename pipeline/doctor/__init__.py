"""What is wrong with the way of a line on this machine, and the command that mends it."""
