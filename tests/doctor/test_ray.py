"""What the doctor says of Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_training.doctor.checks import Verdict
from jupyter_training.doctor.ray import RayFacts, judge, look
from jupyter_training.doctor.settings import Settings
from tests.doctor.test_basics import says
from tests.ray_cluster import RayCluster

SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")
ASKED = replace(SETTINGS, executors=("local", "ray"))
DEFAULT = replace(ASKED, default_executor="ray")
THERE = RayFacts("2.60.0", "http://head:8265", "", 3, 12, 8, is_shared=True)
AWAY = RayFacts("2.60.0", "http://head:8265", "Ray does not answer at http://head:8265")


def test_it_is_told_with_its_figures() -> None:
    words = ["Ray 2.60.0 at http://head:8265, 3 nodes with 12 CPU cores and 8 GPUs"]
    says(judge(THERE, ASKED), Verdict.OK, *words)
    says(judge(THERE, SETTINGS), Verdict.ABSENT, *words, 'executors = ["local", "docker", "ray"]')


def test_what_is_missing_matters_only_if_it_is_asked_for() -> None:
    says(judge(RayFacts(), SETTINGS), Verdict.ABSENT, "not installed")
    says(judge(RayFacts(), ASKED), Verdict.PROBLEM, "jupyter-training[ray]", blocks=True)
    says(judge(AWAY, SETTINGS), Verdict.ABSENT, "2.60.0")
    says(judge(AWAY, ASKED), Verdict.PROBLEM, "c.Ray.address")
    says(judge(AWAY, DEFAULT), Verdict.PROBLEM, "c.Ray.address", blocks=True)


def test_a_directory_that_nodes_do_not_share_is_told() -> None:
    alone = replace(THERE, is_shared=False)
    says(judge(alone, ASKED), Verdict.PROBLEM, "a disk of this machine", "c.TrainingApp.data_dir")
    says(judge(replace(alone, url="http://127.0.0.1:8265"), ASKED), Verdict.OK)


def test_a_real_one_is_looked_at(ray_cluster: RayCluster) -> None:
    found = look(ray_cluster.url, {}, True, Path("/tmp"))
    assert (found.nodes, found.cpu_cores, found.gpus, found.trouble) == (3, 12, 12, "")
    says(judge(found, ASKED), Verdict.OK, "3 nodes with 12 CPU cores and 12 GPUs")
