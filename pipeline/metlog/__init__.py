"""One envelope for log messages and metrics: the generator for applications, the router, its endpoints.

What applications import needs the standard library alone; `router` and `endpoints` belong to the daemon.
"""
