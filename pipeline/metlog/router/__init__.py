"""Decides for each message, by its labels, which endpoints get it."""
