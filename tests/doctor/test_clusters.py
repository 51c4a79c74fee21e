"""What the doctor says of clusters, which are optional unless somebody has asked for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.doctor import ray, slurm
from jupyter_training.doctor.checks import Check, Verdict
from jupyter_training.doctor.clusters import Size
from jupyter_training.doctor.settings import Settings
from jupyter_training.executors.slurm_transport import Way
from tests.doctor.test_basics import says

SIZE = Size(3, 12, 8, is_elsewhere=True, is_shared=True)
SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")


@dataclass(frozen=True)
class Kind:
    """A kind of cluster: what is found where it is, is not, and does not answer."""

    executor: str
    judge: Callable[[Any, Settings], Check]
    there: Any
    missing: Any
    away: Any
    called: str
    lacks: str
    install: str
    repair: str

    @property
    def asked(self) -> Settings:
        return replace(SETTINGS, executors=("local", self.executor))


SLURM = Kind(
    "slurm",
    slurm.judge,
    slurm.SlurmFacts("22.05.8", "", SIZE),
    slurm.SlurmFacts(),
    slurm.SlurmFacts("22.05.8", "Slurm does not answer: Unable to contact slurm controller"),
    called="Slurm 22.05.8",
    lacks="no Slurm here",
    install="c.Slurm.commands",
    repair="scontrol ping",
)
RAY = Kind(
    "ray",
    ray.judge,
    ray.RayFacts("2.60.0", "http://head:8265", "", SIZE),
    ray.RayFacts(),
    ray.RayFacts("2.60.0", "http://head:8265", "Ray does not answer at http://head:8265"),
    called="Ray 2.60.0 at http://head:8265",
    lacks="Ray is not installed",
    install="jupyter-training[ray]",
    repair="c.Ray.address",
)

KINDS = pytest.mark.parametrize("kind", [SLURM, RAY], ids=lambda kind: kind.executor)


@KINDS
def test_it_is_told_with_its_figures(kind: Kind) -> None:
    words = [f"{kind.called}, 3 nodes with 12 CPU cores and 8 GPUs"]
    says(kind.judge(kind.there, kind.asked), Verdict.OK, *words)
    set_it = f'executors = ["local", "docker", "{kind.executor}"]'
    says(kind.judge(kind.there, SETTINGS), Verdict.ABSENT, *words, set_it)


@KINDS
def test_what_is_missing_matters_only_if_it_is_asked_for(kind: Kind) -> None:
    says(kind.judge(kind.missing, SETTINGS), Verdict.ABSENT, kind.lacks)
    says(kind.judge(kind.missing, kind.asked), Verdict.PROBLEM, kind.install, blocks=True)
    says(kind.judge(kind.away, SETTINGS), Verdict.ABSENT, kind.away.version)
    says(kind.judge(kind.away, kind.asked), Verdict.PROBLEM, kind.repair)
    default = replace(kind.asked, default_executor=kind.executor)
    says(kind.judge(kind.away, default), Verdict.PROBLEM, kind.repair, blocks=True)


@KINDS
def test_a_directory_that_nodes_do_not_share_is_told(kind: Kind) -> None:
    alone = replace(kind.there, size=replace(SIZE, is_shared=False))
    words = ["a disk of this machine", "c.TrainingApp.data_dir"]
    says(kind.judge(alone, kind.asked), Verdict.PROBLEM, *words)
    here = replace(alone, size=replace(alone.size, is_elsewhere=False))
    says(kind.judge(here, kind.asked), Verdict.OK)


def test_a_slurm_that_is_reached_by_rest_is_repaired_there() -> None:
    asked = replace(SLURM.asked, slurm=Way(rest_url="http://head:6820"))
    away = slurm.SlurmFacts("unknown", "slurmrestd at http://head:6820 does not answer: refused")
    says(slurm.judge(away, asked), Verdict.PROBLEM, "slurmrestd runs", "rest_token_file")
    says(slurm.judge(SLURM.missing, SLURM.asked), Verdict.PROBLEM, "c.Slurm.rest_url", blocks=True)


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    facts = ray.look("head:8265", {}, True, tmp_path)
    told = "c.Ray.address should be like http://head:8265, not head:8265"
    says(ray.judge(facts, RAY.asked), Verdict.PROBLEM, told, blocks=True)
    says(ray.judge(facts, SETTINGS), Verdict.ABSENT, "no job is sent to a cluster")


def test_a_cluster_of_another_version_is_repaired_by_installing_that() -> None:
    command = 'pip install "ray[default]==2.9.3"'
    other = replace(RAY.away, trouble="the Ray cluster is of version 2.9.3", repair=command)
    says(ray.judge(other, RAY.asked), Verdict.PROBLEM, "of version 2.9.3", command)
