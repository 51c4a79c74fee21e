"""What the doctor says of Slurm, which is optional unless somebody has asked for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_training.doctor.checks import Verdict
from jupyter_training.doctor.settings import Settings
from jupyter_training.doctor.slurm import SlurmFacts, judge, look
from tests.doctor.test_basics import says
from tests.slurm import Slurm

SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")
ASKED = replace(SETTINGS, executors=("local", "slurm"))
DEFAULT = replace(ASKED, default_executor="slurm")
THERE = SlurmFacts("22.05.8", "", 3, 12, 8, is_elsewhere=True, is_shared=True)
AWAY = SlurmFacts("22.05.8", "Slurm does not answer: Unable to contact slurm controller")


def test_it_is_told_with_its_figures() -> None:
    words = ["Slurm 22.05.8, 3 nodes with 12 CPU cores and 8 GPUs"]
    says(judge(THERE, ASKED), Verdict.OK, *words)
    says(judge(THERE, SETTINGS), Verdict.ABSENT, *words, 'executors = ["local", "docker", "slurm"]')


def test_what_is_missing_matters_only_if_it_is_asked_for() -> None:
    says(judge(SlurmFacts(), SETTINGS), Verdict.ABSENT, "no Slurm here")
    says(judge(SlurmFacts(), ASKED), Verdict.PROBLEM, "c.Slurm.commands", blocks=True)
    says(judge(AWAY, SETTINGS), Verdict.ABSENT, "22.05.8")
    says(judge(AWAY, ASKED), Verdict.PROBLEM, "scontrol ping")
    says(judge(AWAY, DEFAULT), Verdict.PROBLEM, "scontrol ping", blocks=True)


def test_a_directory_that_nodes_do_not_share_is_told() -> None:
    alone = replace(THERE, is_shared=False)
    says(judge(alone, ASKED), Verdict.PROBLEM, "a disk of this machine", "c.TrainingApp.data_dir")
    says(judge(replace(alone, is_elsewhere=False), ASKED), Verdict.OK)


def test_a_real_one_is_looked_at(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(slurm.config))
    found = look("", Path("/tmp"))
    assert (found.nodes, found.cpu_cores, found.gpus, found.trouble) == (3, 12, 12, "")
    assert found.version[0].isdecimal()
    says(judge(found, ASKED), Verdict.OK, "3 nodes with 12 CPU cores and 12 GPUs")
    assert look("/no/such/directory", Path("/tmp")) == SlurmFacts()
