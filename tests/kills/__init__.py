"""Servers that are killed at every point of the code, and a look at what became of their jobs."""
