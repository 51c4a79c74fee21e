"""What the doctor sees of a real Slurm; what it says of it is in `test_clusters`."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_training.doctor.slurm import SlurmFacts, look
from jupyter_training.executors.slurm_transport import Way
from tests.slurm import Slurm


def test_a_real_one_is_looked_at(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(slurm.config))
    found = look(Way(), Path("/tmp"))
    assert (str(found.size), found.trouble) == ("3 nodes with 12 CPU cores and 12 GPUs", "")
    assert found.version[0].isdecimal()
    assert look(Way("/no/such/directory"), Path("/tmp")) == SlurmFacts()
