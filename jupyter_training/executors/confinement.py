"""What a job in a container may do, apart from using what it was given."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase


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
    images
        Patterns of the images that they may be made from; empty if any image will do.
    """

    user: str
    groups: tuple[str, ...] = ()
    user_name: str = "jupyter"
    capabilities: tuple[str, ...] = ()
    pids: int = 4096
    network: str = "bridge"
    images: tuple[str, ...] = ()

    def of_rootless_engine(self) -> Confinement:
        """The same on an engine that this user runs without being root.

        There they are uid 0 of the container, and whatever other uid it has is of nobody else's
        files: it could not even write its results. Capabilities are dropped all the same.
        """
        return replace(self, user="0:0", groups=())

    def why_not_image(self, image: str) -> str | None:
        """Why no container may be made from an image; None if one may.

        A pattern without a tag stands for all tags and digests.
        """
        if not self.images or any(_matches(image, pattern) for pattern in self.images):
            return None
        return f"the image {image} is not one that this server allows: {', '.join(self.images)}"


def _matches(image: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    name, tag, digest = _parts(image)
    wanted_name, wanted_tag, wanted_digest = _parts(pattern)
    if not fnmatchcase(name, wanted_name):
        return False
    if digest or wanted_digest:  # a digest says which image it is, whatever the tag beside it says
        return not wanted_tag and fnmatchcase(digest, wanted_digest or "*")
    return fnmatchcase(tag or "latest", wanted_tag or "*")


def _parts(image: str) -> tuple[str, str, str]:
    """Repository with its registry, tag and digest, as Docker understands a name."""
    image, _, digest = image.partition("@")
    first, slash, rest = image.partition("/")
    if not slash:
        registry, path = "docker.io", f"library/{image}"
    elif "." in first or ":" in first or first == "localhost":
        registry, path = first, rest
        if registry == "docker.io" and "/" not in path:
            path = f"library/{path}"
    else:
        registry, path = "docker.io", image
    path, _, tag = path.partition(":")
    return f"{registry}/{path}", tag, digest


def confinement_of_this_server() -> Confinement:
    """Jobs are the server's own user, so that their results are its own to read and to delete."""
    uid, gid = os.getuid(), os.getgid()
    groups = tuple(str(one) for one in os.getgroups() if one != gid)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Confinement(f"{uid}:{gid}", groups, name)
