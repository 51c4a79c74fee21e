"""Ports for servers that are told where to listen, or that listen there again after they died."""

from __future__ import annotations

import contextlib
import random
import socket
import sys

_PORTS = range(10_000, 20_000)
"""Neither those that Linux gives to whoever does not care, nor those of the ranks of jobs."""

_held: list[socket.socket] = []


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports at which nobody listens, and of which no other process of tests is told.

    Whoever takes one holds a name with its number for as long as the process lives, where there
    are such names.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            return found
        hold = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            if sys.platform == "linux":
                hold.bind(f"\0jupyter-training-test-port-{port}")
            probe.bind((address, port))
            _held.append(hold)
            found.append(port)
            continue
        hold.close()
    raise AssertionError("no port is free")


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
