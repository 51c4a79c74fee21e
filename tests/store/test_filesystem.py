"""Which files are on a network file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_training.store.filesystem import network_file_system

MOUNTS = r"""
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/ada/fast\040disk xfs rw 0 0
//server/share /mnt cifs rw 0 0
tmpfs /mnt tmpfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/training.db", None),
        ("/home/ada/training/training.db", "nfs4"),
        ("/homeless/training.db", None),
        ("/home/ada/fast disk/training.db", None),
        ("/mnt/training.db", None),
    ],
)
def test_the_innermost_and_latest_mount_tells(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None
