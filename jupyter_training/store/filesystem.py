"""Whether a file is on a network file system, where SQLite cannot keep its promises.

SQLite's locks and its write-ahead log need shared memory and locks that all users of a file see at
once; most network file systems give neither (sqlite.org, "How To Corrupt An SQLite Database File").
"""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs"),
        *("fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"),
        *("ocfs2", "orangefs", "smb2", "smb3", "smbfs", "virtiofs", "wekafs"),
    )
)
"""What the system calls the file systems that are shared between machines."""

MOUNTS = Path("/proc/self/mounts")


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """The kind of network file system that a file is on.

    Parameters
    ----------
    path
        An absolute path; it need not exist.
    mounts
        What the system says of its mounts, as in ``/proc/self/mounts``; None to ask it.

    Returns
    -------
    str or None
        None for a disk of this machine, or where the system does not say.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text()
        except OSError:
            return None
    above = {path, *path.parents}
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_plain(fields[1]))
        # Of several at one place, the last one covers the others.
        if point in above and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return found if found in NETWORK else None


def _plain(text: str) -> str:
    """A path without the escapes for spaces and the like."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)
