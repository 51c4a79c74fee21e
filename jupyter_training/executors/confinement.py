"""What a job in a container may do, apart from using what it was given."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class Confinement:
    """What containers may do, which is little; an administrator can allow more.

    Attributes
    ----------
    user
        ``uid:gid`` of the job's processes. What they write belongs to them.
    groups
        Further group ids, for data that is shared through a group.
    user_name
        For programs that ask who they are; an image does not know the uid of its host.
    capabilities
        The kernel's capabilities that are kept, such as ``SYS_PTRACE``; all others are dropped.
    pids
        How many processes and threads a job may have.
    network
        The engine's network for jobs.
    """

    user: str
    groups: tuple[str, ...] = ()
    user_name: str = "jupyter"
    capabilities: tuple[str, ...] = ()
    pids: int = 4096
    network: str = "bridge"


def confinement_of_this_server() -> Confinement:
    """Jobs are the server's own user, so that their results are its own to read and to delete."""
    uid, gid = os.getuid(), os.getgid()
    groups = tuple(str(one) for one in os.getgroups() if one != gid)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Confinement(f"{uid}:{gid}", groups, name)
