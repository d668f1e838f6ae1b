"""Where the router's messages go: a module for each kind of endpoint."""
